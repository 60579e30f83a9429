package purge

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"deckhand/internal/erase"
	"deckhand/internal/ownership"
	"deckhand/internal/receipt"
	"deckhand/internal/storage"
	"deckhand/internal/table"
	"deckhand/jobs"
)

const (
	// readersInFlight metadata files of views are read at once.
	readersInFlight = 16
	// listsInFlight manifest lists are read at once.
	listsInFlight = 32
)

// Tables purges dropped tables. It is a [jobs.Handler].
type Tables struct {
	cfg      Config
	catalogs catalogs
}

var _ jobs.Handler = (*Tables)(nil)

// New makes the handler of kind purge. The error names the catalog whose
// configuration is wrong.
func New(cfg Config) (*Tables, error) {
	found, err := newCatalogs(cfg)
	if err != nil {
		return nil, err
	}
	return &Tables{cfg: cfg.withDefaults(), catalogs: found}, nil
}

// Run implements [jobs.Handler]. The receipt is a *[Receipt]; it is given also
// with an error, for what was done until then.
func (t *Tables) Run(ctx context.Context, job *jobs.Job, progress jobs.Progress) (any, error) {
	r := newRun(t.cfg, job, progress)
	return r.do(ctx, t.catalogs, r.purgeTable)
}

func (r *run) purgeTable(ctx context.Context) error {
	var params Params
	if err := parseParams(r.job.Params, &params, "deleted_entries"); err != nil {
		return err
	}
	r.deletedEntries = params.DeletedEntries
	var err error
	if r.root, err = r.catalog.target(r.job); err != nil {
		return err
	}
	earlier := begun(r.job, r.progress.Checkpoint())
	r.metadata, err = table.Load(ctx, r.reader, r.root)
	if err != nil {
		return r.withoutRoot(ctx, earlier, err)
	}
	if earlier != nil && !strings.EqualFold(earlier.UUID, r.metadata.UUID) {
		earlier = nil // it was another table's
	}
	if err := checkUUID(r.job, r.metadata.UUID, "table"); err != nil {
		return err
	}
	if err := r.verifyTable(ctx); err != nil {
		return err
	}
	if err := r.begin(ctx, earlier); err != nil {
		return err
	}
	tree, err := r.readTree(ctx)
	if err != nil {
		return err
	}
	if shared, err := r.share(ctx, tree); shared || err != nil {
		return err
	}
	return r.deleteLevels(ctx, tree)
}

// withoutRoot ends a purge whose root cannot be loaded. One that has only begun, and
// deleted nothing itself, may be one that was shared out: then its parts, or their
// end, tell what was done.
func (r *run) withoutRoot(ctx context.Context, earlier *checkpoint, loadErr error) error {
	if earlier != nil && earlier.deletes() {
		return r.finishWithoutRoot(ctx, earlier, loadErr)
	}
	// Without the right to list, a store answers "denied" for what is not there.
	if errors.Is(loadErr, storage.ErrNotFound) || errors.Is(loadErr, storage.ErrDenied) {
		goesOn, err := r.goesOn(ctx)
		switch {
		case err != nil:
			return err
		case goesOn:
			r.book.Note("the purge was shared out before, and its last job ends it")
			return jobs.PlannedOut()
		case r.endedBefore():
			return nil
		}
	}
	if earlier != nil {
		return r.finishWithoutRoot(ctx, earlier, loadErr)
	}
	return rootFailure(ctx, r.job, loadErr)
}

// begin resolves what may be deleted and stores the checkpoint that makes the
// purge begun.
func (r *run) begin(ctx context.Context, earlier *checkpoint) error {
	locations := r.metadata.Locations()
	r.describe(locations)
	scope, err := r.catalog.scope(r.job, locations)
	if err != nil {
		return err
	}
	r.openEraser(scope, locations)

	r.ck = checkpoint{
		UUID: r.metadata.UUID, MetadataLocation: r.job.MetadataLocation, Locations: receipt.FewPaths(locations, maxListed),
		Snapshots: len(r.metadata.Snapshots),
	}
	if earlier != nil {
		r.resume(earlier)
		return nil
	}
	return r.save(ctx)
}

