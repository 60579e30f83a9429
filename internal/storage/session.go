package storage

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"time"
)

// Info describes an object.
type Info struct {
	// Size in bytes, of the whole object; -1 when the store does not tell it, as
	// in an answer that comes in chunks without a length. It is always known of
	// local files. A read that ends with io.EOF is complete nevertheless.
	Size int64
	// ModTime is when the store says the object was written; zero when it does not
	// say, or says that it was at the epoch or before.
	ModTime time.Time
	// ETag is the store's, with its quotes; "" for files and where it is not told.
	ETag string
}

// Open reads a whole object as a stream, which the caller closes. A connection
// that breaks in the middle is taken up again where it broke, unless the object
// has changed meanwhile.
//
// The stream does not count as a request in flight once its answer has begun,
// so that a reader may wait for deletes.
func (s *Session) Open(ctx context.Context, l Location) (io.ReadCloser, Info, error) {
	return s.open(ctx, l, 0, -1)
}

// OpenRange reads length bytes from offset, to the end when length is negative.
// A range that begins behind the object's end is ErrRejected.
func (s *Session) OpenRange(ctx context.Context, l Location, offset, length int64) (io.ReadCloser, error) {
	if offset < 0 {
		return nil, &Error{Op: "read", Location: l, Reason: ErrRejected, Err: errors.New("the offset is negative")}
	}
	body, _, err := s.open(ctx, l, offset, length)
	return body, err
}

func (s *Session) open(ctx context.Context, l Location, offset, length int64) (io.ReadCloser, Info, error) {
	if err := s.readGuard.Check(l); err != nil {
		return nil, Info{}, err
	}
	t, err := s.target(ctx, "read", l, s.readGuard)
	if err != nil {
		return nil, Info{}, err
	}
	r := &stream{session: s, ctx: ctx, target: t, location: l, offset: offset, length: length}
	if err := r.connect(); err != nil {
		return nil, Info{}, err
	}
	return r, r.info, nil
}

// ReadAll reads a whole object into memory, or gives ErrTooLarge when it holds
// more than limit bytes; 0 means no limit.
func (s *Session) ReadAll(ctx context.Context, l Location, limit int64) ([]byte, error) {
	body, info, err := s.Open(ctx, l)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	tooLarge := &Error{Op: "read", Location: l, Reason: ErrTooLarge}
	if limit > 0 && info.Size > limit {
		return nil, tooLarge
	}
	var source io.Reader = body
	if limit > 0 {
		source = io.LimitReader(body, limit+1)
	}
	buffer := bytes.NewBuffer(make([]byte, 0, max(info.Size, 0)+bytes.MinRead))
	if _, err := buffer.ReadFrom(source); err != nil {
		return nil, err
	}
	if limit > 0 && int64(buffer.Len()) > limit {
		return nil, tooLarge
	}
	return buffer.Bytes(), nil
}

// Write stores an object as a whole, in place of one that is there. Parent
// folders of local files are made.
func (s *Session) Write(ctx context.Context, l Location, data []byte) error {
	if err := s.guard.Check(l); err != nil {
		return err
	}
	t, err := s.target(ctx, "write", l, s.guard)
	if err != nil {
		return err
	}
	err = s.try(ctx, t.as(kindWrite, 0), s.timed(func(ctx context.Context) error { return t.write(ctx, l.Key, data) }))
	return locate(err, "write", l)
}

// Object is a listed object.
type Object struct {
	Location Location
	// Size in bytes.
	Size int64
	// ModTime and ETag are those of [Info].
	ModTime time.Time
	ETag    string
}

// List yields every object below the prefix, which is the folder of
// [Location.Within], page by page as the caller goes on; S3 orders them by key,
// files have no order.
// Keys are as the store holds them. A local folder that does not exist is
// empty. The first error ends the listing.
func (s *Session) List(ctx context.Context, prefix Location) iter.Seq2[Object, error] {
	return s.ListLimit(ctx, prefix, 0)
}

// ListLimit is List, but ends after limit objects and does not ask the store
// for more; 0 means no limit.
func (s *Session) ListLimit(ctx context.Context, prefix Location, limit int) iter.Seq2[Object, error] {
	entries := s.listed(ctx, prefix, func(t target, try tryFunc) iter.Seq2[entry, error] {
		return t.list(ctx, try, prefix.folder(), limit)
	})
	return func(yield func(Object, error) bool) {
		n := 0
		for o, err := range entries {
			if !yield(o, err) {
				return
			}
			if n++; n == limit {
				return
			}
		}
	}
}

// listed gives what a backend lists below the prefix its locations, and its error
// too.
func (s *Session) listed(ctx context.Context, prefix Location, list func(target, tryFunc) iter.Seq2[entry, error]) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		if _, ok := s.readGuard.findFolder(prefix); !ok {
			yield(Object{}, s.readGuard.outside(prefix))
			return
		}
		t, err := s.target(ctx, "list", prefix, s.readGuard)
		if err != nil {
			yield(Object{}, err)
			return
		}
		try := func(ctx context.Context, request func(context.Context) error) error {
			return s.try(ctx, t, s.timed(request))
		}
		for e, err := range list(t, try) {
			if err != nil {
				yield(Object{}, locate(err, "list", prefix))
				return
			}
			l := prefix
			l.Key = e.key
			if !yield(Object{Location: l, Size: e.info.Size, ModTime: e.info.ModTime, ETag: e.info.ETag}, nil) {
				return
			}
		}
	}
}
