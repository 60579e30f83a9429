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
	mu       sync.Mutex
	seed     maphash.Seed
	slots    []uint64 // open addressing; 0 is free
	used     int
	capacity int
}

// firstSlots is where a set starts; it doubles as it fills.
const firstSlots = 1 << 10

// NewPathSet makes a set for up to capacity locations. It holds up to
// 8 × 4/3 × capacity bytes, rounded up to a power of two.
func NewPathSet(capacity int) *PathSet {
	return &PathSet{seed: maphash.MakeSeed(), slots: make([]uint64, firstSlots), capacity: capacity}
}

// Add puts a location into the set and says whether it was there. It is safe
// for many goroutines.
func (s *PathSet) Add(l storage.Location) Membership {
	hash := s.hash(l)
	s.mu.Lock()
	defer s.mu.Unlock()
	slot, found := s.find(hash)
	switch {
	case found:
		return Seen
	case s.used >= s.capacity:
		return Unknown
	}
	s.slots[slot] = hash
	s.used++
	if s.used*4 >= len(s.slots)*3 {
		s.grow()
	}
	return New
}

// Has says whether a location was added; Unknown when it was not, but the set
// is full and may have refused it.
func (s *PathSet) Has(l storage.Location) Membership {
	hash := s.hash(l)
	s.mu.Lock()
	defer s.mu.Unlock()
	_, found := s.find(hash)
	switch {
	case found:
		return Seen
	case s.used >= s.capacity:
		return Unknown
	default:
		return New
	}
}

func (s *PathSet) hash(l storage.Location) uint64 {
	hash := maphash.Comparable(s.seed, l)
	if hash == 0 {
		return 1 // 0 marks a free slot
	}
	return hash
}

func (s *PathSet) find(hash uint64) (slot int, found bool) {
	mask := len(s.slots) - 1
	for i := int(hash) & mask; ; i = (i + 1) & mask {
		switch s.slots[i] {
		case hash:
			return i, true
		case 0:
			return i, false
		}
	}
}

func (s *PathSet) grow() {
	old := s.slots
	s.slots = make([]uint64, 2*len(old))
	for _, hash := range old {
		if hash != 0 {
			slot, _ := s.find(hash)
			s.slots[slot] = hash
		}
	}
}
