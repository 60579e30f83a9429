package erase

import (
	"sync/atomic"

	"deckhand/internal/storage"
	"deckhand/internal/table"
)

// seenPaths is how many paths a [Seen] tells from each other: 16 MiB of hashes.
const seenPaths = 1_500_000

// Seen counts each file once although several entries name it. With more than
// 1.5 million files some may be counted twice.
type Seen struct {
	set      *table.PathSet
	overflow atomic.Bool
}

// NewSeen has seen nothing.
func NewSeen() *Seen { return &Seen{set: table.NewPathSet(seenPaths)} }

// Before says whether it was asked for the location before. It is safe for many
// goroutines.
func (s *Seen) Before(l storage.Location) bool {
	switch s.set.Add(l) {
	case table.Seen:
		return true
	case table.Unknown:
		s.overflow.Store(true)
	case table.New:
	}
	return false
}

// Has says whether it was asked for the location, without asking.
func (s *Seen) Has(l storage.Location) bool { return s.set.Has(l) == table.Seen }

// AtMost says that some files may have been counted twice.
func (s *Seen) AtMost() bool { return s.overflow.Load() }
