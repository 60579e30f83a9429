package purge

import (
	"context"
	"fmt"
	"sync"

	"deckhand/internal/erase"
	"deckhand/internal/manifest"
	"deckhand/internal/receipt"
	"deckhand/internal/storage"
	"deckhand/internal/table"
)

// shardBatches are sent at once by a shard: the two that a worker runs by default have
// as many on their way as a purge that is one job, and leave no more to be repeated
// when they are killed.
const shardBatches = storage.DefaultBatchesRunning / 2

// dataLevel decides about what the entries of manifests name. It is an
// [erase.Judge].
type dataLevel struct {
	*run
	tree  *table.Tree
	seen  *erase.Seen
	tombs tombstones

	mu sync.Mutex
	// held manifests name files that were kept outside.
	held []bool
	// unread: a manifest lies where nothing may be read.
	unread bool
	// above says what belongs to the levels that come later, whatever names it here.
	above func(storage.Location) (bool, error)
	// names are noted for the sum of several shards; nil: there is no sum.
	names *names
}

// deleteData is the data level. The error is permanent when something was refused
// or could not be read, here or among the lists: the next level must not begin.
func (r *run) deleteData(ctx context.Context, tree *table.Tree) error {
	above := r.filesAbove(tree)
	d := r.newDataLevel(tree, func(l storage.Location) (bool, error) { return above[l], nil })
	return d.delete(ctx)
}

func (r *run) newDataLevel(tree *table.Tree, above func(storage.Location) (bool, error)) *dataLevel {
	return &dataLevel{
		run: r, tree: tree, seen: erase.NewSeen(),
		held: make([]bool, len(tree.Manifests)), above: above,
	}
}

func (d *dataLevel) delete(ctx context.Context) error {
	r, tree := d.run, d.tree
	plan, stride := erase.Plan(tree.Manifests, r.settings()...)
	if r.ck.Plan != plan || r.ck.Stride != stride {
		r.ck.Plan, r.ck.Stride, r.ck.Done = plan, stride, nil
	}
	r.gone = make([]bool, len(tree.Manifests))
	entries := erase.Entries{
		From: r.reader, Manifests: tree.Manifests, Done: r.ck.Done, Stride: stride, Judge: d, Logger: r.cfg.Logger,
	}
	if r.isPart {
		entries.Batches = shardBatches
	}
	if !r.dryRun {
		entries.With, entries.Save = r.eraser, d.saveDone
	}
	done, err := entries.Run(ctx)
	d.receipt.AtMost = d.receipt.AtMost || d.seen.AtMost()
	d.ck.Done, d.ck.AtMost = done, d.receipt.AtMost
	if err != nil {
		return err
	}
	d.finish()
	return r.blockedAt(ctx, levelData)
}

// saveDone stores a checkpoint while the level runs.
func (d *dataLevel) saveDone(ctx context.Context, done []byte) error {
	d.mu.Lock()
	next, counters := d.ck, d.receipt.counters(levelData)
	next.Done, next.AtMost = done, d.receipt.AtMost || d.seen.AtMost()
	d.mu.Unlock()
	return d.progress.Save(ctx, next, counters)
}

// settings are what decides, beside its entries, when a manifest is done.
func (r *run) settings() []string {
	settings := []string{fmt.Sprint(r.deletedEntries, r.receipt.GCEnabled), string(r.catalog.Policy.Outside)}
	for _, location := range r.scope.Locations() {
		settings = append(settings, location.String())
	}
	if r.removesVersions() {
		settings = append(settings, string(VersionsDelete))
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

// Entry implements [erase.Judge].
func (d *dataLevel) Entry(i int, e *manifest.Entry) (storage.Location, bool, error) {
	path := string(e.Path)
	location, err := storage.Parse(path)
	if len(path) > maxPath {
		path, err = receipt.Shorten(path), storage.ErrInvalidLocation
	}
	if e.Status == manifest.StatusDeleted && !d.deletedEntries {
		if err == nil {
			d.tombs.add(location, receipt.KindOfEntry(e), e.FileSize)
		}
		return location, false, nil
	}
	if err == nil {
		if above, lookErr := d.above(location); above || lookErr != nil {
			return location, false, lookErr
		}
	}
	kind := receipt.KindOfEntry(e)
	outside := err != nil || d.scope.Check(location) != nil
	if outside && d.receipt.GCEnabled && d.catalog.Policy.Outside == OutsideKeep {
		d.hold(i)
	}
	if err == nil && d.seen.Before(location) {
		return location, false, nil
	}
	var reason Reason
	switch {
	case !d.receipt.GCEnabled:
		reason = GCDisabled
	case outside:
		reason = OutsideScope
	}
	if d.names != nil && err == nil {
		d.names.note(location, kind, e.FileSize, reason, e.Status == manifest.StatusExisting)
	}
	if reason != "" {
		d.keep(reason, kind, e.FileSize, path)
		return location, false, nil
	}
	return location, true, nil
}

// End implements [erase.Judge].
func (d *dataLevel) End(i int, state table.State, err error) (done bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch path := d.tree.Manifests[i].Path; {
	case state == table.Read:
	case d.missing(Manifests, path, state, err):
		d.gone[i] = true
	case !d.unreadable(Manifests, path, err):
		return false
	default:
		d.unread, d.held[i] = true, d.catalog.Policy.Outside == OutsideKeep
	}
	return !d.held[i]
}

// Deleted implements [erase.Judge].
func (d *dataLevel) Deleted(l storage.Location, kind Kind, size int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.receipt.Deleted.Add(kind, 1, size)
	d.book.Deleted(l, kind, size)
}

// Refused implements [erase.Judge].
func (d *dataLevel) Refused(l storage.Location, kind Kind, size int64, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refuse(kind, size, l, err)
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
	d.book.Keep(reason, kind.Kind(), size, path, "")
}

// finish leaves in the run what the next levels need.
func (d *dataLevel) finish() {
	for _, tomb := range d.tombs.unclaimed(d.seen) {
		d.book.Keep(DeletedEntry, tomb.kind.Kind(), tomb.size, tomb.path, "")
		if d.names != nil {
			d.names.noteTomb(tomb)
		}
	}
	if d.tombs.overflowed {
		d.book.Note("more files than could be remembered are named by deleted entries; their number is not exact")
	}
	for i, held := range d.held {
		if held {
			d.run.hold(d.tree.Manifests[i].Path)
		}
	}
	d.receipt.Manifests = len(d.tree.Manifests)
	d.ck.Manifests = len(d.tree.Manifests)
}
