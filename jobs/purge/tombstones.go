package purge

import (
	"slices"
	"strings"
	"sync"

	"deckhand/internal/erase"
	"deckhand/internal/receipt"
	"deckhand/internal/storage"
)

// maxTombstoneBytes bounds the memory for paths that deleted entries name.
const maxTombstoneBytes = 4 << 20

// tombstones remembers the files that entries of status DELETED name, until it
// is known whether a live entry names them too.
type tombstones struct {
	mu         sync.Mutex
	files      map[storage.Location]tombstone
	bytes      int
	overflowed bool
}

type tombstone struct {
	// path and location are set for those that are reported.
	path     string
	location storage.Location
	kind     receipt.EntryKind
	size     int64
}

func (t *tombstones) add(l storage.Location, kind receipt.EntryKind, size int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, found := t.files[l]; found {
		return
	}
	if t.bytes += len(l.Key) + len(l.Bucket) + 64; t.bytes > maxTombstoneBytes {
		t.overflowed = true
		return
	}
	if t.files == nil {
		t.files = map[storage.Location]tombstone{}
	}
	t.files[l] = tombstone{kind: kind, size: size}
}

// unclaimed are those that no live entry names, by path.
func (t *tombstones) unclaimed(live *erase.Seen) []tombstone {
	var unclaimed []tombstone
	for l, tomb := range t.files {
		if live.Has(l) {
			continue
		}
		tomb.path, tomb.location = l.String(), l
		unclaimed = append(unclaimed, tomb)
	}
	slices.SortFunc(unclaimed, func(a, b tombstone) int { return strings.Compare(a.path, b.path) })
	return unclaimed
}
