package expire

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v4"

	"deckhand/internal/polaris"
)

// maxCommits is how often a job commits before it comes back later.
const maxCommits = 8

func sameUUID(a, b string) bool { return strings.EqualFold(a, b) }

// planAndCommit plans, commits and deletes, and plans anew after a conflict.
func (r *run) planAndCommit(ctx context.Context, loaded *polaris.Loaded) error {
	waits := backoff.NewExponentialBackOff(backoff.WithInitialInterval(r.cfg.RetryWait),
		backoff.WithMaxInterval(30*time.Second), backoff.WithMaxElapsedTime(0))
	var pending *record // written and not known to be committed
	unknown := false    // it may be committed yet
	for try := 1; ; try++ {
		p, err := r.plan(ctx, loaded)
		switch {
		case err != nil || p == nil:
			return r.abandon(ctx, pending, unknown, err)
		case r.dryRun:
			r.receipt.Removed.add(p.rec)
			return r.deleteFiles(ctx, p.rec, loaded, p.sieve)
		}
		if pending != nil {
			p.rec.ID = pending.ID
		}
		pending = p.rec
		r.receipt.MetadataLocation, r.receipt.Snapshots = loaded.MetadataLocation, len(loaded.Metadata.Snapshots)
		if err = r.commit(ctx, p); err == nil {
			_, err := r.finish(ctx, p.rec, p.sieve)
			return err
		}
		unknown = unknown || errors.Is(err, polaris.ErrStateUnknown)
		if !unknown && !errors.Is(err, polaris.ErrConflict) || try == maxCommits {
			return r.commitFailure(ctx, p.rec, unknown, err)
		}
		r.receipt.Conflicts++
		if err := wait(ctx, waits.NextBackOff()); err != nil {
			return err
		}
		if loaded, err = r.load(ctx, polaris.LoadOptions{}); err != nil {
			return r.abandon(ctx, pending, unknown, err)
		}
		if unknown && pending.applied(loaded) {
			_, err := r.finish(ctx, pending, p.sieve)
			return err
		}
	}
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

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// commit writes the record, makes sure that the job is still ours, and commits.
func (r *run) commit(ctx context.Context, p *plan) error {
	requirements, err := p.requirements()
	if err != nil {
		return err
	}
	if err := r.store(ctx, p.rec); err != nil {
		return err
	}
	r.begin(p.rec, true)
	if err := r.enter(ctx, levelCommit, nil, r.receipt.Kept.Few(maxListed)); err != nil {
		return err
	}
	if _, err = r.catalog.Client.Commit(ctx, r.id, requirements, p.updates()); err != nil {
		return err
	}
	r.progress.Alive()
	return nil
}

// commitFailure ends a job whose commit did not come about. The record goes where
// that is sure, and stays where a late commit may still need it.
func (r *run) commitFailure(ctx context.Context, rec *record, unknown bool, err error) error {
	if !unknown && ctx.Err() == nil && isCatalogs(err) {
		if dropErr := r.drop(ctx, rec); dropErr != nil {
			r.book.Note("the record of the expiry stays, which does no harm: %v", dropErr)
		}
	}
	return r.catalogFailure(ctx, fmt.Errorf("commit the expiry: %w", err))
}

// isCatalogs says that an error is the catalog's definite answer.
func isCatalogs(err error) bool {
	for _, answer := range []error{polaris.ErrConflict, polaris.ErrForbidden, polaris.ErrUnauthorized, polaris.ErrRejected,
		polaris.ErrNotFound, polaris.ErrNotATable, polaris.ErrNoCatalog, polaris.ErrNoNamespace} {
		if errors.Is(err, answer) {
			return true
		}
	}
	return false
}
