package storage

import (
	"context"
	"errors"
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
func (s *Session) MoveListed(ctx context.Context, from Object, to Location) error {
	_ = ctx
	_ = from
	return &Error{Op: "move", Location: to, Reason: ErrRejected, Err: errors.New("not yet there")}
}
