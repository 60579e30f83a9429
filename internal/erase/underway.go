package erase

import "math/bits"

// underway is a manifest whose files are not all gone.
type underway struct {
	manifest int
	// next is the number of the entry that is shown next, skip what an earlier run
	// has done of those from there on. Both belong to the manifest's reader.
	next int64
	skip spans

	// What follows is guarded by the lock of [Entries].

	// earlier is what an earlier run has done.
	earlier spans
	// read entries are settled or among the open ones.
	read int64
	open openEntries
	// holds are the reader and the entries that wait for their files.
	holds int
	// bad: it cannot be done by this run.
	bad bool
}

// hold notes that an entry was read and waits for its file.
func (u *underway) hold(n int64) {
	u.read = n + 1
	u.open.add(n)
	u.holds++
}

// settled are the entries of which nothing is left to do: those that were read
// and are not open, and behind them what an earlier run has done.
func (u *underway) settled() spans {
	settled := u.open.gaps(u.read)
	for _, s := range u.earlier {
		if s.end > u.read {
			settled = settled.add(span{max(s.start, u.read), s.end})
		}
	}
	return settled
}

// openEntries is a set of entries by their numbers, which are added in ascending
// order and taken away in any. It is a bitmap without the part where none is left.
type openEntries struct {
	first int64 // the number of the lowest bit, a multiple of 64
	words []uint64
}

func (o *openEntries) add(n int64) {
	if len(o.words) == 0 {
		o.first = n &^ 63
	}
	for word := (n - o.first) / 64; word >= int64(len(o.words)); {
		o.words = append(o.words, 0)
	}
	o.words[(n-o.first)/64] |= 1 << (n & 63)
}

func (o *openEntries) remove(n int64) {
	o.words[(n-o.first)/64] &^= 1 << (n & 63)
	for len(o.words) > 0 && o.words[0] == 0 {
		o.words, o.first = o.words[1:], o.first+64
	}
}

// gaps are the numbers below end that are not in the set.
func (o *openEntries) gaps(end int64) spans {
	var gaps spans
	from := int64(0)
	for i, word := range o.words {
		for ; word != 0; word &= word - 1 {
			n := o.first + int64(i)*64 + int64(bits.TrailingZeros64(word))
			gaps = gaps.add(span{from, min(n, end)})
			from = n + 1
		}
	}
	return gaps.add(span{from, end})
}
