package erase

import "deckhand/internal/receipt"

// sent are the files that the deleter was given and has not told of. The number of
// one is the tag of its delete.
type sent struct {
	files []sentFile
	free  []int64
}

// sentFile says whose a file was.
type sentFile struct {
	of    *underway
	entry int64
	kind  receipt.EntryKind
	size  int64 // bytes
}

func (s *sent) add(f sentFile) (tag int64) {
	if last := len(s.free) - 1; last >= 0 {
		tag, s.free = s.free[last], s.free[:last]
		s.files[tag] = f
		return tag
	}
	s.files = append(s.files, f)
	return int64(len(s.files) - 1)
}

func (s *sent) take(tag int64) sentFile {
	f := s.files[tag]
	s.files[tag].of = nil
	s.free = append(s.free, tag)
	return f
}
