package policy

import "slices"

// refusal is a key that other engines have for a kind, and that has no place here.
type refusal struct {
	// Name with hyphens.
	name  string
	kinds []Kind
	// why, and what to do instead.
	why string
}

// refusals are the arguments of Spark's procedures (Iceberg 1.10) that are no keys.
var refusals = []refusal{
	{"table", allKinds, "a policy holds for what it is attached to, and a job names its table itself; leave it out"},
	{"file-list-view", onlyOrphans, "no view is read, the store itself is listed; leave it out, or name folders with \"locations\""},
	{"options", []Kind{ManifestsKind, CompactKind}, "options stand among the other keys, each by its own name"},
}

// refused says why a key of another engine is not taken; "" if it is none.
func refused(kind Kind, name string) string {
	for _, r := range refusals {
		if r.name == name && slices.Contains(r.kinds, kind) {
			return r.why
		}
	}
	return ""
}
