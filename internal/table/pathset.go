package table

import (
	"hash/maphash"
	"sync"

	"deckhand/internal/storage"
)

// Membership is what a [PathSet] knows of a path.
type Membership uint8

const (
	// New: the path was not in the set and is now.
	New Membership = iota
	// Seen: the path was in the set. With a chance of about one in 10^7 for a
	// full set it was not, and has the same hash as one that was.
	Seen
	// Unknown: the set is full; whether the path was seen cannot be told.
	Unknown
)

// PathSet remembers which locations were seen, 8 bytes each, up to a capacity.
// It holds hashes with a seed of its own, so that its only possible mistake is
// to call a path seen that was not, and no two sets make the same one.
type PathSet struct {
	seed   maphash.Seed
	shards [setShards]setShard
}

// setShards is a power of two. Shards grow one by one, so that growing never
// holds two copies of the whole set.
const setShards = 64

// setShard is an open-addressing hash table in which 0 is a free slot.
type setShard struct {
	mu       sync.Mutex
	slots    []uint64
	used     int
	capacity int
}

// firstSlots is where a shard starts; it doubles as it fills.
const firstSlots = 16

// NewPathSet makes a set for about capacity locations. It holds up to
// 8 × 4/3 × capacity bytes, rounded up to a power of two.
func NewPathSet(capacity int) *PathSet {
	s := &PathSet{seed: maphash.MakeSeed()}
	for i := range s.shards {
		s.shards[i] = setShard{slots: make([]uint64, firstSlots), capacity: (capacity + setShards - 1) / setShards}
	}
	return s
}

// Add puts a location into the set and says whether it was there. It is safe
// for many goroutines.
func (s *PathSet) Add(l storage.Location) Membership {
	shard, hash := s.shard(l)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	slot, known := shard.lookUp(hash)
	if known == New {
		shard.put(slot, hash)
	}
	return known
}

// Has says whether a location was added; Unknown when it was not, but the set
// is full and may have refused it.
func (s *PathSet) Has(l storage.Location) Membership {
	shard, hash := s.shard(l)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	_, known := shard.lookUp(hash)
	return known
}

// shard takes the hash's upper bits for the shard and the lower for the slot.
func (s *PathSet) shard(l storage.Location) (*setShard, uint64) {
	hash := maphash.Comparable(s.seed, l)
	if hash == 0 {
		hash = 1 // 0 marks a free slot
	}
	return &s.shards[hash>>58], hash
}

func (s *setShard) find(hash uint64) (slot int, found bool) {
	mask := uint64(len(s.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		switch s.slots[i] {
		case hash:
			return int(i), true
		case 0:
			return int(i), false
		}
	}
}

// lookUp gives the hash's slot and what is known of it.
func (s *setShard) lookUp(hash uint64) (slot int, known Membership) {
	slot, found := s.find(hash)
	switch {
	case found:
		return slot, Seen
	case s.used >= s.capacity:
		return slot, Unknown
	default:
		return slot, New
	}
}

func (s *setShard) put(slot int, hash uint64) {
	s.slots[slot] = hash
	s.used++
	if s.used*4 >= len(s.slots)*3 {
		s.grow()
	}
}

func (s *setShard) grow() {
	old := s.slots
	s.slots = make([]uint64, 2*len(old))
	for _, hash := range old {
		if hash != 0 {
			slot, _ := s.find(hash)
			s.slots[slot] = hash
		}
	}
}
