package orphans

import (
	"encoding/binary"
	"time"

	"deckhand/internal/storage"
)

// candidate is a file that nothing names, as far as was seen.
type candidate struct {
	location storage.Location
	// was is where a file of the trash lay; not kept in [candidates].
	was  storage.Location
	size int64
	// written is when, as far as the listing tells.
	written time.Time
	// place is the one of the run in which it was listed.
	place int
	// other is the prefix with which it is named instead, if mismatched.
	other      prefixID
	mismatched bool
}

// candidates keeps orphans in a few bytes each: of a key only what differs from
// the one before. It is not safe for several goroutines at once.
type candidates struct {
	roots  []storage.Location // by place: scheme and bucket
	chunks [][]byte
	count  int
	// mismatched of them are named with another prefix.
	mismatched int
	// last is where the next key is to differ from.
	last      []byte
	lastPlace int
}

// candidateChunk is how many bytes are taken at once.
const candidateChunk = 64 << 10

func newCandidates(places []place) *candidates {
	c := &candidates{lastPlace: -1}
	for _, p := range places {
		c.roots = append(c.roots, p.root)
	}
	return c
}

func (c *candidates) add(found candidate) {
	key := found.location.Key
	need := len(key) + 6*binary.MaxVarintLen64 + 2
	if n := len(c.chunks); n == 0 || cap(c.chunks[n-1])-len(c.chunks[n-1]) < need {
		c.chunks = append(c.chunks, make([]byte, 0, max(candidateChunk, need)))
		c.lastPlace = -1 // each chunk can be read alone
	}
	shared := 0
	if c.lastPlace == found.place {
		shared = sharedBytes(c.last, key)
	}
	at := &c.chunks[len(c.chunks)-1]
	flags := byte(0)
	if found.mismatched {
		flags = 1
		c.mismatched++
	}
	*at = append(*at, flags, byte(found.other))
	*at = binary.AppendUvarint(*at, uint64(found.place))
	*at = binary.AppendUvarint(*at, uint64(max(found.size, 0)))
	ms := found.written.UnixMilli()
	*at = binary.AppendVarint(*at, ms)
	*at = binary.AppendUvarint(*at, uint64(found.written.Sub(time.UnixMilli(ms)))) // of local files only
	*at = binary.AppendUvarint(*at, uint64(shared))
	*at = binary.AppendUvarint(*at, uint64(len(key)-shared))
	*at = append(*at, key[shared:]...)
	c.last, c.lastPlace = append(c.last[:shared], key[shared:]...), found.place
	c.count++
}

func sharedBytes(last []byte, key string) int {
	n := min(len(last), len(key))
	for i := range n {
		if last[i] != key[i] {
			return i
		}
	}
	return n
}

// all yields the candidates in the order in which they were added.
func (c *candidates) all(yield func(candidate) bool) {
	var key []byte
	for _, chunk := range c.chunks {
		key = key[:0]
		for len(chunk) > 0 {
			found := candidate{mismatched: chunk[0] == 1, other: prefixID(chunk[1])}
			chunk = chunk[2:]
			number := func() uint64 {
				n, length := binary.Uvarint(chunk)
				chunk = chunk[length:]
				return n
			}
			found.place, found.size = int(number()), int64(number())
			millis, length := binary.Varint(chunk)
			chunk = chunk[length:]
			found.written = time.UnixMilli(millis).Add(time.Duration(number()))
			shared, rest := number(), number()
			key = append(key[:shared], chunk[:rest]...)
			chunk = chunk[rest:]
			found.location = c.roots[found.place]
			found.location.Key = string(key)
			if !yield(found) {
				return
			}
		}
	}
}

// filter keeps those that it is told to keep.
func (c *candidates) filter(keep func(candidate) bool) {
	kept := &candidates{roots: c.roots, lastPlace: -1}
	for found := range c.all {
		if keep(found) {
			kept.add(found)
		}
	}
	*c = *kept
}
