package storage

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// copier is a store that moves an object by copying and deleting it.
type copier interface {
	// ask gives the object's head, [ErrNotFound] without one.
	ask(ctx context.Context, m mover, key string) (objectHead, error)
	// copy copies the object that has the head, unless something is at the new name:
	// an unmet condition is one for isPrecondition. It gives the copy's ETag, "" where
	// the store does not say which it is.
	copy(ctx context.Context, m mover, key string, source objectHead, to string) (etag string, err error)
	// remove deletes the object if it still has the head, as far as the store can.
	remove(ctx context.Context, m mover, key string, source objectHead) error
}

// objectHead is what a store tells of an object without its bytes.
type objectHead struct {
	Info
	// sum is of the bytes, such that that of any copy would be the same; "" where the
	// store tells none.
	sum string
	// answer is the store's own, nil where a listing told it.
	answer any
}

func (h objectHead) same(other objectHead) bool {
	return h.Size == other.Size && h.ModTime.Equal(other.ModTime) && sameETag(h.ETag, other.ETag)
}

// summed says whether the sums of both are known.
func (h objectHead) summed(other objectHead) bool { return h.sum != "" && other.sum != "" }

// moveByCopy copies the object within the store and deletes it once the copy is known
// to be whole and the object not to have changed. Between that look and the
// delete, only a store that knows conditional deletes watches over the object.
func moveByCopy(ctx context.Context, b copier, m mover, from entry, to string) error {
	source, err := b.ask(ctx, m, from.key)
	switch {
	case errors.Is(err, ErrNotFound):
		return movedBefore(ctx, b, m, from.info, to, err)
	case err != nil:
		return err
	case source.ETag == "":
		return &Error{Reason: ErrRejected, Err: errors.New("the store tells no ETag, by which a change would be noticed")}
	case !isListed(from.info, source.Info, time.Second):
		return &Error{Reason: ErrChanged}
	}
	if err := ensureCopy(ctx, b, m, from.key, source, to); err != nil {
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
	return removeMoved(ctx, b, m, from.key, source)
}

// movedBefore is the answer when the object is not there: that of a move whose
// delete was carried out, if its copy is.
func movedBefore(ctx context.Context, b copier, m mover, listed Info, to string, missing error) error {
	there, err := b.ask(ctx, m, to)
	switch {
	case errors.Is(err, ErrNotFound):
		return missing
	case err != nil:
		return err
	case listed.Size >= 0 && listed.Size != there.Size,
		isMD5(listed.ETag) && isMD5(there.sum) && !sameETag(listed.ETag, there.sum):
		return errExists("the object itself is not there any more")
	}
	return nil
}

// ensureCopy makes the copy unless it is there, and looks at it.
func ensureCopy(ctx context.Context, b copier, m mover, key string, source objectHead, to string) error {
	there, err := b.ask(ctx, m, to)
	if err == nil {
		return isCopy(ctx, b, m, key, source, to, there)
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
		return whyUnmet(ctx, b, m, key, source)
	case errors.Is(err, ErrNotFound):
		return &Error{Reason: ErrUnavailable, Err: errors.New("the store says that it is copied, but the copy is not there")}
	case err != nil:
		return err
	case etag == "":
		return isCopy(ctx, b, m, key, source, to, there)
	case there.Size != source.Size:
		return errExists(fmt.Sprintf("it has %d bytes in place of %d", there.Size, source.Size))
	case !sameETag(there.ETag, etag), there.summed(source) && there.sum != source.sum:
		return errExists("it is not the copy that was made")
	}
	return nil
}

// whyUnmet explains a copy that the store refused although nothing is at the new
// name.
func whyUnmet(ctx context.Context, b copier, m mover, key string, source objectHead) error {
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
// although nobody remembers that it was made.
func isCopy(ctx context.Context, b copier, m mover, key string, source objectHead, to string, there objectHead) error {
	switch {
	case there.Size != source.Size:
		return errExists(fmt.Sprintf("it has %d bytes in place of %d", there.Size, source.Size))
	case there.summed(source):
		if there.sum != source.sum {
			return errExists("its checksum differs")
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

// removeMoved deletes the object whose copy is known to be whole.
func removeMoved(ctx context.Context, b copier, m mover, key string, source objectHead) error {
	err := b.remove(ctx, m, key, source)
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

// isPrecondition recognises the answer to a request whose condition is not met.
func isPrecondition(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Status == http.StatusPreconditionFailed
}
