package storage

import (
	"context"
	"errors"
	"log/slog"

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

// deleteBatches sends the items at the places in one request, and those that
// fail for a passing reason again. When the store refuses the batch as a whole,
// it gives the places that must be deleted one by one.
func (s *Session) deleteBatches(ctx context.Context, t target, items []Deletion, places []int) (single []int) {
	settle := func(places []int, err error) {
		for _, i := range places {
			items[i].Err = locate(err, "delete", items[i].Location)
		}
	}
	for r := s.newRetry(); ; {
		keys := make([]string, len(places))
		for n, i := range places {
			keys[n] = items[i].Location.Key
		}
		var results []error
		err := s.once(ctx, t.as(kindBatch, len(keys)), s.timed(func(ctx context.Context) error {
			var err error
			if results, err = t.deleteBatch(ctx, keys); err != nil {
				return err
			}
			// One key's "slow down" says as much as that of a whole request.
			return passing(results)
		}))
		if errors.Is(err, errBatchRefused) {
			s.log.WarnContext(ctx, "the store refuses a batch of deletes, deleting one by one",
				slog.String("bucket", t.bucket), slog.Int("files", len(places)), slog.Any("error", err))
			return places
		}
		if results != nil {
			var again []int
			for n, i := range places {
				if results[n] != nil && passing(results[n:n+1]) != nil {
					again = append(again, i)
					continue
				}
				settle(places[n:n+1], results[n])
			}
			if len(again) < len(places) {
				r.progressed()
			}
			places = again
		}
		if len(places) == 0 {
			return nil
		}
		if ctx.Err() == nil {
			err = r.wait(ctx, err)
			if err == nil {
				continue
			}
		}
		settle(places, err)
		return nil
	}
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
