package orphans

import (
	"cmp"
	"context"
	"errors"

	"deckhand/internal/erase"
	"deckhand/internal/polaris"
	"deckhand/internal/receipt"
	"deckhand/internal/storage"
)

// Sizes of rounds: the table is loaded again before each.
const (
	batchesARound = storage.DefaultBatchesRunning
	filesABatch   = storage.DefaultBatchSize
	movesARound   = 1000
)

// remove deletes or moves the candidates, a round at a time, and then empties the
// trash.
func (r *run) remove(ctx context.Context) error {
	size := cmp.Or(r.settings.MaxConcurrentDeletes, batchesARound) * filesABatch
	if r.quarantined() {
		size = movesARound
	}
	before := r.receipt.counters("").Files
	if r.found.count > 0 {
		// Somebody may have come since the beginning.
		if _, err := r.neighbours(ctx, r.places); err != nil {
			return err
		}
	}
	round := make([]candidate, 0, min(size, r.found.count))
	for c := range r.found.all {
		if round = append(round, c); len(round) < size {
			continue
		}
		if err := r.removeRound(ctx, round); err != nil {
			return err
		}
		if r.receipt.counters("").Files == before && r.refused() {
			return nil // so it would go on
		}
		round = round[:0]
	}
	if len(round) > 0 {
		if err := r.removeRound(ctx, round); err != nil {
			return err
		}
	}
	return r.emptyTrash(ctx)
}

// removeRound looks at the table once more and removes what nothing names still.
func (r *run) removeRound(ctx context.Context, round []candidate) error {
	if err := r.refresh(ctx); err != nil {
		return err
	}
	if err := r.save(ctx); err != nil {
		return err
	}
	sure := round[:0]
	for _, c := range round {
		if r.foreign.holds(c.location) {
			r.tally.keep(Foreign, c.location, c.size)
			continue
		}
		id := r.reached.prefixes.id(c.location.Scheme, c.location.Bucket)
		if found, _ := r.reached.find(c.location.Key, id); found == named || found == mismatched && !c.mismatched {
			r.tally.keep(Adopted, c.location, c.size)
			continue
		}
		sure = append(sure, c)
	}
	gone := r.deleted
	if r.quarantined() {
		gone = r.moved
	}
	switch {
	case r.dryRun:
		for _, c := range sure {
			gone(c)
		}
		return nil
	case r.quarantined():
		return r.saved(ctx, r.moveAll(ctx, sure))
	}
	return r.saved(ctx, r.deleteAll(ctx, sure, gone))
}

// saved keeps the counts of a round that failed, for the run that comes after. Where
// that fails too they are lost, and nothing else.
func (r *run) saved(ctx context.Context, err error) error {
	if err != nil {
		_ = r.save(ctx)
	}
	return err
}

// refresh loads the table again and remembers what it names by now.
func (r *run) refresh(ctx context.Context) error {
	fresh, err := r.loadSince(ctx, r.loaded)
	if err != nil || fresh.MetadataLocation == r.loaded.MetadataLocation {
		return err
	}
	return r.reach(ctx, fresh)
}

// loadSince loads the table again. It is the earlier one where nothing has changed.
func (r *run) loadSince(ctx context.Context, earlier *polaris.Loaded) (*polaris.Loaded, error) {
	r.receipt.Loads++
	fresh, err := r.table.LoadSince(ctx, earlier)
	if err != nil || fresh.MetadataLocation == earlier.MetadataLocation {
		return fresh, err
	}
	if !sameLocations(fresh.Metadata.Locations(), earlier.Metadata.Locations()) {
		return nil, errors.New("the table's locations were changed while they were looked through: the rest is for another run")
	}
	r.receipt.Commits++
	return fresh, nil
}

// deleted counts a file that was deleted.
func (r *run) deleted(c candidate) {
	kind := guessOf(c.location.Key).kind()
	r.receipt.Deleted.Add(kind, 1, c.size)
	r.book.Deleted(c.location, kind, c.size)
}

// deleteAll deletes a round, and tells of each file that is gone. What may succeed
// later ends it with an error, what the store refuses is counted.
func (r *run) deleteAll(ctx context.Context, round []candidate, gone func(candidate)) error {
	var later error
	d := r.table.Eraser.NewDeleter(ctx, storage.DeleterConfig{
		InFlight: r.settings.MaxConcurrentDeletes,
		OnResult: func(deletion storage.Deletion) {
			if err := r.settle(round[deletion.Tag], deletion.Err, gone); err != nil {
				later = err
			}
		},
	})
	for i, c := range round {
		if err := d.Add(c.location, int64(i)); err != nil {
			break // said by Close
		}
	}
	if err := d.Close(); err != nil && later == nil {
		later = err
	}
	return erase.Failure(ctx, later)
}

// refused says that the store did not let a file be deleted or moved.
func (r *run) refused() bool { return r.blocked.Err("", "") != nil }

// settle counts what became of a file. The error is one that may pass.
func (r *run) settle(c candidate, err error, gone func(candidate)) error {
	kind, l := guessOf(c.location.Key).kind(), c.location.String()
	switch {
	case err == nil:
		gone(c)
	case erase.Temporary(err):
		return err
	case erase.IsOutside(err):
		r.book.Keep(receipt.OutsideScope, kind, c.size, l, "")
	default:
		r.book.Keep(receipt.RefusedBy(err), kind, c.size, l, err.Error())
		r.blocked.Add("%v", err)
	}
	return nil
}
