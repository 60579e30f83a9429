package storage

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path"
	"time"
)

// Move is [Session.MoveListed] of an object of which nothing is known but where it
// is.
func (s *Session) Move(ctx context.Context, from, to Location) error {
	return s.MoveListed(ctx, Object{Location: from, Size: -1}, to)
}

// MoveListed moves an object or file to another name in the same bucket or, for
// files, in the same location of the guard; the guard must allow both names. The
// object goes only after its copy is known to be whole, and a move that was cut
// off ends the same when it is repeated.
//
// Where the listing gave ETag, ModTime or size (not negative), the object is moved
// only as long as it has them, else the error is [ErrChanged]. An object that
// stands at the new name already is never written over: it counts as the copy of
// a move that was cut off when it is the same, else the error is [ErrExists]. The error is
// [ErrNotFound] when the object is not there and nothing is at the new name; others
// are typed as those of a delete. Local files keep their ModTime, objects get a new
// one.
//
// Objects keep their metadata and tags; their storage class is the bucket's usual
// one, as after each copy. A copy may stay when its object does, for instance
// because it changed meanwhile.
func (s *Session) MoveListed(ctx context.Context, from Object, to Location) error {
	for _, l := range []Location{from.Location, to} {
		if err := s.guard.Check(l); err != nil {
			return err
		}
	}
	m, err := s.mover(ctx, from.Location, to)
	if err == nil {
		info := Info{Size: from.Size, ModTime: from.ModTime, ETag: from.ETag}
		err = m.target.move(ctx, m, entry{key: from.Location.Key, info: info}, to.Key)
	}
	return locate(err, "move", from.Location)
}

// mover is what a backend needs to move one object.
type mover struct {
	session *Session
	target  target
}

// mover refuses two names between which nothing is moved.
func (s *Session) mover(ctx context.Context, from, to Location) (mover, error) {
	refuse := func(why string) (mover, error) {
		return mover{}, &Error{Reason: ErrRejected, Err: errors.New(why)}
	}
	switch {
	case from.Scheme != to.Scheme || from.Bucket != to.Bucket:
		return refuse("things are moved only within one bucket")
	case from.Key == to.Key, from.Scheme == "file" && path.Clean(from.Key) == path.Clean(to.Key):
		return refuse("it is there already")
	case from.Scheme == "file":
		a, _ := s.guard.find(from)
		if b, _ := s.guard.find(to); a != b {
			return refuse("files are moved only within one location")
		}
	default:
		a, err := s.stores.storeIDOf(from)
		if err != nil {
			return mover{}, err
		}
		if b, err := s.stores.storeIDOf(to); err != nil {
			return mover{}, err
		} else if a != b {
			return refuse("both names have credentials of their own")
		}
	}
	t, err := s.target(ctx, "move", from, s.guard)
	return mover{session: s, target: t.as(kindWrite, 0)}, err
}

// try makes a request that is answered soon.
func (m mover) try(ctx context.Context, request func(context.Context) error) error {
	return m.session.try(ctx, m.target, m.session.timed(request))
}

// tryCopy makes a request that copies bytes, and may take longer for each of them.
func (m mover) tryCopy(ctx context.Context, size int64, request func(context.Context) error) error {
	return m.session.try(ctx, m.target, within(m.copyTime(size), request))
}

// copyTime is how long the copy of so many bytes may take.
func (m mover) copyTime(size int64) time.Duration {
	const slowest = 16 << 20 // bytes a second
	return m.session.stores.cfg.RequestTimeout + time.Duration(size/slowest)*time.Second
}

func (m mover) open(ctx context.Context, key string) (*stream, error) {
	l := Location{Scheme: m.target.scheme, Bucket: m.target.bucket, Key: key}
	r := &stream{session: m.session, ctx: ctx, target: m.target.as(kindRead, 0), location: l, length: -1}
	err := r.connect()
	return r, err
}

// sameBytes reads both objects and compares them.
func (m mover) sameBytes(ctx context.Context, a, b string) (bool, error) {
	const chunk = 256 << 10
	one, err := m.open(ctx, a)
	if err != nil {
		return false, err
	}
	defer one.Close()
	other, err := m.open(ctx, b)
	if err != nil {
		return false, err
	}
	defer other.Close()
	left, right := make([]byte, chunk), make([]byte, chunk)
	for {
		n, errLeft := io.ReadFull(one, left)
		k, errRight := io.ReadFull(other, right)
		for _, err := range []error{errLeft, errRight} {
			if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				return false, err
			}
		}
		if n != k || !bytes.Equal(left[:n], right[:k]) {
			return false, nil
		}
		if n < chunk {
			return true, nil
		}
	}
}

// isListed says whether an object is still what a listing told of it. Times of
// objects are told to the second in some answers and more exactly in others.
func isListed(listed, now Info, exactly time.Duration) bool {
	return (listed.Size < 0 || listed.Size == now.Size) &&
		(listed.ETag == "" || sameETag(listed.ETag, now.ETag)) &&
		(listed.ModTime.IsZero() || listed.ModTime.Sub(now.ModTime).Abs() < exactly)
}

func errExists(why string) error { return &Error{Reason: ErrExists, Err: errors.New(why)} }
