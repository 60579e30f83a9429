package purge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"deckhand/internal/manifest"
	"deckhand/internal/receipt"
	"deckhand/internal/storage"
	"deckhand/internal/table"
)

// dataLevel deletes what the entries of manifests name. It reads manifests in
// parallel, fills batches across them, and marks a manifest done when each of
// its files is gone or deliberately kept.
//
// A resumed run first works on the manifests that are not done and afterwards
// only counts those that are, so that a file named by both is deleted.
type dataLevel struct {
	*run
	deletedEntries bool
	tree           *table.Tree
	deleter        *storage.Deleter // nil in a dry run
	seen           *table.PathSet
	tombs          tombstones
	stop           context.CancelCauseFunc

	mu sync.Mutex
	// pending counts, for each manifest, the reader and the files on their way.
	pending []int32
	// bad manifests are those that cannot be done: unreadable, or with a file
	// that could not be deleted. held ones name files that were kept outside.
	bad  []bool
	held []bool
	done *doneSet
	// above are the files of the levels that come later, whatever names them here.
	above map[storage.Location]bool
	// counting only: the manifests were done by an earlier run.
	counting bool
	// deletes since the last checkpoint, and the signal to store one.
	deletes int
	savable chan struct{}
}

// deleteData is the data level. The error is permanent when something was refused
// or could not be read, here or among the lists: the next level must not begin.
func (r *run) deleteData(ctx context.Context, tree *table.Tree, deletedEntries bool) error {
	plan, stride := planOf(tree.Manifests, r.settings(deletedEntries)...)
	if r.ck.Plan != plan || r.ck.Stride != stride {
		r.ck.Plan, r.ck.Stride, r.ck.Done = plan, stride, nil
	}
	earlier := r.ck.Done
	parent := ctx
	ctx, stop := context.WithCancelCause(parent)
	defer stop(nil)
	d := &dataLevel{
		run: r, deletedEntries: deletedEntries, tree: tree, seen: table.NewPathSet(seenPaths), stop: stop,
		pending: make([]int32, len(tree.Manifests)), bad: make([]bool, len(tree.Manifests)),
		held: make([]bool, len(tree.Manifests)), done: newDoneSet(len(tree.Manifests), stride),
		above: r.filesAbove(tree), savable: make(chan struct{}, 1),
	}
	r.gone = make([]bool, len(tree.Manifests))
	for i := range tree.Manifests {
		if isDone(earlier, stride, i) {
			d.done.mark(i)
		}
	}
	if !r.dryRun {
		d.deleter = r.eraser.NewDeleter(ctx, storage.DeleterConfig{OnResult: d.result})
	}
	saved := make(chan struct{})
	go func() {
		defer close(saved)
		d.saveNowAndThen(ctx)
	}()
	err := d.walk(ctx, func(i int) bool { return !isDone(earlier, stride, i) })
	if d.deleter != nil {
		if flushErr := d.deleter.Flush(ctx); err == nil {
			err = flushErr
		}
		if closeErr := d.deleter.Close(); err == nil {
			err = closeErr
		}
	}
	if err == nil && earlier != nil {
		d.counting = true
		err = d.walk(ctx, func(i int) bool { return isDone(earlier, stride, i) })
	}
	cause := context.Cause(ctx)
	stop(nil)
	<-saved
	if cause != nil {
		err = cause
	}
	d.ck.Done, d.ck.AtMost = d.done.bitmap(), d.receipt.AtMost
	if err != nil {
		d.saveLast(ctx)
		return failure(parent, err)
	}
	d.finish()
	return r.blockedAt(parent, levelData)
}

// saveLast stores how far a run has got that is being stopped. If that fails the
// next run repeats some deletes, which does no harm.
func (d *dataLevel) saveLast(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveLastTimeout)
	defer cancel()
	if err := d.save(ctx); err != nil {
		d.cfg.Logger.DebugContext(ctx, "last checkpoint not stored", slog.Any("error", err))
	}
}

