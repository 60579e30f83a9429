package erase

import (
	"fmt"

	"deckhand/internal/manifest"
	"deckhand/internal/receipt"
	"deckhand/internal/table"
)

// first is the walk over what is not settled. It is a [table.Visitor].
type first struct {
	*Entries
	// read are the manifests that are being read; each place belongs to the reader
	// of its manifest.
	read []*underway
}

// begin is called by the manifest's reader before it does anything for it.
func (d *first) begin(i int) *underway {
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
func (d *first) Entry(i int, e *manifest.Entry) error {
	u := d.begin(i)
	n, settled := u.next, false
	u.next++
	if u.skip, settled = u.skip.from(n); settled {
		return nil
	}
	location, erase, err := d.Judge.Entry(i, e)
	if err != nil || !erase {
		return err
	}
	kind := receipt.KindOfEntry(e)
	if d.deleter == nil {
		d.tellDeleted(location, kind, e.FileSize)
		return nil
	}
	d.mu.Lock()
	// Only now: as long as it is not read, others that name the same file, and were
	// told that it is seen, do not count for the next run as if it were gone.
	u.read = n + 1
	u.open.add(n)
	u.holds++
	tag := d.sent.add(sentFile{of: u, entry: n, kind: kind, size: max(e.FileSize, 0)})
	d.mu.Unlock()
	if err := d.deleter.Add(location, tag); err != nil {
		return fmt.Errorf("delete %s: %w", location, err)
	}
	return nil
}

// End implements [table.Visitor].
func (d *first) End(i int, state table.State, err error) error {
	u := d.begin(i)
	d.mu.Lock()
	defer d.mu.Unlock()
	u.read = u.next
	if !d.Judge.End(i, state, err) {
		u.bad = true
	}
	if state != table.Read && d.parts[i] != nil {
		d.unread[i] = true
	}
	d.read[i] = nil
	d.release(u)
	return nil
}

// counting is the walk that only counts the files of entries that an earlier run
// has settled. It is a [table.Visitor].
type counting struct {
	*Entries
	// next is, for manifests of which a part is counted, the number of the entry that
	// is shown next and the part from there on.
	next map[int]*counted
}

type counted struct {
	entry int64
	part  spans
	// told: the judge knows that the manifest cannot be read.
	told bool
}

func newCounting(d *Entries) *counting {
	c := &counting{Entries: d, next: map[int]*counted{}}
	for i, settled := range d.parts {
		c.next[i] = &counted{part: settled, told: d.unread[i]}
	}
	return c
}

// Entry implements [table.Visitor].
func (d *counting) Entry(i int, e *manifest.Entry) error {
	if c := d.next[i]; c != nil {
		settled := false
		c.part, settled = c.part.from(c.entry)
		c.entry++
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
	if c := d.next[i]; c != nil && (c.told || state == table.Read) {
		return nil // the judge was told when the rest was read
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.Judge.End(i, state, err)
	return nil
}
