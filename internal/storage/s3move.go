package storage

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// move copies the object within the store and deletes it once the copy is known
// to be whole and the object not to have changed. Between that look and the
// delete, only a store that knows conditional deletes watches over the object.
func (b *s3Bucket) move(ctx context.Context, m mover, from entry, to string) error {
	if len(to) > s3KeyLimit {
		return &Error{Reason: ErrRejected, Err: fmt.Errorf("its new key has %d bytes, S3 allows 1,024", len(to))}
	}
	source, err := b.ask(ctx, m, from.key)
	switch {
	case errors.Is(err, ErrNotFound):
		return b.movedBefore(ctx, m, from.info, to, err)
	case err != nil:
		return err
	case source.ETag == "":
		return &Error{Reason: ErrRejected, Err: errors.New("the store tells no ETag, by which a change would be noticed")}
	case !isListed(from.info, source.Info, time.Second):
		return &Error{Reason: ErrChanged}
	}
	if err := b.ensureCopy(ctx, m, from.key, source, to); err != nil {
		return err
	}
	switch now, err := b.ask(ctx, m, from.key); {
	case errors.Is(err, ErrNotFound):
		return nil
	case err != nil:
		return err
	case !now.same(source):
		return &Error{Reason: ErrChanged}
	}
	return b.removeMoved(ctx, m, from.key, source)
}

// movedBefore is the answer when the object is not there: that of a move whose
// delete was carried out, if its copy is.
func (b *s3Bucket) movedBefore(ctx context.Context, m mover, listed Info, to string, missing error) error {
	there, err := b.ask(ctx, m, to)
	switch {
	case errors.Is(err, ErrNotFound):
		return missing
	case err != nil:
		return err
	case listed.Size >= 0 && listed.Size != there.Size,
		there.md5 && isMD5(listed.ETag) && !sameETag(listed.ETag, there.ETag):
		return errExists("the object itself is not there any more")
	}
	return nil
}

// ensureCopy makes the copy unless it is there, and looks at it.
func (b *s3Bucket) ensureCopy(ctx context.Context, m mover, key string, source s3Head, to string) error {
	there, err := b.ask(ctx, m, to)
	if err == nil {
		return b.isCopy(ctx, m, key, source, to, there)
	}
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	etag, err := b.copy(ctx, m, key, source, to)
	unmet := isPrecondition(err)
	if err != nil && !unmet {
		return err
	}
	there, err = b.ask(ctx, m, to)
	switch {
	case errors.Is(err, ErrNotFound) && unmet:
		return b.whyUnmet(ctx, m, key, source)
	case errors.Is(err, ErrNotFound):
		return &Error{Reason: ErrUnavailable, Err: errors.New("the store says that it is copied, but the copy is not there")}
	case err != nil:
		return err
	case etag == "":
		return b.isCopy(ctx, m, key, source, to, there)
	case there.Size != source.Size:
		return errExists(fmt.Sprintf("it has %d bytes in place of %d", there.Size, source.Size))
	case !sameETag(there.ETag, etag), there.md5 && source.md5 && !sameETag(there.ETag, source.ETag):
		return errExists("it is not the copy that was made")
	}
	return nil
}

// whyUnmet explains a copy that the store refused although nothing is at the new
// name.
func (b *s3Bucket) whyUnmet(ctx context.Context, m mover, key string, source s3Head) error {
	now, err := b.ask(ctx, m, key)
	switch {
	case err != nil:
		return err
	case !now.same(source):
		return &Error{Reason: ErrChanged}
	}
	return &Error{Reason: ErrUnavailable, Err: errors.New("the store says that the object has changed, but it has not")}
}

// isCopy says by error whether what is at the new name is a copy of the object,
// although nobody remembers that it was made. The ETags of objects that were
// written in parts, or are encrypted, say nothing about their bytes.
func (b *s3Bucket) isCopy(ctx context.Context, m mover, key string, source s3Head, to string, there s3Head) error {
	switch {
	case there.Size != source.Size:
		return errExists(fmt.Sprintf("it has %d bytes in place of %d", there.Size, source.Size))
	case there.md5 && source.md5:
		if !sameETag(there.ETag, source.ETag) {
			return errExists("its ETag differs")
		}
		return nil
	}
	same, err := m.sameBytes(ctx, key, to)
	if err != nil {
		return err
	}
	if !same {
		return errExists("its bytes differ")
	}
	now, err := b.ask(ctx, m, to)
	if err == nil && !now.same(there) {
		return errExists("it was written over")
	}
	return err
}

// copy gives the copy's ETag, "" where the store does not say which it is.
func (b *s3Bucket) copy(ctx context.Context, m mover, key string, source s3Head, to string) (etag string, err error) {
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

func (b *s3Bucket) removeMoved(ctx context.Context, m mover, key string, source s3Head) error {
	in := &s3.DeleteObjectInput{Bucket: &b.name, Key: &key}
	err := m.try(ctx, func(ctx context.Context) error {
		return onCondition(&b.unconditional.remove, func(condition *string) error {
			in.IfMatch = condition
			_, err := b.client.DeleteObject(ctx, in)
			return s3Error(ctx, err)
		}, &source.ETag)
	})
	switch {
	case errors.Is(err, ErrNotFound):
		return nil
	case !isPrecondition(err):
		return err
	}
	now, asked := b.ask(ctx, m, key)
	switch {
	case errors.Is(asked, ErrNotFound):
		return nil
	case asked != nil:
		return asked
	case !now.same(source):
		return &Error{Reason: ErrChanged}
	}
	return err
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

// isPrecondition recognises the answer to a request whose condition is not met.
func isPrecondition(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Status == http.StatusPreconditionFailed
}
