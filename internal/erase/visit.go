package erase

import (
	"fmt"

	"deckhand/internal/manifest"
	"deckhand/internal/receipt"
	"deckhand/internal/storage"
	"deckhand/internal/table"
)

// deleting is the walk over what is not settled. It is a [table.Visitor].
type deleting struct {
	*Entries
	// read are the manifests that are being read; each place belongs to the reader
	// of its manifest.
	read []*underway
}

// begin is called by the manifest's reader before it does anything for it.
func (d *deleting) begin(i int) *underway {
	if u := d.read[i]; u != nil {
		return u
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	u := d.underway[i]
	if u == nil {
		u = &underway{manifest: i}
		d.underway[i] = u
	}
	u.holds++
	d.read[i] = u
	return u
}

// Entry implements [table.Visitor].
func (d *deleting) Entry(i int, e *manifest.Entry) error {
	u := d.begin(i)
	n := u.next
	u.next++
	var settled bool
	if u.skip, settled = u.skip.from(n); settled {
		return nil
	}
	location, tag, err := d.decide(u, n, e)
	switch {
	case err != nil:
		return err
	case tag < 0:
		return nil
	}
	if err := d.deleter.Add(location, tag); err != nil {
		return fmt.Errorf("delete %s: %w", location, err)
	}
	return nil
}

// decide asks the judge, and gives the tag of the delete; a negative one where there
// is none.
func (d *deleting) decide(u *underway, n int64, e *manifest.Entry) (storage.Location, int64, error) {
	d.deciding.RLock()
	location, erase, err := d.Judge.Entry(u.manifest, e)
	if err == nil && erase {
		defer d.deciding.RUnlock()
		kind := receipt.KindOfEntry(e)
		if d.deleter == nil {
			d.tellDeleted(location, kind, e.FileSize)
			return location, -1, nil
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		u.hold(n)
		return location, d.sent.add(location, sentFile{of: u, entry: n, kind: kind, size: max(e.FileSize, 0)}), nil
	}
	d.deciding.RUnlock()
	if err == nil && d.deleter != nil {
		d.notErased(u, n, location)
	}
	return location, -1, err
}

// notErased notes an entry that does not go. If it is because another one has named
// the same file before, it is settled when that file is gone: then all that is settled
// is gone or was not to go, and a later run may take it for seen.
func (d *deleting) notErased(u *underway, n int64, l storage.Location) {
	// Whoever was told before us that it has a file has noted it by now.
	d.deciding.Lock()
	defer d.deciding.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	switch d.sent.join(l, u, n) {
	case joined:
		u.hold(n)
	case lost:
		u.hold(n)
		u.bad = true
		u.holds--
	case notSent:
	}
}

// End implements [table.Visitor].
func (d *deleting) End(i int, state table.State, err error) error {
	u := d.begin(i)
	d.mu.Lock()
	defer d.mu.Unlock()
	u.read = u.next
	if !d.Judge.End(i, state, err) {
		u.bad = true
	}
	d.read[i] = nil
	d.release(u)
	return nil
}

// counting is the walk that only counts the files of entries that an earlier run
// has settled. It is a [table.Visitor].
type counting struct {
	*Entries
	// parts are, for manifests of which a part is settled, where they are read.
	parts map[int]*counted
}

type counted struct {
	// next is the number of the entry that is shown next, settled what is from there
	// on.
	next    int64
	settled spans
}

func newCounting(d *Entries) *counting {
	c := &counting{Entries: d, parts: map[int]*counted{}}
	for i, settled := range d.parts {
		c.parts[i] = &counted{settled: settled}
	}
	return c
}

// Entry implements [table.Visitor].
func (d *counting) Entry(i int, e *manifest.Entry) error {
	if c := d.parts[i]; c != nil {
		var settled bool
		c.settled, settled = c.settled.from(c.next)
		c.next++
		if !settled {
			return nil
		}
	}
	location, erase, err := d.Judge.Entry(i, e)
	if err == nil && erase {
		d.tellDeleted(location, receipt.KindOfEntry(e), e.FileSize)
	}
	return err
}

// End implements [table.Visitor].
func (d *counting) End(i int, state table.State, err error) error {
	if d.parts[i] != nil {
		return nil // the judge is told when the rest is read
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.Judge.End(i, state, err)
	return nil
}
