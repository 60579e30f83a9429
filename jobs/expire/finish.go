package expire

import (
	"context"
	"errors"

	"deckhand/internal/maintenance"
	"deckhand/internal/polaris"
)

// finish deletes what a record's commit has removed. done is false when that
// commit never came about; the record is gone then too.
func (r *run) finish(ctx context.Context, rec *record, s *sieve) (done bool, err error) {
	for {
		// Whatever the table reaches now stays, so it is loaded right before.
		fresh, err := r.table.Load(ctx)
		if errors.Is(err, maintenance.ErrGone) {
			r.book.Note("the table was dropped before the files of %d removed snapshots were deleted; they stay, and so does %s",
				len(rec.Snapshots), rec.location)
		}
		if err != nil {
			return false, err
		}
		if len(rec.Snapshots) == 0 {
			return r.finishWithoutFiles(ctx, rec, fresh)
		}
		if rec.missing(fresh.Metadata) == 0 {
			return false, r.drop(ctx, rec)
		}
		if r.ck.Own {
			r.committed(rec) // also when what follows fails
		}
		if !rec.Checked {
			restored, err := r.look(ctx, rec, fresh)
			if err != nil {
				return false, err
			}
			rec.Checked = true
			if err := r.store(ctx, rec, notDeleted); err != nil {
				return false, err
			}
			if restored {
				continue
			}
		}
		r.committed(rec)
		rec.forget(fresh)
		if err := r.deleteFiles(ctx, rec, fresh, s); err != nil {
			return false, err
		}
		return true, r.endRecord(ctx, rec)
	}
}

// finishWithoutFiles ends a record of refs, specs and schemas alone.
func (r *run) finishWithoutFiles(ctx context.Context, rec *record, fresh *polaris.Loaded) (done bool, err error) {
	if !rec.applied(fresh) {
		return false, r.drop(ctx, rec)
	}
	r.committed(rec)
	return true, r.endRecord(ctx, rec)
}

// committed counts what the record's commit has removed, once.
func (r *run) committed(rec *record) {
	if r.ck.Committed {
		return
	}
	r.ck.Committed = true
	if r.ck.Own {
		r.receipt.Removed.add(rec)
		return
	}
	r.receipt.Finished++
	r.book.Note("finished what an earlier expiry, job %s, had left of %d snapshots", rec.Job, len(rec.Snapshots))
}

// endRecord deletes the record. The checkpoint before it says that nothing else is
// left to do.
func (r *run) endRecord(ctx context.Context, rec *record) error {
	if r.dryRun {
		return nil
	}
	if err := r.enter(ctx, levelRecord, nil, r.receipt.Kept.Few(maxListed)); err != nil {
		return err
	}
	return r.drop(ctx, rec)
}

// forget leaves out the snapshots that the table has (again).
func (rec *record) forget(fresh *polaris.Loaded) {
	has := map[int64]bool{}
	for _, s := range fresh.Metadata.Snapshots {
		has[s.ID] = true
	}
	var gone []removedSnapshot
	for _, s := range rec.Snapshots {
		if !has[s.ID] {
			gone = append(gone, s)
		}
	}
	rec.Snapshots = gone
}
