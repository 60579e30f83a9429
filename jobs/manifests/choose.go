package manifests

import (
	"bytes"
	"slices"
)

// Sizes of manifests that are as they should be, in per cent of the target: those
// of data files in Iceberg's rewrites (BinPackRewriteFilePlanner). A manifest that
// is a little too large is not split, since a block more or less is not to be
// foreseen.
const (
	smallPercent = 75
	largePercent = 180
	largeSlack   = 128 << 10
)

// choice is which manifests of a group are written anew, and why.
type choice struct {
	chosen []*source
	// merge: there are too many small ones. split: there are too large ones.
	// cluster: too many hold partitions that lie between those of others.
	merge, split, cluster bool
}

// choose says which manifests of one group are worth writing anew. Those that are
// not chosen stay as they are. After a rewriting it chooses nothing of what came
// out.
func choose(group []*source, target int64) choice {
	var small, large, fine []*source
	for _, s := range group {
		switch size := s.bytes(); {
		case size*100 < target*smallPercent:
			small = append(small, s)
		case size*100 > target*largePercent+largeSlack*100 && s.live() != 1:
			large = append(large, s)
		default:
			fine = append(fine, s)
		}
	}
	merged := mergeable(small, fine, target)
	c := choice{merge: len(merged) > 0, split: len(large) > 0, chosen: slices.Concat(large, merged)}
	var bytes int64
	for _, s := range c.chosen {
		bytes += s.bytes()
	}
	made := int((bytes + target - 1) / target)
	if c.cluster = scattered(fine, merged, made); c.cluster {
		c.chosen = group
	}
	return c
}

// fullPercent of the target is what neighbours may have to be merged.
const fullPercent = 90

// mergeable are the small manifests that can be fewer. Neighbours in the order of
// their partitions are merged, and one of the right size between them keeps them
// apart: else a manifest that ends with a partition, as it was made, would be taken
// for one that is too small.
func mergeable(small, fine []*source, target int64) (merged []*source) {
	all := slices.Concat(small, fine)
	isSmall := map[*source]bool{}
	for _, s := range small {
		isSmall[s] = true
	}
	slices.SortStableFunc(all, func(a, b *source) int { return bytes.Compare(a.span.begin(), b.span.begin()) })
	var run []*source
	var filled int64
	made := 0
	end := func() {
		if made < len(run) {
			merged = append(merged, run...)
		}
		run, filled, made = nil, 0, 0
	}
	for _, s := range all {
		if !isSmall[s] {
			if s.span.known {
				end()
			}
			continue
		}
		if made == 0 || filled+s.bytes() > target*fullPercent/100 {
			made, filled = made+1, 0
		}
		filled += s.bytes()
		run = append(run, s)
	}
	end()
	return merged
}

// scattered says that more than a quarter of the manifests that are of the right
// size hold partitions between those of the others, with those that would be made
// of the others too if there is reason to make them.
func scattered(fine, others []*source, made int) bool {
	loose, total := len(fine)-chain(fine), len(fine)+made
	if slices.ContainsFunc(others, func(o *source) bool {
		return slices.ContainsFunc(fine, func(f *source) bool { return f.span.overlaps(o.span) })
	}) {
		loose += made + made/2 + 1 // some more, so that the next run is of the same opinion
	}
	return loose*4 > total
}

// chain is how many of the manifests can lie one behind the other without
// overlapping, at the most: each time the one that ends first.
func chain(all []*source) int {
	var known []*source
	unknown := 0
	for _, s := range all {
		if !s.span.known {
			unknown++
			continue
		}
		known = append(known, s)
	}
	slices.SortStableFunc(known, func(a, b *source) int { return bytes.Compare(a.span.end(), b.span.end()) })
	count := 0
	var last *source
	for _, s := range known {
		if last == nil || !before(s.span.low, last.span.high) {
			count, last = count+1, s
		}
	}
	return unknown + count
}

// begin sorts spans by where they begin.
func (s span) begin() []byte { return bytes.Join(s.low, nil) }

// end sorts spans by where they end; one that says less ends later.
func (s span) end() []byte { return append(bytes.Join(s.high, nil), 0xff) }
