package erase

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"deckhand/internal/receipt"
	"deckhand/internal/storage"
)

const (
	// saveEvery is the number of deletes after which what is done is saved, where not
	// more may be unsaved.
	saveEvery = 1000
	// saveInterval is the time after which what is done is saved in any case.
	saveInterval = 10 * time.Second
	// saveLastTimeout bounds the last save of a run that is being stopped.
	saveLastTimeout = 5 * time.Second
	// repeatable is the part of its deletes that a run which is killed may leave to
	// be repeated: one in so many.
	repeatable = 100
)

// saving says how far what is deleted is saved. It is guarded by the lock of
// [Entries].
type saving struct {
	// unsaved files may be deleted without being saved before a batch waits.
	unsaved int64
	// deleted files in this run, and how many of them what is saved tells of.
	deleted, saved int64
	// most files may be unsaved or on their way, whatever happens.
	most int64
	// over: all that is to be deleted is known to the deleter.
	over bool
	// wanted wakes the goroutine that saves, changed is closed by it when it has.
	wanted  chan struct{}
	changed chan struct{}
}

func newSaving(unsaved, most int64) saving {
	return saving{unsaved: unsaved, most: most, wanted: make(chan struct{}, 1), changed: make(chan struct{})}
}

// unsaved is how many files may be gone that no checkpoint tells of, beside those of
// the batches in flight, so that both are under a hundredth of all. It is 0 where
// the lists do not tell how many files there are, or too few for such a part.
func (d *Entries) unsaved(batches int) int64 {
	all := int64(0)
	for _, m := range d.Manifests {
		all += max(m.Live(), 0)
	}
	inFlight := int64(batches) * storage.DefaultBatchSize
	return max(0, all/repeatable-inFlight) * 3 / 4
}

// waitSaved is called when the results of a batch are told and keeps it from making
// room for the next one.
func (d *Entries) waitSaved(ctx context.Context) {
	if d.Save == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	s := &d.saving
	if s.deleted-s.saved >= max(saveEvery, s.unsaved/2) {
		d.wantSave()
	}
	for mine := s.deleted; mine-s.saved > s.unsaved; {
		if s.over && s.deleted-s.saved+d.sent.onTheWay() <= s.most {
			return
		}
		d.wantSave()
		changed := s.changed
		d.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		d.mu.Lock()
		if ctx.Err() != nil {
			return
		}
	}
}

func (d *Entries) wantSave() {
	select {
	case d.saving.wanted <- struct{}{}:
	default:
	}
}

// noneFollows lets those go that wait for nothing: what is on its way is all there is.
func (d *Entries) noneFollows() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.saving.over = true
	d.tellSaved()
}

// tellSaved wakes those that wait; the lock is held.
func (d *Entries) tellSaved() {
	close(d.saving.changed)
	d.saving.changed = make(chan struct{})
}

// saveNowAndThen saves while the work goes on. What cannot be saved ends the run:
// the job is no longer ours, or the queue is away and the work would be repeated.
func (d *Entries) saveNowAndThen(ctx context.Context) {
	ticker := time.NewTicker(saveInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-d.saving.wanted:
		}
		if err := d.save(ctx); err != nil && ctx.Err() == nil {
			d.stop(fmt.Errorf("save checkpoint: %w", err))
			return
		}
	}
}

func (d *Entries) save(ctx context.Context) error {
	if d.Save == nil {
		return nil
	}
	d.mu.Lock()
	deleted := d.saving.deleted // what is encoded tells of these and perhaps of more
	d.mu.Unlock()
	if err := d.Save(ctx, d.encode()); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.saving.saved = deleted
	d.tellSaved()
	return nil
}

// saveLast saves how far a run has got that is being stopped. If that fails the
// next run repeats some deletes, which does no harm.
func (d *Entries) saveLast(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveLastTimeout)
	defer cancel()
	if err := d.save(ctx); err != nil {
		d.Logger.DebugContext(ctx, "last checkpoint not stored", slog.Any("error", err))
	}
}

// tellDeleted counts a file that is not deleted now.
func (d *Entries) tellDeleted(l storage.Location, kind receipt.EntryKind, size int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.Judge.Deleted(l, kind.Kind(), max(size, 0))
}
