package purge

import (
	"container/heap"
	"encoding/binary"
	"errors"
	"slices"
	"sync"

	"github.com/cespare/xxhash/v2"

	"deckhand/internal/receipt"
	"deckhand/internal/storage"
)

// A file that manifests of two shards name is counted by both. So that the sum
// counts it once, a shard leaves the names that it counted, as hashes; a large one
// leaves those with the lowest hashes, which are the same files in each shard
// (bottom-k sampling, Cohen and Kaplan 2007).
const (
	// mostNames and mostTombs are left by a shard, 14 bytes each at most; fewer
	// where there are so many shards that the sum could not be held in memory.
	mostNames   = 400
	mostTombs   = 100
	namesOfPlan = 400_000
	leastNames  = 32
)

// names are the files that one shard counted.
type names struct {
	mu    sync.Mutex
	limit int
	live  lowest
	tombs []name
	// moreTombs were noted than are kept.
	moreTombs bool
	// repeats: some may be named by another manifest too. By the format no other
	// manifest adds a file that one has added, but several may keep it, or share
	// a file of deletion vectors.
	repeats bool
}

// name is a file with all that was counted of it.
type name struct {
	hash uint64
	kind receipt.EntryKind
	// reason why it was kept; empty for a deleted one.
	reason Reason
	size   int64
}

// newNames is for one of a number of shards.
func newNames(shards int) *names {
	return &names{limit: min(mostNames, max(leastNames, namesOfPlan/max(shards, 1)))}
}

// hashOf is the same in every process.
func hashOf(l storage.Location) uint64 {
	const prime = 0x9E3779B185EBCA87
	return (xxhash.Sum64String(l.Scheme)*prime+xxhash.Sum64String(l.Bucket))*prime + xxhash.Sum64String(l.Key)
}

// note a file when it is counted. It is safe for many goroutines.
func (n *names) note(l storage.Location, kind receipt.EntryKind, size int64, reason Reason, existing bool) {
	hash := hashOf(l)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.repeats = n.repeats || existing || kind.Kind() == DeletionVectors
	n.live.add(name{hash: hash, kind: kind, reason: reason, size: max(size, 0)}, n.limit)
}

// noteTomb notes a file that only deleted entries of this shard name.
func (n *names) noteTomb(t tombstone) {
	if len(n.tombs) >= mostTombs {
		n.moreTombs = true
		return
	}
	n.tombs = append(n.tombs, name{hash: hashOf(t.location), kind: t.kind, reason: DeletedEntry, size: max(t.size, 0)})
}

// lowest keeps the names with the lowest hashes: a heap with the highest of them
// on top.
type lowest struct {
	kept []name
	// more were noted than are kept.
	more bool
}

var _ heap.Interface = (*lowest)(nil)

func (l *lowest) add(n name, limit int) {
	switch {
	case len(l.kept) < limit:
		heap.Push(l, n)
	case n.hash < l.kept[0].hash:
		l.kept[0], l.more = n, true
		heap.Fix(l, 0)
	default:
		l.more = true
	}
}

// Len implements [heap.Interface].
func (l *lowest) Len() int { return len(l.kept) }

// Less implements [heap.Interface].
func (l *lowest) Less(i, j int) bool { return l.kept[i].hash > l.kept[j].hash }

// Swap implements [heap.Interface].
func (l *lowest) Swap(i, j int) { l.kept[i], l.kept[j] = l.kept[j], l.kept[i] }

// Push implements [heap.Interface].
func (l *lowest) Push(n any) { l.kept = append(l.kept, n.(name)) }

// Pop implements [heap.Interface].
func (l *lowest) Pop() any {
	last := l.kept[len(l.kept)-1]
	l.kept = l.kept[:len(l.kept)-1]
	return last
}

// nameReasons by their number in the encoding.
var nameReasons = []Reason{"", GCDisabled, OutsideScope, DeletedEntry}

// encodeNames writes each name as 8 bytes of hash, one of kind and reason, and the
// size as a varint.
func encodeNames(all []name) []byte {
	var out []byte
	for _, n := range all {
		out = binary.LittleEndian.AppendUint64(out, n.hash)
		out = append(out, byte(n.kind)|byte(slices.Index(nameReasons, n.reason))<<4)
		out = binary.AppendUvarint(out, uint64(n.size)) //nolint:gosec // it is not negative
	}
	return out
}

var errNames = errors.New("names of a shard are damaged")

func decodeNames(in []byte) ([]name, error) {
	var all []name
	for len(in) > 0 {
		if len(in) < 10 {
			return nil, errNames
		}
		kind, reason := in[8]&0xF, int(in[8]>>4)
		size, length := binary.Uvarint(in[9:])
		if length <= 0 || kind > 3 || reason >= len(nameReasons) {
			return nil, errNames
		}
		all = append(all, name{
			hash: binary.LittleEndian.Uint64(in), kind: receipt.EntryKind(kind), reason: nameReasons[reason],
			size: int64(size), //nolint:gosec // it was not negative
		})
		in = in[9+length:]
	}
	return all, nil
}
