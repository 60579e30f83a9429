package storage

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// ask gives the object's head, [ErrNotFound] without one.
func (b *s3Bucket) ask(ctx context.Context, m mover, key string) (objectHead, error) {
	var head objectHead
	err := m.try(ctx, func(ctx context.Context) error {
		var err error
		head, err = b.head(ctx, key)
		return err
	})
	return head, err
}

func (b *s3Bucket) head(ctx context.Context, key string) (objectHead, error) {
	out, err := b.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.name, Key: &key})
	if err == nil && out.ContentLength != nil && aws.ToString(out.ETag) != "" {
		info := Info{Size: *out.ContentLength, ModTime: knownTime(aws.ToTime(out.LastModified)), ETag: *out.ETag}
		plain := out.ServerSideEncryption == "" || out.ServerSideEncryption == types.ServerSideEncryptionAes256
		head := objectHead{Info: info, answer: out}
		// The ETag of an object that was written in parts, or is encrypted, says nothing
		// about its bytes. Source: "Checking object integrity" in the user guide of
		// Amazon S3.
		if plain && out.SSECustomerAlgorithm == nil && isMD5(info.ETag) {
			head.sum = opaque(info.ETag)
		}
		return head, nil
	}
	if e, ok := errors.AsType[*Error](s3Error(ctx, err)); ok {
		switch {
		case e.Status == http.StatusNotFound && e.RequestID != "":
			return objectHead{}, &Error{Code: e.Code, Status: e.Status, RequestID: e.RequestID, Reason: ErrNotFound}
		case e.Status != http.StatusNotFound && e.Status != http.StatusBadRequest:
			return objectHead{}, e
		}
	}
	return b.lookUp(ctx, key)
}

// lookUp asks by a listing. The answer to a HEAD has no body, so that the 404 of
// S3 looks like that of a proxy, and expired credentials like any bad request.
func (b *s3Bucket) lookUp(ctx context.Context, key string) (objectHead, error) {
	once := func(ctx context.Context, request func(context.Context) error) error { return request(ctx) }
	for e, err := range b.list(ctx, once, key, 1) {
		if err != nil {
			return objectHead{}, err
		}
		if e.key == key {
			return objectHead{Info: e.info}, nil
		}
		break // the key itself would come first
	}
	return objectHead{}, &Error{Reason: ErrNotFound}
}

// opaque is an ETag without what caches and quotes add to it.
func opaque(etag string) string { return strings.Trim(strings.TrimPrefix(etag, "W/"), `"`) }

func sameETag(a, b string) bool { return opaque(a) == opaque(b) }

func isMD5(etag string) bool {
	sum, err := hex.DecodeString(opaque(etag))
	return err == nil && len(sum) == 16
}
