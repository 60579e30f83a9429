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
	// single: it is one partition with more in it than may be held.
	single bool
}

func (r keyRange) has(key []byte) bool {
	return string(key) >= r.low && (!r.ended || string(key) < r.high)
}

// meets says that some key from first to last may be in the range.
func (r keyRange) meets(first, last string) bool {
	return last >= r.low && (!r.ended || first < r.high)
}

// ranges cuts the order into ranges of no more than limit bytes each. A partition
// that has more is a range of its own.
func (h *histogram) ranges(limit int64) []keyRange {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.settle()
	var all []keyRange
	var weight int64
	for i, b := range h.bins {
		if i == 0 || weight+b.weight > limit {
			if i > 0 {
				all[len(all)-1].high, all[len(all)-1].ended = b.key, true
			}
			low := b.key
			if i == 0 {
				low = ""
			}
			all, weight = append(all, keyRange{low: low}), 0
		}
		weight += b.weight
		all[len(all)-1].single = weight > limit && !b.wide
	}
	return all
}
