package orphans

import (
	"context"
	"fmt"
	"time"

	"deckhand/internal/maintenance"
	"deckhand/jobs"
)

// readClocks asks the stores for their time, which is what the ages of files go
// by. now stays zero where one does not tell it.
func (r *run) readClocks(ctx context.Context) error {
	asked := map[string]bool{}
	for _, p := range r.places {
		store := p.root.Scheme + "://" + p.root.Bucket
		if asked[store] {
			continue
		}
		asked[store] = true
		now, known, err := r.table.Reader.StoreClock(ctx, p.root)
		if err != nil {
			return maintenance.StorageFailure(ctx, fmt.Errorf("ask the store for its time: %w", err))
		}
		if !known {
			r.now = time.Time{}
			r.book.Note("the store of %s does not tell its time, so how old files are cannot be known: nothing was deleted", p.root)
			return nil
		}
		if apart := now.Sub(r.cfg.Now()); apart.Abs() > r.cfg.ClockMargin {
			return jobs.Permanentf("the clock of the store of %s and that of this worker are %s apart, more than %s, so how old files are cannot be known: "+
				"nothing was deleted; set the clock that is wrong (the store's says %s) and requeue",
				p.root, apart.Abs().Round(time.Second), r.cfg.ClockMargin, now.UTC().Format(time.RFC3339))
		}
		// Of several stores the one whose clock is behind: its files seem younger.
		if r.now.IsZero() || now.Before(r.now) {
			r.now = now
		}
	}
	r.before = r.settings.Cutoff(r.now)
	r.receipt.Before = r.before.UTC().Truncate(time.Second)
	return nil
}
