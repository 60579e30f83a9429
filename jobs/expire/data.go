package expire

import (
	"context"
	"sync"

	"deckhand/internal/erase"
	"deckhand/internal/manifest"
	"deckhand/internal/receipt"
	"deckhand/internal/storage"
	"deckhand/internal/table"
	"deckhand/jobs"
)

// dataLevel decides about the files that the manifests name which go. It is an
// [erase.Judge].
type dataLevel struct {
	*run
	*going
	// readable are the manifests that are read.
	readable []*table.Manifest
	sieve    *sieve
	seen     *erase.Seen
	mu       sync.Mutex
}

// deleteData deletes the files that no manifest names as live that stays. The
// error is permanent when the store refused one.
func (r *run) deleteData(ctx context.Context, g *going, s *sieve) error {
	resuming := r.ck.Level == levelData
	if !resuming {
		r.ck.Unread = nil
	}
	if err := r.enter(ctx, levelData, nil, r.receipt.Kept.Few(maxListed)); err != nil {
		return err
	}
	for _, list := range g.tree.Unread() {
		r.unread(receipt.ManifestLists, list.Path, list.State, list.Err)
	}
	d := &dataLevel{run: r, going: g, sieve: s, seen: erase.NewSeen()}
	for _, m := range g.manifests {
		if s.unread[m] == nil {
			d.readable = append(d.readable, m)
			continue
		}
		d.missing(m, s.unread[m].state, s.unread[m].err)
	}
	manifests := d.readable
	if len(manifests) > erase.MaxManifests {
		return jobs.Permanentf("%d manifests are to go, more than the %d that one expiry can tell apart", len(manifests), erase.MaxManifests)
	}
	settings := []string{g.rec.ID}
	for _, l := range r.table.Scope.Locations() {
		settings = append(settings, l.String())
	}
	plan, stride := erase.Plan(manifests, settings...)
	if r.ck.Plan != plan || r.ck.Stride != stride {
		r.ck.Plan, r.ck.Stride, r.ck.Done = plan, stride, nil
	}
	if len(manifests) == 0 {
		return r.tooMuchUnread()
	}
	entries := erase.Entries{
		From: r.table.Reader, Manifests: manifests, Done: r.ck.Done, Stride: stride, Judge: d,
		Readers: table.DefaultManifestsInFlight, Batches: r.settings.MaxConcurrentDeletes, Logger: r.cfg.Logger,
	}
	if !r.dryRun {
		entries.With, entries.Save = r.table.Eraser, d.saveDone
	}
	done, err := entries.Run(ctx)
	r.ck.Done, r.receipt.AtMost = done, r.receipt.AtMost || d.seen.AtMost()
	if err != nil {
		return err
	}
	if err := r.tooMuchUnread(); err != nil {
		return err
	}
	return r.blocked.Err(levelData.String(), mend)
}

// tooMuchUnread ends the job dead where a checkpoint cannot hold what must stay.
func (r *run) tooMuchUnread() error {
	if len(r.ck.Unread) <= maxUnread {
		return nil
	}
	return jobs.Permanentf("%d manifests and lists of removed snapshots cannot be read, among them %s: %s", len(r.ck.Unread),
		receipt.Shorten(r.receipt.Kept[receipt.Unreadable].Paths[0]), mend)
}

// saveDone stores a checkpoint while the level runs.
func (d *dataLevel) saveDone(ctx context.Context, done []byte) error {
	d.mu.Lock()
	next := d.ck
	next.Done = done
	next.Unread = next.Unread[:min(len(next.Unread), maxUnread)]
	counters := d.receipt.counters(levelData.String())
	d.mu.Unlock()
	return d.progress.Save(ctx, next, counters)
}

// Entry implements [erase.Judge].
func (d *dataLevel) Entry(_ int, e *manifest.Entry) (storage.Location, bool, error) {
	path := string(e.Path)
	l, err := storage.Parse(path)
	switch {
	case e.Status == manifest.StatusDeleted:
		return l, false, nil
	case err == nil && (d.reached[l] || d.sieve.has(l) || d.seen.Before(l)):
		return l, false, nil
	case err != nil || d.table.Scope.Check(l) != nil:
		d.mu.Lock()
		defer d.mu.Unlock()
		d.book.Keep(receipt.OutsideScope, receipt.KindOfEntry(e).Kind(), e.FileSize, path, "")
		return l, false, nil
	}
	return l, true, nil
}

// End implements [erase.Judge].
func (d *dataLevel) End(i int, state table.State, err error) (done bool) {
	if state != table.Read {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.missing(d.readable[i], state, err)
	}
	return true
}

// missing records a manifest of a removed snapshot that was not read.
func (d *dataLevel) missing(m *table.Manifest, state table.State, err error) {
	if d.gone[m] = state == table.Absent; d.gone[m] {
		d.book.Missing(receipt.Manifests, m.Path)
		return
	}
	d.unread(receipt.Manifests, m.Path, state, err)
}

// unread records a list or manifest of a removed snapshot that was not read: what
// it names stays, and it too unless it is not there.
func (r *run) unread(kind receipt.Kind, path string, state table.State, err error) {
	if state == table.Absent {
		r.book.Missing(kind, path)
		return
	}
	r.leave(path)
	r.book.Keep(receipt.Unreadable, kind, 0, path, err.Error())
	r.book.Note("a manifest or list of a removed snapshot cannot be read: it stays, and so do the files that only it names")
}

// Deleted implements [erase.Judge].
func (d *dataLevel) Deleted(l storage.Location, kind receipt.Kind, size int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.receipt.Deleted.Add(kind, 1, size)
	d.book.Deleted(l, kind, size)
}

// Refused implements [erase.Judge].
func (d *dataLevel) Refused(l storage.Location, kind receipt.Kind, size int64, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refuse(kind, size, l, err)
}
