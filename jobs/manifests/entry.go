package manifests

import (
	"bytes"
	"sync"

	"deckhand/internal/manifest"
)

// entry is a transcribed entry that is kept for a while.
type entry struct {
	bytes []byte
	place *place
	// sequence of the data, records and firstRow are those of [manifest.Entry].
	sequence, records, firstRow int64
	// source is the manifest that it came from, by its index among those read, and
	// number its place there.
	source, number int32
	// gone: its file is removed.
	gone bool
}

// entrySize is about what an entry takes in memory beside what it points to, in a
// list that grows.
const entrySize = 96

// transcript is the entry as a writer takes it.
func (e *entry) transcript(layout *manifest.Layout, into *manifest.Transcript) *manifest.Transcript {
	*into = manifest.Transcript{Bytes: e.bytes, Layout: layout}
	into.Partition, into.SequenceNumber, into.RecordCount, into.FirstRowID = e.place.partition, e.sequence, e.records, e.firstRow
	return into
}

// place is a partition. Entries of one partition share it.
type place struct {
	key       string
	partition []byte
	rank      int // in the order of the places, or of the ranges that they are in
}

// placeSize is what a place takes in memory beside its key and partition.
const placeSize = 128

// places are the partitions of the entries that are held, each once.
type places struct {
	mu    sync.Mutex
	byKey map[string]*place
}

func newPlaces() *places { return &places{byKey: map[string]*place{}} }

// of gives the place with the key, and how many bytes it takes if it is new.
func (p *places) of(key, partition []byte) (*place, int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if found := p.byKey[string(key)]; found != nil {
		return found, 0
	}
	made := &place{key: string(key), partition: bytes.Clone(partition)}
	p.byKey[made.key] = made
	return made, int64(placeSize + len(key) + len(partition))
}

// firstSlab in bytes is where the slabs of a manifest begin; each next one is
// larger, so that small manifests do not take much more than they have.
const firstSlab = 4 << 10

// packer gathers the entries of one manifest into pieces.
type packer struct {
	slab    []byte
	entries []entry
	size    int64
	give    func(piece) error
}

// add copies what the transcript points to.
func (p *packer) add(t *manifest.Transcript, place *place, more int64, source, number int32, gone bool) error {
	if len(p.slab)+len(t.Bytes) > cap(p.slab) {
		if err := p.flush(); err != nil {
			return err
		}
		p.slab = make([]byte, 0, max(firstSlab, min(pieceSize, 2*cap(p.slab)), len(t.Bytes)))
		p.size += int64(cap(p.slab))
	}
	from := len(p.slab)
	p.slab = append(p.slab, t.Bytes...)
	p.entries = append(p.entries, entry{
		bytes: p.slab[from:len(p.slab):len(p.slab)], place: place, sequence: t.SequenceNumber, records: t.RecordCount,
		firstRow: t.FirstRowID, source: source, number: number, gone: gone,
	})
	p.size += entrySize + more
	return nil
}

func (p *packer) flush() error {
	if len(p.entries) == 0 {
		return nil
	}
	full := piece{entries: p.entries, size: p.size}
	p.entries, p.size = nil, 0
	return p.give(full)
}
