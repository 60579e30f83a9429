package storage

import (
	"context"
	"errors"
	"time"
)

// rememberedFor is how long a bucket is taken to be set as it said last.
const rememberedFor = 5 * time.Minute

// remembered is what a bucket has answered to a question about itself.
type remembered[T any] struct {
	turn  chan struct{} // holds one element while somebody asks
	found T
	err   error
	until time.Time
}

func newRemembered[T any]() *remembered[T] { return &remembered[T]{turn: make(chan struct{}, 1)} }

// of asks unless the answer is known; one at a time, and whoever waits gives up with
// its ctx. What the store has answered is kept for a while, a refusal too; a failure
// that passes is not.
func (r *remembered[T]) of(ctx context.Context, ask func() (T, error)) (T, error) {
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		var unknown T
		return unknown, canceled(ctx)
	}
	if time.Now().Before(r.until) {
		return r.found, r.err
	}
	found, err := ask()
	if ctx.Err() == nil && !errors.Is(err, ErrUnavailable) {
		r.found, r.err, r.until = found, err, time.Now().Add(rememberedFor)
	}
	return found, err
}
