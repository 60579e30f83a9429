package orphans

import (
	"deckhand/internal/storage"
)

// sift tells of each listed file of one place what it is.
type sift struct {
	*run
	number int
	place  place
	prefix prefixID
	hidden hiddenRule
	owners *owners
	most   int
}

func (r *run) newSift(number int, p place, owners *owners) *sift {
	return &sift{
		run: r, number: number, place: p, owners: owners, most: r.maxFiles(),
		prefix: r.reached.prefixes.id(p.root.Scheme, p.root.Bucket),
		hidden: newHiddenRule(r.loaded.Metadata.PartitionFields),
	}
}

// see enters one file. What it holds of the object it copies.
func (s *sift) see(o storage.Object) {
	l, size := o.Location, max(o.Size, 0)
	if s.place.isKept(l) {
		return
	}
	s.receipt.Listed.Files++
	s.receipt.Listed.Bytes += size
	sign := s.foreign.look(l, s.place.from)
	if l.Scheme == "file" && o.ModTime.IsZero() && len(s.links) < maxLinks {
		s.links[l] = size
	}
	compared, other := s.reached.find(l.Key, s.prefix)
	if compared == named {
		s.receipt.Named.Files++
		s.receipt.Named.Bytes += size
		return
	}
	s.owners.ask(o, sign)
	switch {
	case isFolderMarker(l.Key), s.hidden.hides(s.place.relative(l)):
		s.tally.keep(Hidden, l, size)
	case s.foreign.holds(l):
		s.tally.keep(Foreign, l, size)
	case o.ModTime.IsZero():
		s.tally.keep(UnknownAge, l, size)
	case !o.ModTime.Before(s.before):
		s.tally.keep(Young, l, size)
	case s.found.count >= s.most:
		s.tally.keep(BeyondCap, l, size)
	default:
		s.found.add(candidate{location: l, size: size, written: o.ModTime, place: s.number, other: other, mismatched: compared == mismatched})
	}
}
