package erase

import (
	"cmp"
	"context"
	"log/slog"
	"sync"

	"deckhand/internal/manifest"
	"deckhand/internal/receipt"
	"deckhand/internal/storage"
	"deckhand/internal/table"
)

const (
	// DefaultReaders manifests are read at once. Each costs well under a MiB.
	DefaultReaders = 32
	// MaxManifests is how many manifests [Entries] takes: each costs some bytes.
	MaxManifests = 1 << 22
)

// Judge decides about the files that manifests name, and hears what became of
// them. Entry is called from several goroutines, the others from one at a time.
// An error stops the work.
type Judge interface {
	// Entry says whether the file of an entry of manifest i is to be deleted. The
	// entry's slices are valid during the call. Each entry is shown once in a run. Of
	// those that name the same file, it has to let the first one go and no other.
	Entry(i int, e *manifest.Entry) (l storage.Location, erase bool, err error)
	// End is called after the entries of manifest i, with what [table.Visitor] is
	// told. A manifest that is not done is read again by the next run.
	End(i int, state table.State, err error) (done bool)
	// Deleted is called for each file that is gone (in a dry run: would be, and
	// when an earlier run has deleted it: was).
	Deleted(l storage.Location, kind receipt.Kind, size int64)
	// Refused is called for each file that the store will not delete.
	Refused(l storage.Location, kind receipt.Kind, size int64, err error)
}

// Entries deletes what the entries of manifests name. It reads manifests in
// parallel, fills batches across them, and marks a manifest done when each file
// that its judge gave up is gone.
//
// What is saved also tells, of manifests under way, which entries are settled. A
// batch makes room for the next one only when what it has deleted is saved, or is
// little (see [Entries.unsaved]): a run that is killed leaves no more to repeat than
// its batches in flight and that.
//
// A resumed run first counts the files of settled entries, which are gone, and then
// works on the others, so that it does not delete again what both name.
type Entries struct {
	// From reads the manifests.
	From table.Opener
	// With deletes; nil in a dry run.
	With      *storage.Session
	Manifests []*table.Manifest
	// Done is what an earlier run saved under the same [Plan], or nil.
	Done   []byte
	Stride int
	Judge  Judge
	// Save stores what is done, now and then and when the work is stopped: at most
	// 5 KiB. Its error ends the work. nil: nothing is stored.
	Save func(ctx context.Context, done []byte) error
	// Readers is how many manifests are read at once. Default [DefaultReaders].
	Readers int
	// Batches of deletes that are sent at once. Default: that of
	// [storage.DeleterConfig].
	Batches int
	Logger  *slog.Logger

	batchSize int // smaller in tests
	deleter   *storage.Deleter
	stop      context.CancelCauseFunc
	// parts are what an earlier run has settled of manifests that were not done.
	parts map[int]spans
	// onlyManifests: what was saved, and is saved by this run, tells nothing of
	// entries, and a manifest may be done whose files another one has to delete.
	onlyManifests bool
	// deciding is held, to read, between the judge's word and the note of it.
	deciding sync.RWMutex

	mu   sync.Mutex
	done *doneSet
	// underway are the manifests that are not done. Each is made by its reader.
	underway map[int]*underway
	sent     sent
	saving   saving
}

// Run does the work and returns what is done, whatever the error.
func (d *Entries) Run(parent context.Context) ([]byte, error) {
	ctx, stop := context.WithCancelCause(parent)
	defer stop(nil)
	d.stop = stop
	d.done = newDoneSet(len(d.Manifests), d.Stride)
	d.underway, d.sent = map[int]*underway{}, newSent()
	for i := range d.Manifests {
		if d.wasDone(i) {
			d.done.mark(i)
		}
	}
	d.resume()
	batches := cmp.Or(d.Batches, storage.DefaultBatchesRunning)
	unsaved := d.unsaved(batches)
	d.saving = newSaving(unsaved, unsaved+int64(batches*cmp.Or(d.batchSize, storage.DefaultBatchSize)))
	if d.With != nil {
		d.deleter = d.With.NewDeleter(ctx, storage.DeleterConfig{
			OnResult: d.result, BatchSize: d.batchSize, InFlight: batches, Settled: func() { d.waitSaved(ctx) },
		})
	}
	saved := make(chan struct{})
	go func() {
		defer close(saved)
		d.saveNowAndThen(ctx)
	}()
	err := d.walks(ctx)
	cause := context.Cause(ctx)
	stop(nil)
	<-saved
	if cause != nil {
		err = cause
	}
	if err != nil {
		d.saveLast(parent)
	}
	return d.encode(), Failure(parent, err)
}

