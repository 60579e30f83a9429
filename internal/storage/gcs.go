package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// gcsScheme is that of locations of Google Cloud Storage.
const gcsScheme = "gs"

// gcsKeyLimit is the longest name of an object, in bytes. Source: "About Cloud
// Storage objects", object names, in Google's documentation.
const gcsKeyLimit = 1024

// gcsBucket is one bucket of Google Cloud Storage with one set of credentials.
//
// It speaks the JSON API by hand: Google's client has no batches, renames nothing
// but asks more than it needs, and its own retries would not know the limiter.
type gcsBucket struct {
	name        string
	endpoint    string // without a slash at its end
	userProject string
	tokens      gcsTokens
	http        *http.Client
	transport   *http.Transport
	// batches says in which requests the store takes deletes.
	batches atomic.Int32
	// unordered is set once the store has shown that it lists in another order than
	// that of the keys.
	unordered atomic.Bool
	kept      *remembered[Keeping]
}

var _ client = (*gcsBucket)(nil)

// openGCS makes no request.
func openGCS(cfg Config, name string) *gcsBucket {
	transport := newTransport(cfg.MaxInFlight)
	return &gcsBucket{
		name: name, endpoint: strings.TrimRight(cmp.Or(cfg.GCS.Endpoint, DefaultGCSEndpoint), "/"),
		userProject: cfg.GCS.UserProject, transport: transport,
		tokens: newGCSTokens(cfg.GCS, transport), kept: newRemembered[Keeping](),
		// A redirect would carry the token to another address.
		http: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
}

func (b *gcsBucket) close() error {
	b.transport.CloseIdleConnections()
	return nil
}

// gcsHolds says in words what is wrong with a key that cannot be that of an object,
// nil when it can. Source: "About Cloud Storage objects", object names.
func gcsHolds(key string) error {
	refuse := func(why string) error {
		return &Error{Reason: ErrRejected, Err: errors.New(why + ", which Google Cloud Storage does not allow, so that it cannot be there")}
	}
	switch {
	case len(key) > gcsKeyLimit:
		return refuse(fmt.Sprintf("its key has %d bytes, more than 1,024", len(key)))
	case !utf8.ValidString(key):
		return refuse("its key is not UTF-8")
	case strings.ContainsAny(key, "\r\n"):
		return refuse("its key has a carriage return or line feed")
	case key == "." || key == "..":
		return refuse(`its key is "` + key + `"`)
	case strings.HasPrefix(key, ".well-known/acme-challenge/"):
		return refuse("its key begins with .well-known/acme-challenge/")
	}
	return nil
}

func (b *gcsBucket) read(ctx context.Context, key string, offset, length int64) (io.ReadCloser, Info, error) {
	if err := gcsHolds(key); err != nil {
		return nil, Info{}, err
	}
	// An object that is stored compressed is read as it is stored.
	header := http.Header{"Accept-Encoding": {"gzip"}}
	if span := byteRange(offset, length); span != nil {
		header.Set("Range", *span)
	}
	response, err := b.send(ctx, gcsRequest{
		op: "objects.get", method: http.MethodGet, path: b.objectPath(key), query: url.Values{"alt": {"media"}}, header: header,
	})
	if err != nil {
		return nil, Info{}, b.whyUnread(ctx, key, err)
	}
	info, err := gcsReadInfo(response, offset)
	if err != nil {
		_ = response.Body.Close()
		return nil, Info{}, err
	}
	return response.Body, info, nil
}

// whyUnread looks after the answer "not found" in words that may be anybody's, or
// about the bucket: a file that is taken for gone need not be deleted any more.
func (b *gcsBucket) whyUnread(ctx context.Context, key string, err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Status != http.StatusNotFound || errors.Is(e, ErrNoBucket) {
		return err
	}
	if !errors.Is(e, ErrNotFound) {
		switch _, asked := b.head(ctx, key); {
		case errors.Is(asked, ErrNoBucket):
			return asked
		case !errors.Is(asked, ErrNotFound):
			return err
		default:
			err = asked
		}
	}
	if !namesObject(err) {
		if missing := b.stands(ctx, key); missing != nil {
			return missing
		}
	}
	return err
}

// namesObject says whether "not found" was said of the object and of nothing else, as
// Google does. Others may say as little of a bucket.
func namesObject(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Err != nil && strings.HasPrefix(e.Err.Error(), noSuchObject)
}

// stands gives nil when the bucket is there.
func (b *gcsBucket) stands(ctx context.Context, key string) error {
	_, err := b.list1(ctx, oneObject(key), &gcsListing{})
	return err
}

// gcsReadInfo describes the object of an answer that begins at the offset.
func gcsReadInfo(response *http.Response, offset int64) (Info, error) {
	info := Info{Size: -1, ETag: response.Header.Get("X-Goog-Generation")}
	if at, err := http.ParseTime(response.Header.Get("Last-Modified")); err == nil {
		info.ModTime = knownTime(at)
	}
	first, size, partial := contentRange(response.Header.Get("Content-Range"))
	switch {
	case partial:
		info.Size = size
	case response.ContentLength >= 0:
		info.Size = response.ContentLength
	}
	// As for S3: an end must be told from a broken connection's.
	endless := response.ProtoMajor < 2 && response.ContentLength < 0 && !slices.Contains(response.TransferEncoding, "chunked")
	switch {
	case first != offset:
		return Info{}, &Error{Reason: ErrUnavailable, Hint: hintNotGCS, Err: errors.New("the store did not send the range that was asked for")}
	case endless:
		return Info{}, &Error{
			Reason: ErrUnavailable, Hint: hintNotGCS,
			Err: errors.New("the answer has neither a length nor chunks, so that its end cannot be told from a broken connection"),
		}
	}
	return info, nil
}

func (b *gcsBucket) write(ctx context.Context, key string, data []byte) error {
	if err := gcsHolds(key); err != nil {
		return err
	}
	var written gcsObject
	_, err := b.receive(ctx, gcsRequest{
		op: "objects.insert", method: http.MethodPost, path: "/upload/storage/v1/b/" + gcsEscape(b.name) + "/o",
		query:  url.Values{"uploadType": {"media"}, "name": {key}, "fields": {gcsObjectFields}},
		header: http.Header{"Content-Type": {"application/octet-stream"}}, body: data,
	}, gcsObjectKind, &written)
	switch {
	case errors.Is(err, ErrNotFound):
		return noBucket(err)
	case err != nil:
		return err
	case written.Name != key:
		return &Error{Reason: ErrRejected, Err: errors.New("the store gives the object another name")}
	}
	return nil
}

// noBucket is what "not found" means where no object was asked for.
func noBucket(err error) error {
	if e, ok := errors.AsType[*Error](err); ok && errors.Is(e.Reason, ErrNotFound) {
		changed := *e
		changed.Reason = ErrNoBucket
		return &changed
	}
	return err
}

// gcsObject is what the JSON API tells of an object. Source: "Objects" in its
// reference.
type gcsObject struct {
	Name       string    `json:"name"`
	Generation string    `json:"generation"`
	Size       string    `json:"size"`
	MD5        string    `json:"md5Hash"`
	Created    time.Time `json:"timeCreated"`
	Updated    time.Time `json:"updated"`
}

const (
	gcsObjectKind   = "storage#object"
	gcsObjectFields = "kind,name,generation,size,md5Hash,timeCreated,updated"
)

// info has the generation in place of an ETag: another one is another content.
func (o gcsObject) info() Info {
	info := Info{Size: -1, ModTime: knownTime(o.Created), ETag: o.Generation}
	if info.ModTime.IsZero() {
		info.ModTime = knownTime(o.Updated)
	}
	if size, err := strconv.ParseInt(o.Size, 10, 64); err == nil {
		info.Size = size
	}
	return info
}

// head asks for what is told of an object.
func (b *gcsBucket) head(ctx context.Context, key string) (gcsObject, error) {
	var o gcsObject
	_, err := b.receive(ctx, gcsRequest{
		op: "objects.get", method: http.MethodGet, path: b.objectPath(key), query: url.Values{"fields": {gcsObjectFields}},
	}, gcsObjectKind, &o)
	return o, err
}
