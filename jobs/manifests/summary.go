package manifests

import (
	"strconv"

	iceberg "github.com/apache/iceberg-go/table"

	"deckhand/internal/receipt"
)

// Names in the summary of a snapshot: those of the Iceberg table specification
// (appendix F) and of Iceberg's Java library (SnapshotSummary), and Polaris' own.
const (
	summaryCreated   = "manifests-created"
	summaryKept      = "manifests-kept"
	summaryReplaced  = "manifests-replaced"
	summaryProcessed = "entries-processed"

	summaryRemovedDeletes    = "removed-delete-files"
	summaryRemovedPositions  = "removed-position-delete-files"
	summaryRemovedEqualities = "removed-equality-delete-files"
	summaryRemovedDVs        = "removed-dvs"
	summaryRemovedRows       = "removed-position-deletes"
	summaryRemovedKeys       = "removed-equality-deletes"
	summaryRemovedSize       = "removed-files-size"

	summaryTotalDeletes = "total-delete-files"
	summaryTotalRows    = "total-position-deletes"
	summaryTotalKeys    = "total-equality-deletes"
	summaryTotalSize    = "total-files-size"

	// Writers win: a catalog that can do so takes the snapshot back when a commit of
	// a writer conflicts with it.
	summaryRollback = "polaris.internal.conflict-resolution.by-operation-type.replace"
	summaryEngine   = "engine-name"
	// summaryJob is the job whose commit it is, by which it is known again.
	summaryJob = "deckhand.job-id"
)

// carriedTotals are those that a rewriting of manifests never changes.
var carriedTotals = []string{"total-records", "total-data-files"}

// summary of the snapshot, as Iceberg's BaseRewriteManifests and, where delete files
// are dropped, its RewriteFiles write it.
func (p *plan) summary(job string) *iceberg.Summary {
	s := map[string]string{summaryRollback: "rollback", summaryEngine: "deckhand", summaryJob: job}
	put := func(name string, n int64) {
		if n != 0 {
			s[name] = strconv.FormatInt(n, 10)
		}
	}
	var created, entries int64
	var gone dropped
	for _, made := range p.results {
		created += int64(len(made.written))
		entries += made.entries
		gone.addAll(&made.dropped)
	}
	replaced := p.replaced()
	s[summaryCreated] = strconv.FormatInt(created, 10)
	s[summaryReplaced] = strconv.Itoa(len(replaced))
	s[summaryKept] = strconv.Itoa(len(p.sources) - len(replaced))
	s[summaryProcessed] = strconv.FormatInt(entries, 10)

	put(summaryRemovedDeletes, gone.files())
	put(summaryRemovedPositions, gone.counts[receipt.PositionDeletes].Files)
	put(summaryRemovedEqualities, gone.counts[receipt.EqualityDeletes].Files)
	put(summaryRemovedDVs, gone.counts[receipt.DeletionVectors].Files)
	put(summaryRemovedRows, gone.positions)
	put(summaryRemovedKeys, gone.equalities)
	put(summaryRemovedSize, gone.bytes)

	before := p.current.Summary
	for _, name := range carriedTotals {
		lessen(s, before, name, 0)
	}
	lessen(s, before, summaryTotalDeletes, gone.files())
	lessen(s, before, summaryTotalRows, gone.positions)
	lessen(s, before, summaryTotalKeys, gone.equalities)
	lessen(s, before, summaryTotalSize, gone.bytes)
	return &iceberg.Summary{Operation: iceberg.OpReplace, Properties: s}
}

// lessen carries a total over, less what was removed. One that was not told, or that
// would become negative, is left out.
func lessen(into, before map[string]string, name string, removed int64) {
	total, err := strconv.ParseInt(before[name], 10, 64)
	if err == nil && total >= removed {
		into[name] = strconv.FormatInt(total-removed, 10)
	}
}

// replaced are the manifests that the commit takes out of main.
func (p *plan) replaced() map[*source]bool {
	all := map[*source]bool{}
	for _, s := range p.dead {
		all[s] = true
	}
	for _, made := range p.results {
		for _, s := range made.chosen {
			all[s] = true
		}
	}
	return all
}