// scope is what a job may delete. Under the scope "table" it is the table's
// locations, narrowed by those that the job names; under "catalog" the operator
// has allowed the whole catalog.
func (c *catalog) scope(job *jobs.Job, locations []string) (*storage.Guard, error) {
	if c.Policy.Scope == ScopeCatalog {
		return c.guard, nil
	}
	scope, err := erase.Narrow(c.guard, locations)
	if err == nil && len(job.Locations) > 0 {
		scope, err = erase.Narrow(scope, job.Locations)
	}
	if err != nil {
		return nil, jobs.Permanent(fmt.Errorf("read the locations: %w", err))
	}
	return scope, nil
}

func (r *run) describe(locations []string) {
	r.receipt.TableUUID = r.metadata.UUID
	r.receipt.Locations = locations
	r.receipt.Snapshots = len(r.metadata.Snapshots)
	r.receipt.GCEnabled = r.metadata.GCEnabled() && (r.job.GCEnabled == nil || *r.job.GCEnabled)
}

// resume takes over what an earlier run stored.
func (r *run) resume(earlier *checkpoint) {
	r.receipt.Resumed = true
	locations := r.ck.Locations
	r.ck = *earlier
	r.ck.Locations = locations
	r.receipt.Deleted, r.receipt.Absent = earlier.Deleted.Clone(), earlier.Absent.Clone()
	r.receipt.AtMost = earlier.AtMost
	r.receipt.Manifests = earlier.Manifests
	if earlier.Again {
		r.before = &earlierRun{held: hashSet(earlier.Before), heldAll: earlier.BeforeAll}
	}
	if earlier.Level > levelData {
		r.receipt.Kept, r.receipt.AbsentPaths = earlier.Kept, earlier.AbsentPaths
		r.held, r.heldAll = hashSet(earlier.Held), earlier.HeldAll
	}
}

func hashSet(hashes []uint64) map[uint64]bool {
	set := make(map[uint64]bool, len(hashes))
	for _, hash := range hashes {
		set[hash] = true
	}
	return set
}

// finishWithoutRoot ends a purge that had begun and whose root cannot be loaded
// any more.
func (r *run) finishWithoutRoot(ctx context.Context, earlier *checkpoint, loadErr error) error {
	rootGone := errors.Is(loadErr, storage.ErrNotFound)
	// Without the right to list, a store answers "denied" for what is not there.
	hidden := errors.Is(loadErr, storage.ErrDenied) && earlier.Level == levelRoot
	if !rootGone && !hidden {
		return rootFailure(ctx, r.job, loadErr)
	}
	r.ck.Locations = earlier.Locations
	r.resume(earlier)
	_, keptData := earlier.Kept[GCDisabled]
	r.receipt.GCEnabled = !keptData
	r.receipt.TableUUID, r.receipt.Locations, r.receipt.Snapshots = earlier.UUID, earlier.Locations, earlier.Snapshots
	switch {
	case earlier.Level != levelRoot:
		r.book.Note("the root metadata file was gone before the purge had reached it, at the level %q: "+
			"files that are left are listed, not deleted", earlier.Level)
		r.receipt.AtMost = true
	case rootGone:
		r.receipt.Deleted.AddAll(earlier.Next)
	default:
		scope, err := r.catalog.guard.Narrow(r.root.Parent().String())
		if err != nil {
			return jobs.Permanent(fmt.Errorf("read metadata_location: %w", err))
		}
		if err := r.verify(ctx, ownership.Query{UUID: earlier.UUID}); err != nil {
			return err
		}
		r.openEraser(scope, earlier.Locations)
		if err := r.deleteRoot(ctx, 0); err != nil {
			return err
		}
	}
	return r.listLeft(ctx)
}
