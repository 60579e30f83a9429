package storage

import (
	"context"
	"errors"
	"log/slog"
)

// sendBatch sends the places in one request of deletes, those that fail for a passing
// reason again, and settles each once, but for those that it gives: when the store
// refuses the batch as a whole, they must be sent one by one. send gives an error
// for each of the places, or one for the request.
func (s *Session) sendBatch(ctx context.Context, t target, places []int, send func(ctx context.Context, places []int) ([]error, error), settle func(place int, err error)) (refused []int) {
	for r := s.newRetry(); ; {
		var results []error
		err := s.once(ctx, t.as(kindBatch, len(places)), s.timed(func(ctx context.Context) error {
			var err error
			if results, err = send(ctx, places); err != nil {
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
				settle(i, results[n])
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
			if err = r.wait(ctx, err); err == nil {
				continue
			}
		}
		for _, i := range places {
			settle(i, err)
		}
		return nil
	}
}

// firstPlaces are 0 to n-1.
func firstPlaces(n int) []int {
	places := make([]int, n)
	for i := range places {
		places[i] = i
	}
	return places
}
