package expire

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"deckhand/internal/maintenance"
	"deckhand/internal/polaris"
	"deckhand/internal/table"
)

// planAndCommit plans, commits and deletes, and plans anew after a conflict.
func (r *run) planAndCommit(ctx context.Context, loaded *polaris.Loaded) error {
	waits := maintenance.NewWaits(r.cfg.RetryWait)
	var pending *record   // written, and not committed for sure
	var unknown []*record // those that may be committed yet, oldest first
	for try := 1; ; try++ {
		p, err := r.plan(ctx, loaded)
		switch {
		case err != nil || p == nil:
			return r.abandon(ctx, pending, len(unknown) > 0, err)
		case r.dryRun:
			r.receipt.Removed.add(p.rec)
			return r.deleteFiles(ctx, p.rec, loaded, p.sieve)
		}
		last := len(unknown) - 1
		again := last >= 0 && table.Identity(unknown[last].Base) == table.Identity(p.rec.Base)
		switch {
		case again: // nothing has changed, so it is the same plan
			p.rec.ID = unknown[last].ID
			unknown[last] = p.rec
		case pending != nil:
			p.rec.ID = pending.ID
			fallthrough
		default:
			pending = p.rec
		}
		r.receipt.MetadataLocation, r.receipt.Snapshots = loaded.MetadataLocation, len(loaded.Metadata.Snapshots)
		if err = r.commit(ctx, p); err == nil {
			// What the commit has replaced is known for sure only now.
			if err := r.store(ctx, p.rec, notDeleted); err != nil {
				return err
			}
			_, err := r.finish(ctx, p.rec, p.sieve)
			return err
		}
		if errors.Is(err, polaris.ErrStateUnknown) {
			// Its record stays as it is, whatever is planned next: if the commit
			// comes late, it tells since when refs may have been lost.
			if !again {
				unknown = append(unknown, p.rec)
			}
			pending = nil
		}
		if len(unknown) == 0 && !errors.Is(err, polaris.ErrConflict) || try == maintenance.MaxCommits {
			return r.commitFailure(ctx, p.rec, len(unknown) > 0, err)
		}
		if errors.Is(err, polaris.ErrConflict) {
			r.receipt.Conflicts++
		}
		if err := waits.Wait(ctx); err != nil {
			return err
		}
		if loaded, err = r.table.Load(ctx); err != nil {
			return r.abandon(ctx, pending, len(unknown) > 0, err)
		}
		if came := slices.IndexFunc(unknown, func(rec *record) bool { return rec.applied(loaded) }); came >= 0 {
			return r.finishLate(ctx, unknown[came], slices.Concat(unknown[came+1:], []*record{pending}))
		}
	}
}

// finishLate finishes a commit that was not known to have come about. What was
// planned after it goes without files of its own: a later expiry finishes it, if
// there is anything left of it.
func (r *run) finishLate(ctx context.Context, rec *record, later []*record) error {
	r.begin(rec, true)
	if _, err := r.finish(ctx, rec, newSieve(r.table.Reader, r.largeTable)); err != nil {
		return err
	}
	removed := idSet(rec.ids())
	for _, other := range later {
		if other == nil || slices.ContainsFunc(other.ids(), func(id int64) bool { return !removed[id] }) {
			continue
		}
		if err := r.drop(ctx, other); err != nil {
			return err
		}
	}
	return nil
}

// abandon ends a job that has nothing to commit any more, or may not; err says
// why, and is nil when another commit has done its work. The record stays where a
// late commit may still need it.
func (r *run) abandon(ctx context.Context, pending *record, unknown bool, err error) error {
	if pending == nil || unknown || ctx.Err() != nil {
		return err
	}
	return cmp.Or(err, r.drop(ctx, pending))
}

// commit writes the record, makes sure that the job is still ours, and commits.
func (r *run) commit(ctx context.Context, p *plan) error {
	requirements, err := p.requirements()
	if err != nil {
		return err
	}
	if err := r.store(ctx, p.rec, notCommitted); err != nil {
		return err
	}
	r.begin(p.rec, true)
	if err := r.enter(ctx, levelCommit, nil, r.receipt.Kept.Few(maxListed)); err != nil {
		return err
	}
	made, err := r.table.Commit(ctx, requirements, p.updates())
	if err != nil {
		return err
	}
	p.rec.committed(made)
	return nil
}

// commitFailure ends a job whose commit did not come about. The record goes where
// that is sure, and stays where a late commit may still need it.
func (r *run) commitFailure(ctx context.Context, rec *record, unknown bool, err error) error {
	if !unknown && ctx.Err() == nil && maintenance.IsDefinite(err) {
		if dropErr := r.drop(ctx, rec); dropErr != nil {
			r.book.Note("the record of the expiry stays, which does no harm: %v", dropErr)
		}
	}
	return maintenance.CatalogFailure(ctx, fmt.Errorf("commit the expiry: %w", err))
}
