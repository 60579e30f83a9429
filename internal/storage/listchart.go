package storage

import (
	"slices"
	"strings"
	"sync"
)

const (
	// maxCharted is how many folders are looked at for what folders they hold.
	maxCharted = 64
	// maxMarks is how many folders are remembered.
	maxMarks = 10_000
	// freeWaste is what may be asked for in vain, in pages, besides one for each
	// wasteShare of what was listed.
	freeWaste, wasteShare = 8, 8
)

// chart says what there is left to list, and hands it out to those who list. It
// is safe for many goroutines.
type chart struct {
	prefix string

	mu      sync.Mutex
	changed sync.Cond
	ended   bool
	spans   []*span
	// folders are those whose own folders were asked for, and where it is known
	// which these are.
	folders map[string]chartState
	// marks are the folders, in order, of those that are charted.
	marks []string

	pageSize int // in keys: of the largest page that came
	listed   int // keys
	wasted   int // keys that pages had room for and did not bring
	unproven int // spans of which no page has come, and folders being charted
}

type chartState int

const (
	charting  chartState = iota + 1
	charted              // all its folders are marks
	unbounded            // it holds too many
)

// errand is what one goroutine does next: list a span or chart a folder.
type errand struct {
	span   *span
	folder string
}

// newChart begins with what is left after two pages with so many keys.
func newChart(prefix string, whole *span, listed int) *chart {
	c := &chart{prefix: prefix, spans: []*span{whole}, folders: map[string]chartState{}, listed: listed, pageSize: (listed + 1) / 2}
	c.changed.L = &c.mu
	return c
}

// end lets nobody wait any longer.
func (c *chart) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	c.changed.Broadcast()
}

// next waits for something to do; it is false when everything is listed or being
// listed to its end.
func (c *chart) next() (errand, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.ended && len(c.spans) > 0 {
		if e, ok := c.find(); ok {
			c.unproven++
			return e, true
		}
		c.changed.Wait()
	}
	return errand{}, false
}

// find looks for a span to split, best where folders are known, or for a folder
// that is to be known before.
func (c *chart) find() (errand, bool) {
	if c.wasted+c.unproven*c.pageSize >= freeWaste*c.pageSize+c.listed/wasteShare {
		return errand{}, false
	}
	var (
		marked    *span
		most      []string
		guessed   *span
		best      guess
		uncharted string
	)
	for _, s := range c.spans {
		if !s.proven {
			continue
		}
		if marks := c.marksIn(s); len(marks) > 0 {
			if len(marks) > len(most) {
				marked, most = s, marks
			}
			continue
		}
		from, folder := c.known(s.after)
		switch {
		case folder == "":
			if g, ok := s.guess(from); ok && g.better(best) {
				guessed, best = s, g
			}
		case c.folders[folder] == 0 && uncharted == "":
			uncharted = folder
		}
	}
	switch {
	case marked != nil:
		return errand{span: c.split(marked, most[len(most)/2])}, true
	case uncharted != "":
		c.folders[uncharted] = charting
		return errand{folder: uncharted}, true
	case guessed != nil:
		return errand{span: c.split(guessed, best.key)}, true
	}
	return errand{}, false
}

func (c *chart) split(s *span, key string) *span {
	child := s.split(key)
	c.spans = append(c.spans, child)
	return child
}

func (c *chart) marksIn(s *span) []string {
	from, to := upper(c.marks, s.after), len(c.marks)
	if s.until != "" {
		to, _ = slices.BinarySearch(c.marks, s.until)
	}
	return c.marks[from:max(from, to)]
}

// upper is the place of the first mark behind the key.
func upper(marks []string, key string) int {
	n, found := slices.BinarySearch(marks, key)
	if found {
		n++
	}
	return n
}

// known gives the length of the beginning of the key that is the name of the
// folder in which names are to be guessed; or a folder on the way whose folders
// are to be known before, or are being asked for.
func (c *chart) known(key string) (from int, folder string) {
	for from = len(c.prefix); ; {
		child, ok := nextFolder(key, from)
		if !ok {
			return from, ""
		}
		switch c.folders[key[:from]] {
		case charted:
			from = len(child)
		case unbounded:
			return from, ""
		case charting:
			return from, key[:from]
		default:
			if len(c.folders) >= maxCharted {
				return from, ""
			}
			return from, key[:from]
		}
	}
}

// folderIs takes note of a folder's folders.
func (c *chart) folderIs(folder string, page listPage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unproven--
	c.wasted += c.pageSize
	c.folders[folder] = unbounded
	if !page.more && len(c.marks)+len(page.folders) <= maxMarks {
		c.folders[folder] = charted
		c.marks = append(c.marks, page.folders...)
		slices.SortFunc(c.marks, strings.Compare)
	}
	c.changed.Broadcast()
}

// read takes note of a page of a span. It gives the entries that lie in the span
// and whether there is more of it to be read.
func (c *chart) read(s *span, page listPage) (entries []entry, more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	entries, ends := s.take(page.entries)
	more = page.more && !ends
	c.pageSize = max(c.pageSize, len(page.entries))
	c.listed += len(entries)
	c.wasted += c.pageSize - len(entries)
	if s.child && !s.proven {
		c.unproven--
	}
	s.proven = true
	if !more {
		c.spans = slices.DeleteFunc(c.spans, func(other *span) bool { return other == s })
	}
	c.changed.Broadcast()
	return entries, more
}
