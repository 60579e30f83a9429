package storage

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"
)

const (
	// versionsHeld is how many versions of one batch of keys are held.
	versionsHeld = 100_000
	// versionLists are the listings of one batch of keys that run at once when its
	// keys lie far apart, and versionSplit is how many keys each has at least.
	versionLists, versionSplit = 4, 16
)

// versioning implements [versioned].
func (b *s3Bucket) versioning(ctx context.Context, try tryFunc) (Versioning, error) {
	return b.versions.of(ctx, func() (Versioning, error) { return b.askVersioning(ctx, try) })
}

func (b *s3Bucket) askVersioning(ctx context.Context, try tryFunc) (Versioning, error) {
	var out *s3.GetBucketVersioningOutput
	err := try(ctx, func(ctx context.Context) error {
		var err error
		out, err = b.client.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &b.name})
		return s3Error(ctx, err)
	})
	switch e, _ := errors.AsType[*Error](err); {
	case err == nil && out.Status == types.BucketVersioningStatusEnabled:
		return VersioningOn, nil
	case err == nil && out.Status == types.BucketVersioningStatusSuspended:
		return VersioningSuspended, nil
	case err == nil:
		return VersioningOff, nil
	case e != nil && (e.Status == http.StatusNotImplemented || e.Status == http.StatusMethodNotAllowed):
		return VersioningOff, nil // a store that does not know versions
	case errors.Is(err, ErrDenied):
		e := *e
		e.Hint = "grant s3:GetBucketVersioning"
		err = &e
	}
	return VersioningUnknown, err
}

