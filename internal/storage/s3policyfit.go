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
	g.read, g.erase = slices.Clone(g.read), slices.Clone(g.erase)
	for len(policy) > policyLimit {
		// What may be read does less harm.
		if !widen(&g.read, bounds) && !widen(&g.erase, bounds) {
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

// widen makes one step: it joins the two folders that have the most in common, or
// where no two lie in the same bound takes the longest folder's parent. It says
// whether there was one to be made.
func widen(folders *[]Location, bounds []Location) bool {
	list := *folders
	var joined Location
	first, second, longest := -1, -1, -1
	for i, l := range list {
		for j := i + 1; j < len(list); j++ {
			both, ok := joint(l, list[j], bounds)
			if ok && (first < 0 || len(both.Key) > len(joined.Key)) {
				first, second, joined = i, j, both
			}
		}
		if _, ok := bounded(l.Parent(), bounds); ok && !l.Same(l.Parent()) && (longest < 0 || len(l.Key) > len(list[longest].Key)) {
			longest = i
		}
	}
	switch {
	case first >= 0:
		list[first] = joined
		*folders = slices.Delete(list, second, second+1)
	case longest >= 0:
		list[longest] = list[longest].Parent()
	default:
		return false
	}
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