// wasDone says whether an earlier run had done with manifest i.
func (d *Entries) wasDone(i int) bool { return isDone(d.Done, d.Stride, i) }

// resume takes over what an earlier run has settled of manifests that it had not
// done.
func (d *Entries) resume() {
	bitmap := (bitsOf(len(d.Manifests), d.Stride) + 7) / 8
	if d.Done == nil {
		return
	}
	if d.onlyManifests = len(d.Done) <= bitmap || d.Done[bitmap] != formatOfParts; d.onlyManifests {
		return
	}
	d.parts = decodeParts(d.Done[bitmap+1:], len(d.Manifests))
	for i, settled := range d.parts {
		if d.wasDone(i) {
			delete(d.parts, i)
			continue
		}
		d.underway[i] = &underway{manifest: i, skip: settled, earlier: settled}
	}
}

func (d *Entries) walks(ctx context.Context) error {
	if d.onlyManifests {
		if err := d.erase(ctx); err != nil {
			return err
		}
		return d.count(ctx)
	}
	if err := d.count(ctx); err != nil {
		return err
	}
	return d.erase(ctx)
}

// count shows what an earlier run has settled.
func (d *Entries) count(ctx context.Context) error {
	if d.Done == nil {
		return nil
	}
	return d.walk(ctx, newCounting(d), func(i int) bool { return d.wasDone(i) || d.parts[i] != nil })
}

// erase works on the rest.
func (d *Entries) erase(ctx context.Context) error {
	err := d.walk(ctx, &deleting{Entries: d, read: make([]*underway, len(d.Manifests))}, func(i int) bool { return !d.wasDone(i) })
	if d.deleter == nil {
		return err
	}
	d.noneFollows()
	if flushErr := d.deleter.Flush(ctx); err == nil {
		err = flushErr
	}
	if closeErr := d.deleter.Close(); err == nil {
		err = closeErr
	}
	return err
}

func (d *Entries) walk(ctx context.Context, visitor table.Visitor, chosen func(i int) bool) error {
	return table.Walk(ctx, d.From, d.Manifests, table.WalkConfig{Chosen: chosen, InFlight: cmp.Or(d.Readers, DefaultReaders)}, visitor)
}

// result is called for each file that the deleter has tried.
func (d *Entries) result(deletion storage.Deletion) {
	d.mu.Lock()
	defer d.mu.Unlock()
	gone := deletion.Err == nil
	f := d.sent.take(deletion.Location, deletion.Tag, gone)
	switch err := deletion.Err; {
	case gone:
		d.Judge.Deleted(deletion.Location, f.kind.Kind(), f.size)
		d.saving.deleted++
	case temporary(err):
		d.stop(err) // the run ends, and everything that is not done comes again
	default:
		d.Judge.Refused(deletion.Location, f.kind.Kind(), f.size, err)
	}
	d.settle(f.of, f.entry, gone)
	for _, other := range f.also {
		d.settle(other.of, other.entry, gone)
	}
}

// settle ends the waiting of an entry. One whose file is not gone stays open.
func (d *Entries) settle(u *underway, entry int64, gone bool) {
	if gone {
		u.open.remove(entry)
	} else {
		u.bad = true
	}
	d.release(u)
}

// release lets go of one hold on a manifest and marks it done with the last.
func (d *Entries) release(u *underway) {
	if u.holds--; u.holds == 0 && !u.bad {
		d.done.mark(u.manifest)
		delete(d.underway, u.manifest)
	}
}

// encode is what is stored.
func (d *Entries) encode() []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	var parts []part
	for i, u := range d.underway {
		if settled := u.settled(); len(settled) > 0 {
			parts = append(parts, part{i, settled})
		}
	}
	if d.onlyManifests {
		return d.done.bitmap()
	}
	return append(append(d.done.bitmap(), formatOfParts), encodeParts(parts)...)
}
