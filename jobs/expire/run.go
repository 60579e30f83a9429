package expire

import (
	"context"
	"fmt"
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
	cfg      maintenance.Config
	job      *jobs.Job
	table    *maintenance.Table
	progress jobs.Progress
	settings policy.Expire
	dryRun   bool
	began    time.Time
	receipt  *Receipt
	book     receipt.Book

	// folder of the table's records.
	folder     storage.Location
	shelf      *table.Shelf
	largeTable int64

	// ck is what is stored next.
	ck      checkpoint
	blocked erase.Blocked
}

func newRun(h *Handler, job *jobs.Job, progress jobs.Progress) *run {
	r := &run{
		cfg: h.cfg, largeTable: h.largeTable, job: job, progress: progress, began: time.Now(),
		table: maintenance.Take(maintenance.TableConfig{
			Catalogs: h.catalogs, Job: job, Progress: progress, Logger: h.cfg.Logger,
			Spared: "no snapshot expires and no file is deleted",
		}),
		receipt: &Receipt{
			TableUUID: job.TableUUID, Deleted: receipt.Counts{}, Absent: receipt.Counts{},
			Attempt: progress.Attempt(), Worker: h.cfg.Worker,
		},
	}
	r.book = receipt.Book{
		Kept: &r.receipt.Kept, Absent: &r.receipt.Absent, AbsentPaths: &r.receipt.AbsentPaths, Notes: &r.receipt.Notes,
		Listener: h.cfg.List,
	}
	return r
}

// end completes the receipt and gives the storage back.
func (r *run) end(ctx context.Context) *Receipt {
	r.receipt.DryRun = r.dryRun
	r.receipt.Versions = r.table.Versions(ctx, r.receipt.Deleted.Total())
	r.receipt.Requests = r.table.Requests()
	r.table.Close()
	r.receipt.DurationMS = time.Since(r.began).Milliseconds()
	r.receipt.fit()
	return r.receipt
}

func (r *run) expire(ctx context.Context) error {
	var err error
	r.dryRun = r.cfg.DryRun || r.job.DryRun
	if r.settings, err = policy.ReadExpire(r.job.Params); err != nil {
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
	if err := r.open(ctx, loaded); err != nil {
		return err
	}
	r.resume()
	complete, err := r.finishEarlier(ctx)
	if err != nil || complete {
		return err
	}
	return r.planAndCommit(ctx, loaded)
}

// open opens the table's storage.
func (r *run) open(ctx context.Context, loaded *polaris.Loaded) error {
	m := loaded.Metadata
	r.receipt.TableUUID, r.receipt.MetadataLocation, r.receipt.Snapshots = m.UUID, loaded.MetadataLocation, len(m.Snapshots)
	if err := r.table.Open(ctx, loaded, r.dryRun); err != nil {
		return err
	}
	r.folder, r.shelf = r.table.MetadataFolder.Join(recordFolder), table.NewShelf(r.table.Reader, table.DefaultListsInFlight)
	return nil
}

// finishEarlier deletes what expiries that committed have left. complete says that
// the last of them was this very job's, so that nothing remains to be done.
func (r *run) finishEarlier(ctx context.Context) (complete bool, err error) {
	records, err := r.records(ctx)
	if err != nil {
		return false, err
	}
	if r.dryRun {
		if len(records) > 0 {
			r.book.Note("%d earlier expiries have committed and not deleted everything; the next one finishes them first", len(records))
		}
		return false, nil
	}
	resumed := r.ck
	for _, rec := range records {
		own := resumed.Own && rec.ID == resumed.Record
		if own {
			r.ck = resumed // a record before it had a place of its own
		}
		r.begin(rec, own)
		done, err := r.finish(ctx, rec, newSieve(r.table.Reader, r.largeTable))
		if err != nil {
			return false, err
		}
		complete = complete || done && own
	}
	// The record is deleted last: one that was reached and is gone was finished.
	if resumed.Own && resumed.Level == levelRecord {
		complete = true
	}
	if complete {
		return true, nil
	}
	r.ck.Record, r.ck.Own = "", false
	return false, nil
}

// begin makes the record the one that is worked on.
func (r *run) begin(rec *record, own bool) {
	if r.ck.Record != rec.ID {
		r.ck = checkpoint{Record: rec.ID, Own: own}
	}
	r.blocked = erase.Blocked{}
}

// refuse records a file that the store did not delete, which ends the level.
func (r *run) refuse(kind receipt.Kind, size int64, l storage.Location, err error) {
	r.book.Keep(receipt.RefusedBy(err), kind, size, l.String(), err.Error())
	r.blocked.Add("%v", err)
}
