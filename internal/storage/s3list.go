package storage

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// s3PageLimit is the most keys that S3 gives in one answer to a listing.
const s3PageLimit = 1000

func (b *s3Bucket) list(ctx context.Context, try tryFunc, prefix string, limit int) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		pages := b.listing(try, prefix)
		if limit > 0 && limit < s3PageLimit {
			pages.in.MaxKeys = aws.Int32(int32(limit))
		}
		yieldPages(ctx, pages, yield)
	}
}

func (b *s3Bucket) listParallel(ctx context.Context, try tryFunc, prefix string, inFlight int) iter.Seq2[entry, error] {
	return listRanges(ctx, b, &b.unordered, try, prefix, inFlight)
}

// s3Pages reads a listing of S3 page by page.
type s3Pages struct {
	bucket *s3Bucket
	try    tryFunc
	in     *s3.ListObjectsV2Input
	tokens pageTokens
}

func (b *s3Bucket) pages(try tryFunc, prefix, after string) pager {
	pages := b.listing(try, prefix)
	if after != "" {
		pages.in.StartAfter = &after
	}
	return pages
}

func (b *s3Bucket) folders(try tryFunc, folder string) pager {
	pages := b.listing(try, folder)
	pages.in.Delimiter = aws.String("/")
	return pages
}

func (b *s3Bucket) listing(try tryFunc, prefix string) *s3Pages {
	return &s3Pages{
		bucket: b, try: try,
		// Without this encoding a key with a control character makes the whole page
		// unreadable.
		in:     &s3.ListObjectsV2Input{Bucket: &b.name, Prefix: &prefix, EncodingType: types.EncodingTypeUrl},
		tokens: newPageTokens(),
	}
}

// next reads one page.
func (p *s3Pages) next(ctx context.Context) (listPage, error) {
	var out *s3.ListObjectsV2Output
	err := p.try(ctx, func(ctx context.Context) error {
		var err error
		out, err = p.bucket.client.ListObjectsV2(ctx, p.in)
		return s3Error(ctx, err)
	})
	if err != nil {
		return listPage{}, err
	}
	prefix := *p.in.Prefix
	if out.Prefix != nil && *out.Prefix != prefix {
		if decoded, err := url.QueryUnescape(*out.Prefix); err != nil || decoded != prefix {
			return listPage{}, rejected("the store lists another prefix than was asked for")
		}
	}
	page := listPage{more: aws.ToBool(out.IsTruncated), entries: make([]entry, 0, len(out.Contents))}
	for _, o := range out.Contents {
		key, err := listedKey(aws.ToString(o.Key), out.EncodingType, prefix)
		if err != nil {
			return listPage{}, err
		}
		page.entries = append(page.entries, entry{key: key, info: listedInfo(o)})
	}
	for _, f := range out.CommonPrefixes {
		folder, err := listedKey(aws.ToString(f.Prefix), out.EncodingType, prefix)
		if err != nil {
			return listPage{}, err
		}
		page.folders = append(page.folders, folder)
	}
	return page, p.goOn(out)
}

// goOn makes the next request that of the next page.
func (p *s3Pages) goOn(out *s3.ListObjectsV2Output) error {
	token := aws.ToString(out.NextContinuationToken)
	if out.IsTruncated == nil {
		return rejected("the store does not say whether there is more to list")
	}
	if came := len(out.Contents) + len(out.CommonPrefixes); int(aws.ToInt32(out.KeyCount)) > came {
		return &Error{Reason: ErrUnavailable, Err: fmt.Errorf("a page is said to hold %d keys, and holds %d", *out.KeyCount, came)}
	}
	if !*out.IsTruncated {
		return nil
	}
	if err := p.tokens.take(token); err != nil {
		return err
	}
	p.in.ContinuationToken = &token
	return nil
}

func rejected(text string) *Error { return &Error{Reason: ErrRejected, Err: errors.New(text)} }

func listedInfo(o types.Object) Info {
	return Info{Size: aws.ToInt64(o.Size), ModTime: knownTime(aws.ToTime(o.LastModified)), ETag: aws.ToString(o.ETag)}
}

// listedKey gives the raw key. It is decoded only when the answer says that it
// is encoded; and a key that does not lie below what was asked for shows that
// store and reader disagree about keys, so that nothing may be built on it.
func listedKey(key string, encoding types.EncodingType, prefix string) (string, error) {
	if encoding == types.EncodingTypeUrl {
		decoded, err := url.QueryUnescape(key)
		if err != nil {
			return "", rejected("a listed key cannot be decoded")
		}
		key = decoded
	}
	if !strings.HasPrefix(key, prefix) {
		return "", rejected("the store lists a key that is not below the prefix")
	}
	return key, nil
}
