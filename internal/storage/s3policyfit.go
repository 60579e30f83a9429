package storage

import (
	"fmt"
	"slices"
	"strings"
)

// fit gives the policy of the grant, and in words what it had to widen so that the
// policy is not too long: folders become the folder that they have in common, or
// the one that they lie in, but never more than one of the bounds. The error says
// that the policy is too long even so.
func (g grant) fit(bounds []Location) (policy, widened string, err error) {
	policy = g.policy()
	if len(policy) <= policyLimit {
		return policy, "", nil
	}
	was := len(policy)
	g.read, g.erase = outermost(g.read), outermost(g.erase)
	for len(policy) > policyLimit {
		// What may be read does less harm; but with many folders to erase in, it would
		// come to be all of the bounds and not help.
		first, second := &g.read, &g.erase
		if len(g.erase) > len(g.read) {
			first, second = second, first
		}
		if !widen(first, bounds) && !widen(second, bounds) {
			return "", "", rejected(fmt.Sprintf("the session policy for the role has %d characters with the catalog's own locations in bucket %s, "+
				"and a security token service takes %d: name fewer or shorter locations for the catalog", len(policy), g.bucket, policyLimit))
		}
		policy = g.policy()
	}
	return policy, fmt.Sprintf("a session policy for all folders in bucket %s would have %d characters, and a security token service takes %d: "+
		"the keys of the role may read below %s and delete below %s, while the job keeps to its own locations",
		g.bucket, was, policyLimit, fewLocations(g.read), fewLocations(g.erase)), nil
}

func fewLocations(list []Location) string {
	const shown = 4
	var names []string
	for _, l := range list[:min(len(list), shown)] {
		names = append(names, l.String())
	}
	if more := len(list) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, ", ")
}

// outermost are the folders that lie in no other one, in order, each once: what lies
// in a folder comes right behind it.
func outermost(folders []Location) []Location {
	sorted := slices.SortedFunc(slices.Values(folders), func(a, b Location) int { return strings.Compare(a.folder(), b.folder()) })
	kept := sorted[:0]
	for _, l := range sorted {
		if len(kept) == 0 || !strings.HasPrefix(l.folder(), kept[len(kept)-1].folder()) {
			kept = append(kept, l)
		}
	}
	return kept
}

// fittingFolders is more than there is room for in any policy.
const fittingFolders = 100

// widen makes one step for folders that are outermost: it joins the two that have
// the most in common, which are neighbours, or where no two lie in the same bound
// takes the longest folder's parent. As long as there are far too many, all are
// joined that have as much in common. It says whether there was a step to be made.
func widen(folders *[]Location, bounds []Location) bool {
	list := *folders
	joints := make([]Location, len(list)) // with the one before; without a scheme: none
	first, longest := -1, -1
	for i, l := range list {
		if i > 0 {
			if both, ok := joint(list[i-1], l, bounds); ok {
				joints[i] = both
				if first < 0 || len(both.Key) > len(joints[first].Key) {
					first = i
				}
			}
		}
		if _, ok := bounded(l.Parent(), bounds); ok && !l.Same(l.Parent()) && (longest < 0 || len(l.Key) > len(list[longest].Key)) {
			longest = i
		}
	}
	switch {
	case first >= 0 && len(list) > fittingFolders:
		for i, both := range joints {
			if both.Scheme != "" && len(both.Key) == len(joints[first].Key) {
				list[i] = both
			}
		}
	case first >= 0:
		list[first] = joints[first]
	case longest >= 0:
		list[longest] = list[longest].Parent()
	default:
		return false
	}
	*folders = outermost(list)
	return true
}

// joint is the innermost folder that holds both, when it lies in one of the bounds.
func joint(a, b Location, bounds []Location) (Location, bool) {
	for !b.Same(a) && !b.Within(a) {
		parent := a.Parent()
		if parent.Same(a) {
			return a, false
		}
		a = parent
	}
	return bounded(a, bounds)
}

// bounded says whether the folder is one of the bounds or lies in one.
func bounded(l Location, bounds []Location) (Location, bool) {
	return l, slices.ContainsFunc(bounds, func(b Location) bool { return l.Same(b) || l.Within(b) })
}