// settings are what decides, beside its entries, when a manifest is done.
func (r *run) settings(deletedEntries bool) []string {
	settings := []string{fmt.Sprint(deletedEntries, r.receipt.GCEnabled), string(r.catalog.Policy.Outside)}
	for _, location := range r.scope.Locations() {
		settings = append(settings, location.String())
	}
	return settings
}

// filesAbove are the lists, manifests, statistics, metadata and listed files. An
// entry may name one of them; it goes with its own level and not before, since it
// may have to be read still.
func (r *run) filesAbove(tree *table.Tree) map[storage.Location]bool {
	above := map[storage.Location]bool{r.root: true}
	add := func(path string) {
		if location, err := storage.Parse(path); err == nil {
			above[location] = true
		}
	}
	for _, list := range tree.Lists {
		add(list.Path)
	}
	for _, m := range tree.Manifests {
		add(m.Path)
	}
	for _, path := range r.listed {
		add(path)
	}
	if r.metadata != nil {
		for _, f := range append(r.statisticsFiles(), r.metadataFiles()...) {
			add(f.path)
		}
	}
	return above
}

// maxPath is longer than any object's name can be: S3 takes 1,024 bytes, file
// systems 4,096.
const maxPath = 8 << 10

func (d *dataLevel) walk(ctx context.Context, chosen func(i int) bool) error {
	for i := range d.pending {
		if chosen(i) {
			d.pending[i] = 1
		}
	}
	return table.Walk(ctx, d.reader, d.tree.Manifests, chosen, readersInFlight, d)
}

// Entry implements [table.Visitor].
func (d *dataLevel) Entry(i int, e *manifest.Entry) error {
	path := string(e.Path)
	location, err := storage.Parse(path)
	if len(path) > maxPath {
		path, err = receipt.Shorten(path), storage.ErrInvalidLocation
	}
	if e.Status == manifest.StatusDeleted && !d.deletedEntries {
		if err == nil {
			d.tombs.add(location, receipt.KindOfEntry(e), e.FileSize)
		}
		return nil
	}
	if err == nil && d.above[location] {
		return nil
	}
	kind := receipt.KindOfEntry(e)
	outside := err != nil || d.scope.Check(location) != nil
	if outside && d.receipt.GCEnabled && d.catalog.Policy.Outside == OutsideKeep {
		d.hold(i)
	}
	if err == nil && d.wasSeen(location) {
		return nil
	}
	switch {
	case !d.receipt.GCEnabled:
		d.keep(GCDisabled, kind, e.FileSize, path)
		return nil
	case outside:
		d.keep(OutsideScope, kind, e.FileSize, path)
		return nil
	case d.counting || d.deleter == nil:
		d.countDeleted(location, kind, max(e.FileSize, 0))
		return nil
	}
	d.mu.Lock()
	d.pending[i]++
	d.mu.Unlock()
	if err := d.deleter.Add(location, makeTag(i, kind, e.FileSize)); err != nil {
		return fmt.Errorf("delete %s: %w", location, err)
	}
	return nil
}

// End implements [table.Visitor].
func (d *dataLevel) End(i int, state table.State, err error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch path := d.tree.Manifests[i].Path; {
	case state == table.Read:
	case d.missing(Manifests, path, state, err):
		d.gone[i] = true
	case !d.unreadable(Manifests, path, err):
		d.bad[i] = true
	case d.catalog.Policy.Outside == OutsideKeep:
		d.held[i] = true
	}
	d.release(i)
	return nil
}

// result is called for each file that the deleter has tried.
func (d *dataLevel) result(deletion storage.Deletion) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i, kind, size := splitTag(deletion.Tag)
	switch err := deletion.Err; {
	case err == nil:
		d.receipt.Deleted.Add(kind.Kind(), 1, size)
		d.listDeleted(deletion.Location, kind.Kind(), size)
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
		d.refuse(kind.Kind(), size, deletion.Location, err)
		d.bad[i] = true
	}
	d.release(i)
}

