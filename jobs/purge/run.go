package purge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"deckhand/internal/erase"
	"deckhand/internal/receipt"
	"deckhand/internal/storage"
	"deckhand/internal/table"
	"deckhand/jobs"
)

// run is one run of one job.
type run struct {
	cfg      Config
	job      *jobs.Job
	progress jobs.Progress
	dryRun   bool
	receipt  *Receipt
	book     receipt.Book

	catalog *catalog
	// root is zero for purges of files.
	root storage.Location
	// metadata is nil for views and purges of files.
	metadata *table.Metadata
	// listed are the files that a purge of files was given beside manifests.
	listed []string
	// scope is what may be deleted; reader may delete nothing, eraser what scope
	// allows (in a dry run it may delete nothing either).
	scope    *storage.Guard
	reader   *storage.Session
	eraser   *storage.Session
	stores   *storage.Stores
	sessions []*storage.Session

	// ck is what is stored next.
	ck checkpoint
	// held are the files above the entries that must stay.
	held    map[uint64]bool
	heldAll bool
	// named are the lists that stay because they name held files.
	named map[uint64]bool
	// before is what an earlier run left, when it went through all levels.
	before *earlierRun
	// gone marks the manifests that the data level found absent.
	gone    []bool
	blocked erase.Blocked
	// askedVersions: the receipt says what buckets keep.
	askedVersions bool
	// deletedEntries as in [Params].
	deletedEntries bool

	// plan is that of a purge that is shared out; isPart is true for its shards.
	plan   *jobs.ShardPlan
	isPart bool
	// sums are what all shards did, adopted that this run goes on from there.
	sums    *sums
	adopted bool
}

// earlierRun is a run that ended at files outside its scope: everything but the
// held files was deleted and counted by it.
type earlierRun struct {
	held    map[uint64]bool
	heldAll bool
}

// goneBefore says whether an earlier run has deleted the file.
func (r *run) goneBefore(path string) bool {
	return r.before != nil && !r.before.heldAll && !r.before.held[erase.PathHash(path)]
}

func newRun(cfg Config, job *jobs.Job, progress jobs.Progress) *run {
	r := &run{cfg: cfg, job: job, progress: progress, dryRun: cfg.DryRun || job.DryRun, held: map[uint64]bool{}, named: map[uint64]bool{}}
	r.receipt = &Receipt{
		DryRun: r.dryRun, MetadataLocation: job.MetadataLocation, TableUUID: job.TableUUID,
		Deleted: Counts{}, Absent: Counts{}, GCEnabled: true,
		Attempt: progress.Attempt(), Worker: cfg.Worker,
	}
	r.book = receipt.Book{
		Kept: &r.receipt.Kept, Absent: &r.receipt.Absent, AbsentPaths: &r.receipt.AbsentPaths, Notes: &r.receipt.Notes,
		DryRun: r.dryRun, Listener: cfg.List,
	}
	return r
}

func (c Config) withDefaults() Config {
	c.ShardAbove = cmp.Or(c.ShardAbove, DefaultShardAbove)
	c.ShardFiles = cmp.Or(c.ShardFiles, DefaultShardFiles)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

// do finds the job's catalog, works, and completes the receipt.
func (r *run) do(ctx context.Context, known catalogs, work func(context.Context) error) (*Receipt, error) {
	start := time.Now()
	err := func() (err error) {
		if r.catalog, err = known.find(r.job); err != nil {
			return err
		}
		switch r.stores, err = r.catalog.Stores.ForJob(storeOf(r.job)); {
		case errors.Is(err, storage.ErrRejected):
			return jobs.Permanent(fmt.Errorf("open the job's storage: %w", err))
		case err != nil:
			return erase.Failure(ctx, fmt.Errorf("open the job's storage: %w", err))
		}
		// Where the table lies is known only once its metadata was read: what reads may
		// read all of the catalog's locations, and is no more than that allowed.
		r.reader = r.stores.Session(storage.SessionConfig{OnSuccess: r.progress.Alive, Logger: r.cfg.Logger})
		r.sessions = append(r.sessions, r.reader)
		return work(ctx)
	}()
	r.tellOfStorage(ctx, err)
	r.receipt.Requests = receipt.RequestsOf(r.sessions...)
	r.receipt.DurationMS = time.Since(start).Milliseconds()
	r.receipt.fit()
	return r.receipt, err
}

func (r *run) openEraser(scope *storage.Guard, locations []string) {
	r.scope = scope
	cfg := storage.SessionConfig{ReadGuard: scope, OnSuccess: r.progress.Alive, Logger: r.cfg.Logger}
	if !r.dryRun {
		cfg.Guard = scope
		cfg.FolderRoots = erase.FolderRoots(locations)
		cfg.Versions = r.removesVersions()
	}
	r.eraser = r.stores.Session(cfg)
	r.sessions = append(r.sessions, r.eraser)
}

// save stores the checkpoint. A dry run stores none, so that it never makes a
// purge look begun.
func (r *run) save(ctx context.Context) error {
	if r.dryRun {
		return nil
	}
	if err := r.progress.Save(ctx, r.ck, r.receipt.counters(r.ck.Level)); err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	return nil
}
