package erase

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"deckhand/internal/manifest"
	"deckhand/internal/receipt"
	"deckhand/internal/storage"
	"deckhand/internal/table"
)

const (
	// saveEvery is the number of deletes and saveInterval the time after which
	// what is done is saved.
	saveEvery    = 1000
	saveInterval = 10 * time.Second
	// saveLastTimeout bounds the last save of a run that is being stopped.
	saveLastTimeout = 5 * time.Second
	// DefaultReaders manifests are read at once. Each costs well under a MiB.
	DefaultReaders = 16
)

// Judge decides about the files that manifests name, and hears what became of
// them. Entry is called from several goroutines, the others from one at a time.
// An error stops the work.
type Judge interface {
	// Entry says whether the file of an entry of manifest i is to be deleted. The
	// entry's slices are valid during the call.
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
// A resumed run first works on the manifests that are not done and afterwards
// only counts the files of those that are, so that a file named by both is
// deleted.
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
	// Save stores what is done, now and then and when the work is stopped. Its
	// error ends the work. nil: nothing is stored.
	Save func(ctx context.Context, done []byte) error
	// Readers is how many manifests are read at once. Default [DefaultReaders].
	Readers int
	// Batches of deletes that are sent at once. Default: that of
	// [storage.DeleterConfig].
	Batches int
	Logger  *slog.Logger

	deleter  *storage.Deleter
	stop     context.CancelCauseFunc
	counting bool // the manifests were done by an earlier run

	mu sync.Mutex
	// pending counts, for each manifest, the reader and the files on their way.
	pending []int32
	// bad manifests are those that cannot be done.
	bad     []bool
	done    *doneSet
	deletes int // since the last save
	savable chan struct{}
}

// Run does the work and returns what is done, whatever the error.
func (d *Entries) Run(parent context.Context) ([]byte, error) {
	ctx, stop := context.WithCancelCause(parent)
	defer stop(nil)
	d.stop, d.savable = stop, make(chan struct{}, 1)
	d.pending, d.bad = make([]int32, len(d.Manifests)), make([]bool, len(d.Manifests))
	d.done = newDoneSet(len(d.Manifests), d.Stride)
	for i := range d.Manifests {
		if isDone(d.Done, d.Stride, i) {
			d.done.mark(i)
		}
	}
	if d.With != nil {
		d.deleter = d.With.NewDeleter(ctx, storage.DeleterConfig{OnResult: d.result, InFlight: d.Batches})
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
	return d.done.bitmap(), Failure(parent, err)
}

func (d *Entries) walks(ctx context.Context) error {
	err := d.walk(ctx, func(i int) bool { return !isDone(d.Done, d.Stride, i) })
	if d.deleter != nil {
		if flushErr := d.deleter.Flush(ctx); err == nil {
			err = flushErr
		}
		if closeErr := d.deleter.Close(); err == nil {
			err = closeErr
		}
	}
	if err == nil && d.Done != nil {
		d.counting = true
		err = d.walk(ctx, func(i int) bool { return isDone(d.Done, d.Stride, i) })
	}
	return err
}

func (d *Entries) walk(ctx context.Context, chosen func(i int) bool) error {
	for i := range d.pending {
		if chosen(i) {
			d.pending[i] = 1
		}
	}
	return table.Walk(ctx, d.From, d.Manifests, table.WalkConfig{Chosen: chosen, InFlight: cmp.Or(d.Readers, DefaultReaders)}, visitor{d})
}

// visitor keeps the methods of [table.Visitor] out of the package's face.
type visitor struct{ *Entries }

// Entry implements [table.Visitor].
func (d visitor) Entry(i int, e *manifest.Entry) error {
	location, erase, err := d.Judge.Entry(i, e)
	if err != nil || !erase {
		return err
	}
	kind := receipt.KindOfEntry(e)
	d.mu.Lock()
	if d.counting || d.deleter == nil {
		d.Judge.Deleted(location, kind.Kind(), max(e.FileSize, 0))
		d.mu.Unlock()
		return nil
	}
	d.pending[i]++
	d.mu.Unlock()
	if err := d.deleter.Add(location, makeTag(i, kind, e.FileSize)); err != nil {
		return fmt.Errorf("delete %s: %w", location, err)
	}
	return nil
}

// End implements [table.Visitor].
func (d visitor) End(i int, state table.State, err error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.Judge.End(i, state, err) {
		d.bad[i] = true
	}
	d.release(i)
	return nil
}

// result is called for each file that the deleter has tried.
func (d *Entries) result(deletion storage.Deletion) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i, kind, size := splitTag(deletion.Tag)
	switch err := deletion.Err; {
	case err == nil:
		d.Judge.Deleted(deletion.Location, kind.Kind(), size)
		if d.deletes++; d.deletes >= saveEvery {
			d.deletes = 0
			select {
			case d.savable <- struct{}{}:
			default:
			}
		}
	case temporary(err):
		d.stop(err) // the run ends, and everything that is not done comes again
		d.bad[i] = true
	default:
		d.Judge.Refused(deletion.Location, kind.Kind(), size, err)
		d.bad[i] = true
	}
	d.release(i)
}

// release lets go of one hold on a manifest and marks it done with the last.
func (d *Entries) release(i int) {
	if d.pending[i]--; d.pending[i] == 0 && !d.bad[i] && !d.counting {
		d.done.mark(i)
	}
}

// saveNowAndThen saves while the work goes on. What cannot be saved ends the run:
// the job is no longer ours, or the queue is away and the work would be repeated.
func (d *Entries) saveNowAndThen(ctx context.Context) {
	ticker := time.NewTicker(saveInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-d.savable:
		}
		if err := d.save(ctx); err != nil && ctx.Err() == nil {
			d.stop(fmt.Errorf("save checkpoint: %w", err))
			return
		}
	}
}

func (d *Entries) save(ctx context.Context) error {
	if d.Save == nil {
		return nil
	}
	d.mu.Lock()
	done := d.done.bitmap()
	d.mu.Unlock()
	return d.Save(ctx, done)
}

// saveLast saves how far a run has got that is being stopped. If that fails the
// next run repeats some deletes, which does no harm.
func (d *Entries) saveLast(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveLastTimeout)
	defer cancel()
	if err := d.save(ctx); err != nil {
		d.Logger.DebugContext(ctx, "last checkpoint not stored", slog.Any("error", err))
	}
}