// release lets go of one hold on a manifest and marks it done with the last.
func (d *dataLevel) release(i int) {
	if d.pending[i]--; d.pending[i] == 0 && !d.bad[i] && !d.held[i] && !d.counting {
		d.done.mark(i)
	}
}

// wasSeen says whether another entry has named the file already.
func (d *dataLevel) wasSeen(l storage.Location) bool {
	switch d.seen.Add(l) {
	case table.Seen:
		return true
	case table.Unknown:
		d.mu.Lock()
		defer d.mu.Unlock()
		d.receipt.AtMost = true
	case table.New:
	}
	return false
}

// hold keeps a manifest that names files which stay.
func (d *dataLevel) hold(i int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held[i] = true
}

func (d *dataLevel) keep(reason Reason, kind receipt.EntryKind, size int64, path string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.run.keep(reason, kind.Kind(), size, path, "")
}

// countDeleted counts a file that an earlier run has deleted, or that a dry run
// would.
func (d *dataLevel) countDeleted(l storage.Location, kind receipt.EntryKind, size int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.receipt.Deleted.Add(kind.Kind(), 1, size)
	d.listDeleted(l, kind.Kind(), size)
}

// saveNowAndThen stores checkpoints while the level runs. A checkpoint that
// cannot be stored ends the run: the job is no longer ours, or the queue is away
// and the work would be repeated.
func (d *dataLevel) saveNowAndThen(ctx context.Context) {
	ticker := time.NewTicker(saveInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-d.savable:
		}
		d.mu.Lock()
		next, counters := d.ck, d.receipt.counters(levelData)
		next.Done = d.done.bitmap()
		d.mu.Unlock()
		if d.dryRun {
			continue
		}
		if err := d.progress.Save(ctx, next, counters); err != nil && ctx.Err() == nil {
			d.stop(fmt.Errorf("save checkpoint: %w", err))
			return
		}
	}
}

// finish leaves in the run what the next levels need.
func (d *dataLevel) finish() {
	for _, tomb := range d.tombs.unclaimed(d.seen) {
		d.run.keep(DeletedEntry, tomb.kind, tomb.size, tomb.path, "")
	}
	if d.tombs.overflowed {
		d.note("more files than could be remembered are named by deleted entries; their number is not exact")
	}
	for i, held := range d.held {
		if held {
			d.run.hold(d.tree.Manifests[i].Path)
		}
	}
	d.receipt.Manifests = len(d.tree.Manifests)
	d.ck.Manifests = len(d.tree.Manifests)
}

// temporary tells a failed delete that may succeed later from one that stays.
func temporary(err error) bool {
	return errors.Is(err, storage.ErrUnavailable) || errors.Is(err, context.Canceled) ||
		errors.Is(err, context.DeadlineExceeded)
}

// A tag carries, beside a delete, whose the file was: 22 bits for the manifest, 3
// for the kind, 38 for the bytes (up to 256 GiB; a larger file counts as that).
const (
	tagKindBits = 3
	tagSizeBits = 38
	tagMaxSize  = 1<<tagSizeBits - 1
	// maxManifests is how many manifests a tag can tell apart.
	maxManifests = 1 << 22
)

func makeTag(manifest int, kind receipt.EntryKind, size int64) int64 {
	return int64(manifest)<<(tagKindBits+tagSizeBits) | int64(kind)<<tagSizeBits | min(max(size, 0), tagMaxSize)
}

func splitTag(tag int64) (manifest int, kind receipt.EntryKind, size int64) {
	return int(tag >> (tagKindBits + tagSizeBits)), receipt.EntryKind(tag>>tagSizeBits) & (1<<tagKindBits - 1), tag & tagMaxSize
}
