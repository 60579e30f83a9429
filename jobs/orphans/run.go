package orphans

import (
	"cmp"
	"context"
	"time"

	"deckhand/internal/erase"
	"deckhand/internal/maintenance"
	"deckhand/internal/polaris"
	"deckhand/internal/policy"
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
	table    *maintenance.Table
	settings policy.Orphans
	dryRun   bool
	began    time.Time
	receipt  *Receipt
	book     receipt.Book
	tally    *tally

	// loaded is the table as it was compared last.
	loaded  *polaris.Loaded
	places  []place
	reached *reached
	reader  *table.Reach
	foreign *foreign
	// now by the store's clock, and before which time files are old.
	now, before time.Time
	found       *candidates
	emptying    int // files of the trash that were due
	links       map[storage.Location]int64
	blocked     erase.Blocked
}

func newRun(h *Handler, job *jobs.Job, progress jobs.Progress) *run {
	r := &run{
		cfg: h.cfg, job: job, progress: progress, began: time.Now(),
		table: maintenance.Take(maintenance.TableConfig{
			Catalogs: h.catalogs, Job: job, Progress: progress, Logger: h.cfg.Logger,
			Spared: "no file that seems to be an orphan is deleted",
		}),
		receipt: &Receipt{
			TableUUID: job.TableUUID, Deleted: receipt.Counts{}, Moved: receipt.Counts{},
			Attempt: progress.Attempt(), Worker: h.cfg.Worker,
		},
	}
	r.book = receipt.Book{Kept: &r.receipt.Kept, Notes: &r.receipt.Notes, Listener: h.cfg.List}
	r.tally = newTally(h.cfg.List)
	return r
}

// end completes the receipt.
func (r *run) end(ctx context.Context) *Receipt {
	rc := r.receipt
	rc.DryRun = r.dryRun
	if r.reached != nil {
		rc.Reached = r.reached.len()
	}
	r.tally.enter(rc)
	rc.Versions = r.table.Versions(ctx, rc.Deleted.Total())
	rc.Requests = r.table.Requests()
	if r.foreign != nil {
		rc.Foreign = r.foreign.texts()
	}
	rc.DurationMS = time.Since(r.began).Milliseconds()
	rc.fit()
	return rc
}

func (r *run) work(ctx context.Context) (err error) {
	r.dryRun = r.cfg.DryRun || r.job.DryRun
	if r.settings, err = policy.ReadOrphans(r.job.Params); err != nil {
		return jobs.Permanent(err)
	}
	r.dryRun = r.dryRun || r.settings.DryRun
	r.book.DryRun = r.dryRun
	return maintenance.UnlessGone(r.search(ctx), &r.receipt.Gone, &r.book)
}

func (r *run) search(ctx context.Context) error {
	loaded, err := r.table.Load(ctx)
	if err != nil {
		return err
	}
	r.receipt.TableUUID = loaded.Metadata.UUID
	if err := r.table.Open(ctx, loaded, r.dryRun); err != nil {
		return err
	}
	r.resume()
	if err := r.choose(ctx, loaded); err != nil || len(r.places) == 0 {
		return err
	}
	if err := r.readClocks(ctx); err != nil || r.now.IsZero() {
		return err
	}
	r.reached = newReached(newPrefixes(r.settings.EqualSchemes, r.settings.EqualAuthorities))
	r.reader = table.NewReach(r.table.Reader, table.ReachConfig{})
	for _, step := range []struct {
		took *int64
		do   func(context.Context) error
	}{
		{&r.receipt.Took.ReachMS, func(ctx context.Context) error { return r.reach(ctx, loaded) }},
		{&r.receipt.Took.ListMS, r.list},
		{&r.receipt.Took.DeleteMS, r.remove},
	} {
		began := time.Now()
		err := step.do(ctx)
		*step.took = time.Since(began).Milliseconds()
		if err != nil {
			return err
		}
	}
	return r.blocked.Err("delete", "all others were dealt with; let the worker delete them, or take away what holds them, and requeue")
}

// quarantined says that orphans are moved and not deleted.
func (r *run) quarantined() bool { return r.settings.Quarantine > 0 }

func (r *run) maxFiles() int { return cmp.Or(r.settings.MaxFiles, r.cfg.MaxFiles) }
