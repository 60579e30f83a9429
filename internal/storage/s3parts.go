package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"
)

const (
	// copyPart is the usual size of a part in bytes.
	copyPart = 512 << 20
	// mostParts an object has. Source: "Amazon S3 multipart upload limits".
	mostParts = 10_000
	// partsInFlight are copied at once.
	partsInFlight = 4
)

// copyInParts copies an object that is too large for one CopyObject. The ETag is
// "" when the answer to the last request was lost.
func (b *s3Bucket) copyInParts(ctx context.Context, m mover, key string, source objectHead, to string) (etag string, err error) {
	in, err := b.likeSource(ctx, m, key, source, to)
	if err != nil {
		return "", err
	}
	var upload *string
	err = m.try(ctx, func(ctx context.Context) error {
		out, err := b.client.CreateMultipartUpload(ctx, in)
		if err == nil {
			upload = out.UploadId
		}
		return s3Error(ctx, err)
	})
	if err != nil {
		return "", err
	}
	defer func() {
		if etag != "" {
			return
		}
		// Else its parts are kept and paid for. Whether it works changes nothing.
		_ = m.session.once(context.WithoutCancel(ctx), m.target, m.session.timed(func(ctx context.Context) error {
			_, err := b.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &b.name, Key: &to, UploadId: upload})
			return s3Error(ctx, err)
		}))
	}()
	parts, err := b.copyParts(ctx, m, key, source, to, upload)
	if err != nil {
		return "", err
	}
	return b.complete(ctx, m, source.Size, &s3.CompleteMultipartUploadInput{
		Bucket: &b.name, Key: &to, UploadId: upload, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
}

// likeSource is the beginning of an upload with what a CopyObject takes over:
// metadata and tags.
func (b *s3Bucket) likeSource(ctx context.Context, m mover, key string, source objectHead, to string) (*s3.CreateMultipartUploadInput, error) {
	head, _ := source.answer.(*s3.HeadObjectOutput)
	if head == nil {
		return nil, &Error{Reason: ErrRejected, Err: errors.New("the store tells nothing of its metadata, so that it cannot be copied in parts")}
	}
	in := &s3.CreateMultipartUploadInput{
		Bucket: &b.name, Key: &to, Metadata: head.Metadata,
		CacheControl: head.CacheControl, ContentDisposition: head.ContentDisposition, ContentEncoding: head.ContentEncoding,
		ContentLanguage: head.ContentLanguage, ContentType: head.ContentType, WebsiteRedirectLocation: head.WebsiteRedirectLocation,
	}
	if expires, err := http.ParseTime(aws.ToString(head.ExpiresString)); err == nil {
		in.Expires = &expires
	}
	if aws.ToInt32(head.TagCount) == 0 {
		return in, nil
	}
	err := m.try(ctx, func(ctx context.Context) error {
		out, err := b.client.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: &b.name, Key: &key})
		if err != nil {
			return s3Error(ctx, err)
		}
		tags := url.Values{}
		for _, tag := range out.TagSet {
			tags.Set(aws.ToString(tag.Key), aws.ToString(tag.Value))
		}
		in.Tagging = aws.String(tags.Encode())
		return nil
	})
	return in, err
}

func (b *s3Bucket) copyParts(ctx context.Context, m mover, key string, source objectHead, to string, upload *string) ([]types.CompletedPart, error) {
	size := max(min(copyPart, m.session.stores.cfg.CopyLimit), (source.Size+mostParts-1)/mostParts)
	group, copying := errgroup.WithContext(ctx)
	group.SetLimit(partsInFlight)
	parts := make([]types.CompletedPart, (source.Size+size-1)/size)
	for i := range parts {
		first := int64(i) * size
		last := min(first+size, source.Size) - 1
		group.Go(func() error {
			number := aws.Int32(int32(i) + 1) //nolint:gosec // at most mostParts
			in := &s3.UploadPartCopyInput{
				Bucket: &b.name, Key: &to, UploadId: upload, PartNumber: number,
				CopySource: b.copySource(key), CopySourceIfMatch: &source.ETag,
				CopySourceRange: aws.String(fmt.Sprintf("bytes=%d-%d", first, last)),
			}
			return m.tryCopy(copying, last-first, func(ctx context.Context) error {
				out, err := b.client.UploadPartCopy(ctx, in)
				if err != nil {
					return s3Error(ctx, err)
				}
				if out.CopyPartResult == nil || out.CopyPartResult.ETag == nil {
					return &Error{Reason: ErrUnavailable, Err: errors.New("the store does not tell the ETag of a part")}
				}
				parts[i] = types.CompletedPart{PartNumber: number, ETag: out.CopyPartResult.ETag}
				return nil
			})
		})
	}
	if err := group.Wait(); err != nil {
		if ctx.Err() != nil {
			return nil, canceled(ctx)
		}
		return nil, err
	}
	slices.SortFunc(parts, func(a, b types.CompletedPart) int { return cmp.Compare(*a.PartNumber, *b.PartNumber) })
	return parts, nil
}

// complete ends the upload. One that is not known any more was ended by an attempt
// whose answer was lost, or by somebody else: the copy tells.
func (b *s3Bucket) complete(ctx context.Context, m mover, size int64, in *s3.CompleteMultipartUploadInput) (etag string, err error) {
	err = m.tryCopy(ctx, size, func(ctx context.Context) error {
		return onCondition(&b.unconditional.complete, func(condition *string) error {
			in.IfNoneMatch = condition
			out, err := b.client.CompleteMultipartUpload(ctx, in)
			if err == nil {
				etag = aws.ToString(out.ETag)
				return nil
			}
			err = s3Error(ctx, err)
			if e, ok := errors.AsType[*Error](err); ok && e.Code == "NoSuchUpload" {
				return nil
			}
			return err
		}, aws.String("*"))
	})
	return etag, err
}
