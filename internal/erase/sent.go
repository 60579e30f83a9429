package erase

import (
	"hash/maphash"

	"deckhand/internal/receipt"
	"deckhand/internal/storage"
)

const (
	// maxJoined entries may wait for one file, and maxLost files that stay are
	// remembered. What goes beyond is read again by the next run.
	maxJoined = 1_000
	maxLost   = 10_000
)

// sent are the files that the deleter was given and has not told of, and those that
// stay. The number of one is the tag of its delete.
type sent struct {
	files []sentFile
	free  []int64
	// tags by the hash of the location, lostTag for those that stay. Thousands are on
	// their way, and two of the same hash among them are not to be expected.
	tags map[uint64]int64
	seed maphash.Seed
	lost int
}

const lostTag = -1

// sentFile says whose a file was.
type sentFile struct {
	of    *underway
	entry int64
	kind  receipt.EntryKind
	size  int64 // bytes
	// also are further entries that name it.
	also []namedAlso
}

type namedAlso struct {
	of    *underway
	entry int64
}

func newSent() sent { return sent{tags: map[uint64]int64{}, seed: maphash.MakeSeed()} }

func (s *sent) hash(l storage.Location) uint64 { return maphash.Comparable(s.seed, l) }

func (s *sent) add(l storage.Location, f sentFile) (tag int64) {
	if last := len(s.free) - 1; last >= 0 {
		tag, s.free = s.free[last], s.free[:last]
		s.files[tag] = f
	} else {
		tag = int64(len(s.files))
		s.files = append(s.files, f)
	}
	s.tags[s.hash(l)] = tag
	return tag
}

func (s *sent) onTheWay() int64 { return int64(len(s.files) - len(s.free)) }

// take gives a file of which the deleter has told.
func (s *sent) take(l storage.Location, tag int64, gone bool) sentFile {
	f := s.files[tag]
	s.files[tag] = sentFile{}
	s.free = append(s.free, tag)
	hash := s.hash(l)
	delete(s.tags, hash)
	if !gone {
		if s.lost++; s.lost <= maxLost {
			s.tags[hash] = lostTag
		}
	}
	return f
}

// joining is what becomes of a further entry for a file.
type joining uint8

const (
	// notSent: the file is gone, or was never to go.
	notSent joining = iota
	// joined: it waits for the file.
	joined
	// lost: the file stays, or that cannot be told any more.
	lost
)

// join lets a further entry wait for a file that is on its way.
func (s *sent) join(l storage.Location, of *underway, entry int64) joining {
	tag, found := s.tags[s.hash(l)]
	switch {
	case !found && s.lost <= maxLost:
		return notSent
	case !found || tag == lostTag || len(s.files[tag].also) >= maxJoined:
		return lost
	default:
		s.files[tag].also = append(s.files[tag].also, namedAlso{of, entry})
		return joined
	}
}
