package storage

import "strings"

// span is what one goroutine lists: the keys from behind after to until, which it
// holds too. Spans are split while they are being listed. Together they hold
// every key of the listing once, wherever they were split: where to split is a guess that
// costs a request when it is wrong, and never a key.
type span struct {
	// after is the last key that was read, at first where the span begins.
	after string
	// until is "" for the end of the prefix.
	until string
	// first is the first key of the page that ended with after.
	first string
	// proven says that a page has come and that there is more.
	proven bool
	// child says that the span was split off another one.
	child bool
}

// take gives those of the entries, which are in order, that lie in the span, and
// whether the span ends with them.
func (s *span) take(entries []entry) ([]entry, bool) {
	if len(entries) == 0 {
		return nil, false
	}
	s.first, s.after = entries[0].key, entries[len(entries)-1].key
	if s.until == "" || s.after <= s.until {
		return entries, s.until != "" && s.after == s.until
	}
	n := len(entries)
	for n > 0 && entries[n-1].key > s.until {
		n--
	}
	return entries[:n], true
}

// holds says whether the span can be split behind the key.
func (s *span) holds(key string) bool { return key > s.after && (s.until == "" || key < s.until) }

// split gives what lies behind the key to a new span.
func (s *span) split(key string) *span {
	child := &span{after: key, until: s.until, child: true}
	s.until = key
	return child
}

// guess is where a span may be split: without knowing what lies there.
type guess struct {
	key string
	// place is that of the character that was changed in the name, and step by how
	// much: the earlier and the more, the larger is what lies behind.
	place, step int
}

func (g guess) better(other guess) bool {
	return other.key == "" || g.place < other.place || g.place == other.place && g.step > other.step
}

// guess looks for a place half-way between the last key that was read and the
// end. Names count up, be it in digits or in letters: it raises the first digit or
// letter behind the known beginning of the name, or where nothing more lies there,
// the next one. from is the length of the beginning.
//
// Characters behind the first one in which the keys of the last page differ are
// left alone: a change of them leads no further than a page.
func (s *span) guess(from int) (guess, bool) {
	shared := common(s.after, s.until)
	last := min(common(s.first, s.after), len(s.after)-1)
	for i := max(from, shared); i <= last; i++ {
		c, top := s.after[i], topOf(s.after[i])
		if i == shared && i < len(s.until) {
			end := s.until[i]
			if i == len(s.until)-1 {
				end-- // the guess must lie before the end
			}
			top = min(top, end)
		}
		if top <= c {
			continue
		}
		step := (top - c + 1) / 2
		if key := s.after[:i] + string([]byte{c + step}); s.holds(key) {
			return guess{key: key, place: i - from, step: int(step)}, true
		}
	}
	return guess{}, false
}

// topOf is the last character of the kind of c, 0 for those that are no digits and
// no letters.
func topOf(c byte) byte {
	switch {
	case isDigit(c):
		return '9'
	case 'a' <= c && c <= 'z':
		return 'z'
	case 'A' <= c && c <= 'Z':
		return 'Z'
	}
	return 0
}

// common is the length of the beginning that two keys share.
func common(a, b string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// nextFolder gives the folder below key[:from] that holds the key, with its slash.
func nextFolder(key string, from int) (string, bool) {
	if i := strings.IndexByte(key[from:], '/'); i >= 0 {
		return key[:from+i+1], true
	}
	return "", false
}