// listVersions implements [versioned]. A listing by prefix gives longer keys too;
// only those that are named count, byte by byte. Where many others lie between two
// of them, the listing goes on behind these with a request of its own, and several
// listings share what the first page did not tell.
func (b *s3Bucket) listVersions(ctx context.Context, try tryFunc, keys []string) (found []objectVersion, complete bool, err error) {
	first := newVersionList(b, keys)
	more, err := first.page(ctx, try)
	if err != nil || !more {
		return first.found, true, err
	}
	at, _ := slices.BinarySearch(keys, first.key)
	parts := min((len(keys)-at)/versionSplit, versionLists)
	if parts < 2 {
		complete, err = first.rest(ctx, try)
		return first.found, complete, err
	}
	// The first listing goes on to the end of its part.
	share := (len(keys) - at + parts - 1) / parts
	lists := []*versionList{first}
	first.keys = keys[:at+share]
	for part := range slices.Chunk(keys[at+share:], share) {
		lists = append(lists, newVersionList(b, part))
	}
	completes := make([]bool, len(lists))
	group, ctx := errgroup.WithContext(ctx)
	for i, list := range lists {
		group.Go(func() (err error) {
			completes[i], err = list.rest(ctx, try)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, false, err
	}
	for _, list := range lists[1:] {
		first.found = append(first.found, list.found...)
	}
	return first.found, !slices.Contains(completes, false), nil
}

// sharedPrefix is what all keys begin with, which are in order. It ends with a whole
// character.
func sharedPrefix(keys []string) string {
	first := keys[0]
	n := common(first, keys[len(keys)-1])
	for n < len(first) && n > 0 && !utf8.RuneStart(first[n]) {
		n--
	}
	return first[:n]
}

// versionList reads the versions of some keys page by page.
type versionList struct {
	bucket *s3Bucket
	keys   []string // in order
	prefix string
	found  []objectVersion
	// key and id are what the next page lies behind; "" for none.
	key, id string
	tokens  pageTokens
}

func newVersionList(b *s3Bucket, keys []string) *versionList {
	list := &versionList{bucket: b, keys: keys, prefix: sharedPrefix(keys), tokens: newPageTokens()}
	list.from(keys[0])
	return list
}

// rest reads the pages that are left; complete is false when there are more than can
// be held.
func (l *versionList) rest(ctx context.Context, try tryFunc) (complete bool, err error) {
	for more := true; more; {
		if len(l.found) > versionsHeld {
			return false, nil
		}
		if more, err = l.page(ctx, try); err != nil {
			return false, err
		}
	}
	return true, nil
}

// page reads one, and says whether another one is needed.
func (l *versionList) page(ctx context.Context, try tryFunc) (more bool, err error) {
	var out *s3.ListObjectVersionsOutput
	err = try(ctx, func(ctx context.Context) error {
		var err error
		out, err = l.bucket.client.ListObjectVersions(ctx, l.request())
		return s3Error(ctx, err)
	})
	if err == nil {
		return l.take(out)
	}
	if e, ok := errors.AsType[*Error](err); ok && errors.Is(e, ErrDenied) {
		denied := *e
		denied.Hint = "deleting versions takes s3:ListBucketVersions and s3:DeleteObjectVersion"
		err = &denied
	}
	return false, err
}

func (l *versionList) request() *s3.ListObjectVersionsInput {
	in := &s3.ListObjectVersionsInput{Bucket: &l.bucket.name, Prefix: &l.prefix, EncodingType: types.EncodingTypeUrl}
	if l.key != "" {
		in.KeyMarker = &l.key
	}
	if l.id != "" {
		in.VersionIdMarker = &l.id
	}
	return in
}

// from lets the next page begin just before the key: behind what the key is without
// its last character. Stores take no marker that is not below the prefix.
func (l *versionList) from(key string) {
	_, last := utf8.DecodeLastRuneInString(key)
	l.key, l.id = key[:len(key)-last], ""
	if !strings.HasPrefix(l.key, l.prefix) {
		l.key = ""
	}
}

// take reads a page and says whether another one is needed.
func (l *versionList) take(out *s3.ListObjectVersionsOutput) (more bool, err error) {
	if out.Prefix != nil && *out.Prefix != l.prefix {
		if decoded, err := url.QueryUnescape(*out.Prefix); err != nil || decoded != l.prefix {
			return false, rejected("the store lists another prefix than was asked for")
		}
	}
	last := ""
	add := func(key, id *string, size int64, marker bool) error {
		raw, err := listedKey(aws.ToString(key), out.EncodingType, l.prefix)
		if err != nil {
			return err
		}
		if raw < l.key {
			return rejected("the store does not list versions in the order of their keys")
		}
		last = max(last, raw)
		if _, wanted := slices.BinarySearch(l.keys, raw); wanted {
			if aws.ToString(id) == "" {
				return rejected("the store lists a version without an id")
			}
			l.found = append(l.found, objectVersion{key: raw, id: *id, size: size, marker: marker})
		}
		return nil
	}
	for _, v := range out.Versions {
		if err := add(v.Key, v.VersionId, aws.ToInt64(v.Size), false); err != nil {
			return false, err
		}
	}
	for _, m := range out.DeleteMarkers {
		if err := add(m.Key, m.VersionId, 0, true); err != nil {
			return false, err
		}
	}
	switch {
	case out.IsTruncated == nil:
		return false, rejected("the store does not say whether there is more to list")
	case !*out.IsTruncated:
		return false, nil
	}
	next, err := listedKey(aws.ToString(out.NextKeyMarker), out.EncodingType, l.prefix)
	if err != nil || next == "" {
		return false, rejected("the store says that there is more to list, but not where to go on")
	}
	if last > next {
		return false, rejected("the store does not list versions in the order of their keys")
	}
	return l.goOn(next, aws.ToString(out.NextVersionIdMarker))
}

// goOn makes the next page the one behind a version, or further on where the keys
// that are named lie further on.
func (l *versionList) goOn(key, id string) (more bool, err error) {
	at, _ := slices.BinarySearch(l.keys, key)
	if at == len(l.keys) {
		return false, nil
	}
	if err := l.tokens.take(key + "\x00" + id); err != nil {
		return false, err
	}
	if l.from(l.keys[at]); l.key <= key {
		l.key, l.id = key, id
	}
	return true, nil
}

// deleteVersions implements [versioned].
func (b *s3Bucket) deleteVersions(ctx context.Context, list []objectVersion) ([]error, error) {
	objects := make([]types.ObjectIdentifier, len(list))
	for i := range list {
		objects[i] = types.ObjectIdentifier{Key: &list[i].key, VersionId: &list[i].id}
	}
	return b.deleteObjects(ctx, objects)
}

// deleteVersion implements [versioned].
func (b *s3Bucket) deleteVersion(ctx context.Context, v objectVersion) error {
	_, err := b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.name, Key: &v.key, VersionId: &v.id})
	err = s3Error(ctx, err)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}
