package erase

// span is a range of entries of a manifest, by their numbers: start to end-1.
type span struct{ start, end int64 }

// spans are in ascending order and do not touch.
type spans []span

// add adds a span that begins at the end of the last one or behind it. An empty
// one is left out.
func (s spans) add(more span) spans {
	switch last := len(s) - 1; {
	case more.start >= more.end:
		return s
	case last >= 0 && s[last].end == more.start:
		s[last].end = more.end
		return s
	default:
		return append(s, more)
	}
}

// from leaves out the spans that end before n, and says whether n is in one. It
// is for numbers that ascend.
func (s spans) from(n int64) (rest spans, in bool) {
	for len(s) > 0 && s[0].end <= n {
		s = s[1:]
	}
	return s, len(s) > 0 && s[0].start <= n
}

// length is the number of entries.
func (s spans) length() int64 {
	var n int64
	for _, one := range s {
		n += one.end - one.start
	}
	return n
}
