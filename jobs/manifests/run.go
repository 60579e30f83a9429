package manifests

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"deckhand/internal/maintenance"
	"deckhand/internal/manifest"
	"deckhand/internal/polaris"
	"deckhand/internal/policy"
	"deckhand/internal/receipt"
	"deckhand/internal/table"
	"deckhand/jobs"
)

// run is one run of one job.
type run struct {
	cfg      Config
	job      *jobs.Job
	progress jobs.Progress
	settings policy.Manifests
	dryRun   bool
	began    time.Time
	receipt  *Receipt
	book     receipt.Book
	table    *maintenance.Table

	// snapshotID of all commits that the run may send: entries of removed files name it,
	// and are used again.
	snapshotID  int64
	target      int64
	compression manifest.Compression
	ck          checkpoint
	out         *outputs

	// bad says by path why a manifest cannot be written anew; stayed are those that
	// are in the receipt.
	bad    map[string]error
	stayed map[string]bool
	// results and lastSources are those of the last plan, be it whole or not. analysed:
	// one has looked for delete files that apply to nothing.
	results     []*result
	lastSources []*source
	analysed    bool
}

func (h *Handler) newRun(job *jobs.Job, progress jobs.Progress) *run {
	r := &run{
		cfg: h.cfg, job: job, progress: progress, began: time.Now(), bad: map[string]error{}, stayed: map[string]bool{},
		receipt: &Receipt{TableUUID: job.TableUUID, Attempt: progress.Attempt(), Worker: h.cfg.Worker},
		// What it deletes is its own, whoever owns the table's files.
		table: maintenance.Take(maintenance.TableConfig{Catalogs: h.catalogs, Job: job, Progress: progress, Raw: true, Logger: h.cfg.Logger}),
	}
	absent, paths := receipt.Counts{}, []string(nil)
	r.book = receipt.Book{Kept: &r.receipt.Kept, Absent: &absent, AbsentPaths: &paths, Notes: &r.receipt.Notes, Listener: h.cfg.List}
	r.out = &outputs{run: r, id: uuid.NewString()}
	r.ck.Outputs = r.out.id
	return r
}

// end completes the receipt and gives the storage back.
func (r *run) end() *Receipt {
	rc := r.receipt
	rc.DryRun = r.dryRun
	rc.Requests = r.table.Requests()
	r.table.Close()
	if rc.SnapshotID == "" && rc.After.Files == 0 {
		rc.After = rc.Before
	}
	rc.DurationMS = time.Since(r.began).Milliseconds()
	rc.fit()
	return rc
}

func (r *run) rewriteManifests(ctx context.Context) error {
	var err error
	r.dryRun = r.cfg.DryRun || r.job.DryRun
	if r.settings, err = policy.ReadManifests(r.job.Params); err != nil {
		return jobs.Permanent(fmt.Errorf("read params of the job: %w", err))
	}
	r.dryRun = r.dryRun || r.settings.DryRun
	r.book.DryRun = r.dryRun
	return maintenance.UnlessGone(r.work(ctx), &r.receipt.Gone, &r.book)
}

func (r *run) work(ctx context.Context) error {
	loaded, err := r.table.Load(ctx)
	if err != nil {
		return err
	}
	m := loaded.Metadata
	r.receipt.TableUUID, r.receipt.MetadataLocation, r.receipt.LastSequenceNumber = m.UUID, loaded.MetadataLocation, m.LastSequenceNumber
	if err := r.table.Open(ctx, loaded, r.dryRun); err != nil {
		return err
	}
	if made := r.ownSnapshot(loaded); made != nil && !r.dryRun {
		r.receipt.Resumed = true
		r.receipt.SnapshotID = idText(made.ID)
		r.recall(made.Summary)
		return nil
	}
	for r.snapshotID == 0 || hasSnapshot(m, r.snapshotID) {
		r.snapshotID = rand.Int64()
	}
	r.ck.Snapshot = idText(r.snapshotID)
	if err := r.resume(ctx); err != nil {
		return err
	}
	return r.planAndCommit(ctx, loaded)
}

// ownSnapshot is one that an earlier run of this very job has committed; nil when
// there is none.
func (r *run) ownSnapshot(loaded *polaris.Loaded) *table.Snapshot {
	for i, s := range loaded.Metadata.Snapshots {
		if s.Summary[summaryJob] == r.job.ID {
			return &loaded.Metadata.Snapshots[i]
		}
	}
	return nil
}
