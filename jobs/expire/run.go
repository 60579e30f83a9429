package expire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"deckhand/internal/erase"
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
	catalog  *Catalog
	job      *jobs.Job
	id       polaris.Identifier
	progress jobs.Progress
	settings policy.Expire
	dryRun   bool
	began    time.Time
	receipt  *Receipt
	book     receipt.Book

	// folder of the table's records.
	folder storage.Location
	// scope is what may be deleted; reader may delete nothing, and eraser in a dry
	// run neither.
	scope          *storage.Guard
	stores         *storage.Stores
	reader, eraser *storage.Session
	shelf          *shelf

	// ck is what is stored next.
	ck      checkpoint
	blocked erase.Blocked
}

func newRun(cfg Config, job *jobs.Job, progress jobs.Progress) *run {
	r := &run{
		cfg: cfg, job: job, progress: progress, began: time.Now(),
		id: polaris.Identifier{Namespace: job.Namespace, Name: job.Table},
		receipt: &Receipt{
			TableUUID: job.TableUUID, Deleted: receipt.Counts{}, Absent: receipt.Counts{},
			Attempt: progress.Attempt(), Worker: cfg.Worker,
		},
	}
	r.book = receipt.Book{
		Kept: &r.receipt.Kept, Absent: &r.receipt.Absent, AbsentPaths: &r.receipt.AbsentPaths, Notes: &r.receipt.Notes,
		Listener: cfg.List,
	}
	return r
}

// end completes the receipt and gives the storage back.
func (r *run) end() *Receipt {
	r.receipt.DryRun = r.dryRun
	if r.stores != nil {
		r.receipt.Requests = receipt.RequestsOf(r.reader, r.eraser)
		if err := r.stores.Close(); err != nil {
			r.cfg.Logger.Debug("storage not closed", slog.Any("error", err))
		}
	} else {
		r.receipt.Requests = receipt.RequestsOf()
	}
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
	err = r.work(ctx)
	if errors.Is(err, errGone) {
		r.receipt.Gone = true
		r.book.Note("%v", err)
		return nil
	}
	return err
}

func (r *run) work(ctx context.Context) error {
	loaded, err := r.load(ctx, polaris.LoadOptions{Vend: true})
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

// open opens the table's storage and says what may be deleted there.
func (r *run) open(ctx context.Context, loaded *polaris.Loaded) (err error) {
	m := loaded.Metadata
	r.receipt.TableUUID, r.receipt.MetadataLocation, r.receipt.Snapshots = m.UUID, loaded.MetadataLocation, len(m.Snapshots)
	if r.folder, err = recordsFolder(m); err != nil {
		return jobs.Permanent(err)
	}
	if r.stores, err = r.catalog.Client.Stores(ctx, r.id, loaded, r.catalog.Storage, r.catalog.Limiters); err != nil {
		return r.catalogFailure(ctx, fmt.Errorf("open the table's storage: %w", err))
	}
	cfg := storage.SessionConfig{OnSuccess: r.progress.Alive, Logger: r.cfg.Logger}
	r.reader = r.stores.Session(cfg)
	r.shelf = newShelf(r.reader)
	if r.scope, err = erase.Narrow(r.stores.Guard(), m.Locations()); err != nil {
		r.eraser = r.stores.Session(cfg)
		return jobs.Permanent(fmt.Errorf("read the table's locations: %w", err))
	}
	if !r.dryRun {
		cfg.Guard, cfg.FolderRoots = r.scope, erase.FolderRoots(m.Locations())
	}
	r.eraser = r.stores.Session(cfg)
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
		done, err := r.finish(ctx, rec, newSieve(r.reader, r.cfg.largeTable))
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

// errGone says that there is no such table any more.
var errGone = errors.New("the table is gone: it was dropped or renamed")

// load loads the table and refuses one whose files must not be touched.
func (r *run) load(ctx context.Context, o polaris.LoadOptions) (*polaris.Loaded, error) {
	loaded, err := r.catalog.Client.Load(ctx, r.id, o)
	if err != nil {
		return nil, r.catalogFailure(ctx, fmt.Errorf("load the table: %w", err))
	}
	r.progress.Alive()
	m := loaded.Metadata
	want := r.receipt.TableUUID // the job's, and then that of the first load
	switch {
	case want != "" && !sameUUID(want, m.UUID) && want == r.job.TableUUID:
		// Not for a person: what is there now gets a job of its own by its policies.
		return nil, fmt.Errorf("%w: the table of that name has the UUID %s, the job says %s: it was created anew", errGone, m.UUID, want)
	case want != "" && !sameUUID(want, m.UUID):
		return nil, jobs.Permanentf("the table was created anew while it was worked on: it had the UUID %s and has %s; nothing more was done", want, m.UUID)
	case !m.GCEnabled():
		return nil, jobs.Permanentf("the table property gc.enabled is %q: its files may belong to others too, so no snapshot expires and no file is deleted; "+
			"set it to true if the table owns them", m.Properties["gc.enabled"])
	}
	return loaded, nil
}

// catalogFailure gives an error of the catalog the meaning that it has for a job.
// [polaris.ErrDamaged] stays an ordinary one, which spends attempts.
func (r *run) catalogFailure(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, polaris.ErrNotFound), errors.Is(err, polaris.ErrNoNamespace):
		return errGone
	case errors.Is(err, polaris.ErrNotATable), errors.Is(err, polaris.ErrNoCatalog), errors.Is(err, polaris.ErrForbidden),
		errors.Is(err, polaris.ErrRejected), errors.Is(err, table.ErrEncrypted), errors.Is(err, table.ErrNewerFormat),
		errors.Is(err, table.ErrCorrupt):
		return jobs.Permanent(err)
	}
	return erase.Failure(ctx, err)
}

// storageFailure is that of reading something that the job cannot do without.
func (r *run) storageFailure(ctx context.Context, err error) error {
	if _, temporary := table.StateOf(err); !temporary {
		return jobs.Permanent(err)
	}
	return erase.Failure(ctx, err)
}

// refuse records a file that the store did not delete, which ends the level.
func (r *run) refuse(kind receipt.Kind, size int64, l storage.Location, err error) {
	r.book.Keep(receipt.Refused, kind, size, l.String(), err.Error())
	r.blocked.Add("%v", err)
}
