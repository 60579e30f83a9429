package storage

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"
)

// deleteAll deletes the items of one bucket and writes each one's error into
// it. What the store refuses for a passing reason is sent again, alone.
func (s *Session) deleteAll(ctx context.Context, t target, items []Deletion) {
	if v, ok := t.backend.(versioned); ok && s.versions && s.keeps(ctx, t, v) {
		s.deleteVersions(ctx, t, v, items)
		return
	}
	var batch, single []int
	for i, item := range items {
		if t.deletable(item.Location.Key) {
			batch = append(batch, i)
		} else {
			single = append(single, i)
		}
	}
	if len(batch) > 0 {
		single = append(single, s.deleteBatches(ctx, t, items, batch)...)
	}
	s.deleteSingly(ctx, t, items, single)
}

// deleteBatches sends the items at the places in one request, and gives the places
// that must be deleted one by one.
func (s *Session) deleteBatches(ctx context.Context, t target, items []Deletion, places []int) (single []int) {
	return s.sendBatch(ctx, t, places,
		func(ctx context.Context, places []int) ([]error, error) {
			keys := make([]string, len(places))
			for n, i := range places {
				keys[n] = items[i].Location.Key
			}
			return t.deleteBatch(ctx, keys)
		},
		func(i int, err error) { items[i].Err = locate(err, "delete", items[i].Location) })
}

// passing gives the gravest passing error of single keys: "slow down" before
// "unavailable", nil when there is none.
func passing(results []error) error {
	var found, refused error
	throttled := 0
	for _, err := range results {
		switch {
		case errors.Is(err, errThrottled):
			refused = err
			throttled++
		case errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrExpired):
			found = err
		}
	}
	if refused == nil {
		return found
	}
	if e, ok := errors.AsType[*Error](refused); ok {
		part := *e
		part.share = float64(throttled) / float64(len(results))
		return &part
	}
	return refused
}

// deleteSingly sends one request per item, in parallel.
func (s *Session) deleteSingly(ctx context.Context, t target, items []Deletion, places []int) {
	var group errgroup.Group
	group.SetLimit(s.stores.cfg.MaxInFlight)
	for _, i := range places {
		group.Go(func() error {
			l := items[i].Location
			err := s.try(ctx, t.as(kindWrite, 1), s.timed(func(ctx context.Context) error { return t.deleteOne(ctx, l.Key) }))
			items[i].Err = locate(err, "delete", l)
			return nil
		})
	}
	_ = group.Wait()
}
