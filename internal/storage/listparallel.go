package storage

import (
	"cmp"
	"context"
	"iter"
	"sync"

	"golang.org/x/sync/errgroup"
)

// DefaultListsInFlight is the default of [ListConfig.InFlight].
const DefaultListsInFlight = 16

// ListConfig configures [Session.ListParallel].
type ListConfig struct {
	// InFlight is the number of listing requests, or local folders being read, at
	// once. Default 16, 1 lists as [Session.List] does; the bucket's limiter may
	// allow less.
	InFlight int
}

// WithDefaults fills in the documented defaults.
func (c ListConfig) WithDefaults() ListConfig {
	c.InFlight = max(cmp.Or(c.InFlight, DefaultListsInFlight), 1)
	return c
}

// ListParallel yields what [Session.List] yields, each object once, but in no
// order and from many requests at once. The objects come one after the other, to
// the caller's goroutine, and what is held in memory is bounded by InFlight pages
// and the names of some 10,000 folders. When the caller breaks off, it waits until
// no request is under way any more.
//
// The listing of the prefix is complete if and only if it ends by itself and
// without an error. The first error ends it; its location is the folder that could
// not be listed, which is prefix or lies below it. Objects yielded before are true.
// It is never ErrNotFound: a prefix below which nothing
// lies is empty.
//
// On S3 about an eighth more requests may be made than List makes, and some ten; a listing
// of at most two pages makes no more.
func (s *Session) ListParallel(ctx context.Context, prefix Location, cfg ListConfig) iter.Seq2[Object, error] {
	cfg = cfg.WithDefaults()
	return s.listed(ctx, prefix, func(t target, try tryFunc) iter.Seq2[entry, error] {
		return t.listParallel(ctx, try, prefix.folder(), cfg.InFlight)
	})
}

// sendFunc hands entries over to the caller's goroutine; it is false when they are
// not wanted any more.
type sendFunc func(ctx context.Context, entries []entry) bool

// gather lets so many goroutines work, numbered from 0, and yields what they send.
// The first error ends all of them and is yielded last. They have ended when it
// returns, or panics because yield does.
func gather(ctx context.Context, goroutines int, work func(ctx context.Context, n int, send sendFunc) error, yield func(entry, error) bool) {
	ctx, cancel := context.WithCancel(ctx)
	group, ctx := errgroup.WithContext(ctx)
	chunks := make(chan []entry)
	send := func(ctx context.Context, entries []entry) bool {
		if len(entries) == 0 {
			return ctx.Err() == nil
		}
		select {
		case chunks <- entries:
			return true
		case <-ctx.Done():
			return false
		}
	}
	for n := range goroutines {
		group.Go(func() error { return work(ctx, n, send) })
	}
	var (
		err    error
		waiter sync.WaitGroup
	)
	waiter.Go(func() {
		err = group.Wait()
		close(chunks)
	})
	defer waiter.Wait()
	defer cancel()
	for entries := range chunks {
		if !yieldAll(entries, yield) {
			return
		}
	}
	if err != nil {
		yield(entry{}, err)
	}
}
