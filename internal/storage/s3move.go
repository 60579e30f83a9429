package storage

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

func (b *s3Bucket) move(ctx context.Context, m mover, from entry, to string) error {
	if len(to) > s3KeyLimit {
		return &Error{Reason: ErrRejected, Err: fmt.Errorf("its new key has %d bytes, S3 allows 1,024", len(to))}
	}
	return moveByCopy(ctx, b, m, from, to)
}

// copy implements [copier].
func (b *s3Bucket) copy(ctx context.Context, m mover, key string, source objectHead, to string) (etag string, err error) {
	if source.Size > m.session.stores.cfg.CopyLimit {
		return b.copyInParts(ctx, m, key, source, to)
	}
	in := &s3.CopyObjectInput{Bucket: &b.name, Key: &to, CopySource: b.copySource(key), CopySourceIfMatch: &source.ETag}
	err = m.tryCopy(ctx, source.Size, func(ctx context.Context) error {
		return onCondition(&b.unconditional.copy, func(condition *string) error {
			in.IfNoneMatch = condition
			out, err := b.client.CopyObject(ctx, in)
			if err == nil && out.CopyObjectResult != nil {
				etag = aws.ToString(out.CopyObjectResult.ETag)
			}
			return s3Error(ctx, err)
		}, aws.String("*"))
	})
	return etag, err
}

// copySource is the header of that name: the key is encoded in it, a slash stays,
// and a blank must not become a plus.
func (b *s3Bucket) copySource(key string) *string {
	escaped := strings.NewReplacer("+", "%20", "%2F", "/").Replace(url.QueryEscape(key))
	return aws.String(b.name + "/" + escaped)
}

// remove implements [copier].
func (b *s3Bucket) remove(ctx context.Context, m mover, key string, source objectHead) error {
	in := &s3.DeleteObjectInput{Bucket: &b.name, Key: &key}
	return m.try(ctx, func(ctx context.Context) error {
		return onCondition(&b.unconditional.remove, func(condition *string) error {
			in.IfMatch = condition
			_, err := b.client.DeleteObject(ctx, in)
			return s3Error(ctx, err)
		}, &source.ETag)
	})
}

// unconditional remembers which requests a store does not take with a condition.
type unconditional struct{ copy, complete, remove atomic.Bool }

// onCondition makes a request with the condition, and without where the store does
// not know it.
func onCondition(unknown *atomic.Bool, request func(condition *string) error, condition *string) error {
	if unknown.Load() {
		return request(nil)
	}
	err := request(condition)
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	switch {
	case e.Code == "NotImplemented", e.Status == http.StatusNotImplemented,
		e.Status == http.StatusBadRequest && (e.Code == "InvalidArgument" || e.Code == "InvalidRequest"):
	default:
		return err
	}
	if err := request(nil); err != nil {
		return err
	}
	unknown.Store(true)
	return nil
}
