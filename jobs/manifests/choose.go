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
	var bytes int64
	for _, s := range group {
		switch size := s.bytes(); {
		case size*100 < target*smallPercent:
			small = append(small, s)
		case size*100 > target*largePercent+largeSlack*100 && s.live() != 1:
			large = append(large, s)
		default:
			fine = append(fine, s)
			continue
		}
		bytes += s.bytes()
	}
	made := max(1, int((bytes+target-1)/target))
	c := choice{merge: len(small) > 1 && made < len(small)+len(large), split: len(large) > 0}
	if c.cluster = scattered(fine, small, made, c.merge || c.split); c.cluster {
		c.chosen = group
		return c
	}
	if c.merge || c.split {
		c.chosen = slices.Concat(large, small)
		if !c.merge {
			c.chosen = large
		}
	}
	return c
}

// scattered says that more than a quarter of the manifests that are of the right
// size hold partitions between those of the others, with those that would be made
// of the others too if there is reason to make them.
func scattered(fine, others []*source, made int, making bool) bool {
	loose, total := len(fine)-chain(fine), len(fine)
	if making {
		total += made
		if slices.ContainsFunc(others, func(o *source) bool {
			return slices.ContainsFunc(fine, func(f *source) bool { return f.span.overlaps(o.span) })
		}) {
			loose += made + made/2 + 1 // some more, so that the next run is of the same opinion
		}
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

// end sorts spans by where they end; one that says less ends later.
func (s span) end() []byte { return append(bytes.Join(s.high, nil), 0xff) }
