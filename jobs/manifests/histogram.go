package manifests

import (
	"cmp"
	"slices"
	"sync"
)

// maxBins is how many partitions a histogram tells apart. With more, neighbours
// are taken together.
const maxBins = 1 << 15

// histogram says how many bytes of entries lie where in the order of the
// partitions. It is safe for many goroutines.
type histogram struct {
	mu    sync.Mutex
	bins  []bin // ordered by key
	fresh map[string]int64
	total int64
	most  int // bins
}

// bin is what lies from its key up to the next bin's.
type bin struct {
	key    string
	weight int64
	// wide: there is more than one partition in it.
	wide bool
}

func newHistogram() *histogram { return &histogram{fresh: map[string]int64{}, most: maxBins} }

// add counts entries of the partition with the key.
func (h *histogram) add(key []byte, weight int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.total += weight
	if _, found := h.fresh[string(key)]; !found && len(h.fresh) >= h.most {
		h.settle()
	}
	h.fresh[string(key)] += weight
}

// settle puts what is new among the bins, and takes neighbours together while
// there are too many.
func (h *histogram) settle() {
	for key, weight := range h.fresh {
		h.bins = append(h.bins, bin{key: key, weight: weight})
	}
	clear(h.fresh)
	slices.SortStableFunc(h.bins, func(a, b bin) int { return cmp.Compare(a.key, b.key) })
	merged := h.bins[:0]
	for _, b := range h.bins {
		if last := len(merged) - 1; last >= 0 && merged[last].key == b.key {
			merged[last].weight += b.weight
			continue
		}
		merged = append(merged, b)
	}
	h.bins = merged
	// Of so many bins under this weight there are at most twice the most.
	for light := h.total/int64(h.most) + 1; len(h.bins) > h.most; light *= 2 {
		merged = h.bins[:0]
		for _, b := range h.bins {
			if last := len(merged) - 1; last >= 0 && merged[last].weight+b.weight <= light {
				merged[last].weight, merged[last].wide = merged[last].weight+b.weight, true
				continue
			}
			merged = append(merged, b)
		}
		h.bins = merged
	}
}

// keyRange is what lies from low up to high, without high; ended is false for the
// last one, which has no end.
type keyRange struct {
	low, high string
	ended     bool
	weight    int64
	// single: it is one partition.
	single bool
}

// meets says that some key from first to last may be in the range.
func (r keyRange) meets(first, last string) bool {
	return last >= r.low && (!r.ended || first < r.high)
}

// find gives the index of the range that has the key; -1 when none has. Each begins
// where the one before it ends.
func find(ranges []keyRange, key []byte) int {
	i, at := slices.BinarySearchFunc(ranges, key, func(r keyRange, key []byte) int { return cmp.Compare(r.low, string(key)) })
	if !at {
		i--
	}
	if i < 0 || ranges[i].ended && string(key) >= ranges[i].high {
		return -1
	}
	return i
}

// ranges cuts the order into ranges of no more than limit bytes each. A partition
// that has more is a range of its own.
func (h *histogram) ranges(limit int64) []keyRange {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.settle()
	var all []keyRange
	for i, b := range h.bins {
		last := len(all) - 1
		if i > 0 && all[last].weight+b.weight <= limit {
			all[last].weight += b.weight
			all[last].single = false
			continue
		}
		next := keyRange{low: b.key, weight: b.weight, single: !b.wide}
		if i == 0 {
			next.low = ""
		} else {
			all[last].high, all[last].ended = b.key, true
		}
		all = append(all, next)
	}
	return all
}
