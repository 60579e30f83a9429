package policy

import "deckhand/jobs"

// Kind of the maintenance that a policy asks for; the same names as the kinds of
// jobs.
type Kind = jobs.Kind

// Kinds of maintenance, one per type of policy. Not each has a worker: see
// [Rules].Runnable.
const (
	// ExpireKind removes snapshots and refs: system.snapshot-expiry.
	ExpireKind = jobs.Expire
	// OrphansKind deletes files that nothing names: system.orphan-file-removal.
	OrphansKind = jobs.Orphans
	// ManifestsKind rewrites manifests: system.metadata-compaction.
	ManifestsKind = jobs.Manifests
	// CompactKind rewrites data files: system.data-compaction.
	CompactKind Kind = "compact"
)

// Kinds lists the kinds of maintenance in the order in which they are explained.
func Kinds() []Kind { return []Kind{ExpireKind, OrphansKind, ManifestsKind, CompactKind} }

// Type of Polaris' policies that asks for the kind; empty for one that no policy
// asks for.
func Type(kind Kind) string {
	switch kind {
	case ExpireKind:
		return "system.snapshot-expiry"
	case OrphansKind:
		return "system.orphan-file-removal"
	case ManifestsKind:
		return "system.metadata-compaction"
	case CompactKind:
		return "system.data-compaction"
	}
	return ""
}
