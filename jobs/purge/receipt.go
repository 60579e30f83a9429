package purge

import (
	"io"

	"deckhand/internal/receipt"
	"deckhand/jobs"
)

// What the receipts of all kinds have in common.
type (
	Kind       = receipt.Kind
	Count      = receipt.Count
	Counts     = receipt.Counts
	Reason     = receipt.Reason
	PathRecord = receipt.PathRecord
)

// The kinds of file that a purge tells apart.
const (
	Data                = receipt.Data
	PositionDeletes     = receipt.PositionDeletes
	EqualityDeletes     = receipt.EqualityDeletes
	DeletionVectors     = receipt.DeletionVectors
	Manifests           = receipt.Manifests
	ManifestLists       = receipt.ManifestLists
	Statistics          = receipt.Statistics
	PartitionStatistics = receipt.PartitionStatistics
	MetadataFiles       = receipt.MetadataFiles
)

// Reasons why a purge keeps a file.
const (
	// GCDisabled: gc.enabled=false, the table does not own its files.
	GCDisabled Reason = "gc.enabled=false"
	// DeletedEntry: only entries of status DELETED name it.
	DeletedEntry Reason = "named by deleted entries only"
	// NamesKept: it names files that were kept, or files not yet deleted.
	NamesKept Reason = "names kept files"
	// AnotherView: it belongs to another view at the same place.
	AnotherView Reason = "belongs to another view"

	OutsideScope = receipt.OutsideScope
	Refused      = receipt.Refused
	Locked       = receipt.Locked
	Unreadable   = receipt.Unreadable
)

// MaxReceipt is the size in bytes of JSON that a receipt is cut to.
const MaxReceipt = receipt.MaxSize

// Left says what lies under the table's locations at the end.
type Left struct {
	Files int64 `json:"files"`
	Bytes int64 `json:"bytes"`
	// AtLeast: the listing stopped at its limit.
	AtLeast bool     `json:"at_least,omitempty"`
	Paths   []string `json:"paths,omitempty"`
	// Unknown says why the listing could not be made or finished.
	Unknown string `json:"unknown,omitempty"`
}

// Receipt is the record of what a purge did.
type Receipt struct {
	DryRun           bool     `json:"dry_run,omitempty"`
	TableUUID        string   `json:"table_uuid,omitempty"`
	MetadataLocation string   `json:"metadata_location"`
	Locations        []string `json:"locations,omitempty"`
	GCEnabled        bool     `json:"gc_enabled"`
	Snapshots        int      `json:"snapshots"`
	Manifests        int      `json:"manifests"`
	// Plan and Shards of a purge that was shared out; the finish says what all of them
	// did.
	Plan   string `json:"plan,omitempty"`
	Shards int    `json:"shards,omitempty"`
	// Shard is what a shard leaves for the finish.
	Shard *ShardReport `json:"shard,omitempty"`
	// Deleted in all runs of the job (in a dry run: would be).
	Deleted Counts `json:"deleted"`
	// AtMost: some of Deleted may have been counted twice.
	AtMost bool              `json:"at_most,omitempty"`
	Kept   receipt.KeptFiles `json:"kept,omitempty"`
	// Absent are manifests and lists that were gone before the purge came to them.
	Absent      Counts           `json:"absent,omitempty"`
	AbsentPaths []string         `json:"absent_paths,omitempty"`
	Left        *Left            `json:"left,omitempty"`
	Requests    receipt.Requests `json:"requests"`
	// Verified says whom this run asked, before it deleted anything, whether the table
	// lives on: the catalog for its name, for its namespace, for all of the catalog;
	// or off. Empty when it did not get so far.
	Verified Verified `json:"verified,omitempty"`
	// VerifiedAt is when the oldest of the answers was asked for that this rests on.
	VerifiedAt jobs.Timestamp `json:"verified_at,omitzero"`
	// Versions says what buckets that keep versions made of the deletes.
	Versions *receipt.Versions `json:"versions,omitempty"`
	// Notes are things that a person should know.
	Notes      []string `json:"notes,omitempty"`
	Resumed    bool     `json:"resumed,omitempty"`
	Attempt    int      `json:"attempt"`
	Worker     string   `json:"worker"`
	DurationMS int64    `json:"duration_ms"`

	// total number of files, where it is estimated.
	total int64
}

// fit cuts lists of paths until the receipt fits into a result.
func (r *Receipt) fit() {
	receipt.Fit(r, r.Kept, func(limit int) {
		r.AbsentPaths, r.Notes = receipt.CutPaths(r.AbsentPaths, limit), receipt.CutPaths(r.Notes, limit)
		if r.Left != nil {
			r.Left.Paths = receipt.CutPaths(r.Left.Paths, limit)
		}
	})
}

// WriteText prints the receipt for people.
func (r *Receipt) WriteText(w io.Writer) error {
	text := receipt.NewText(w)
	atMost := ""
	if r.AtMost {
		atMost = "at most "
	}
	text.Deleted(r.Deleted, r.DryRun, atMost)
	text.Kept(r.Kept)
	text.Absent(r.Absent, "purge")
	switch left := r.Left; {
	case left == nil:
	case left.Unknown != "":
		text.Line("left\tunknown\t\t%s", left.Unknown)
	case left.AtLeast:
		text.Line("left\tunder the locations\tat least %d files\t%s", left.Files, receipt.FormatBytes(left.Bytes))
	default:
		text.Line("left\tunder the locations\t%d files\t%s", left.Files, receipt.FormatBytes(left.Bytes))
	}
	if r.Left != nil {
		text.Paths(receipt.CutPaths(r.Left.Paths, 10))
	}
	if r.Shards > 0 {
		text.Line("shards\t%d\tof plan %s", r.Shards, r.Plan)
	}
	text.Versions(r.Versions, r.DryRun, ", and on S3 purge.versions: delete in the catalog's configuration keeps later purges from it")
	text.Notes(r.Notes)
	text.Requests(r.Requests)
	r.Verified.writeText(text, r.VerifiedAt)
	text.Took(r.DurationMS, r.Attempt, r.Resumed, r.Worker)
	return text.Flush()
}

// counters are what people see while the job runs.
func (r *Receipt) counters(step level) jobs.Counters {
	total := r.Deleted.Total()
	return jobs.Counters{Files: total.Files, Bytes: total.Bytes, Total: r.total, Step: step.String()}
}
