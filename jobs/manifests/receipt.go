package manifests

import (
	"io"

	"deckhand/internal/receipt"
	"deckhand/jobs"
)

// NotCarried is the reason why a manifest was kept that can be read: it holds
// something that would be lost if it were written anew.
const NotCarried receipt.Reason = "cannot be written anew without loss"

// MayBeNeeded is the reason why a manifest or list was kept that the job has
// written: a commit that names it may still come.
const MayBeNeeded receipt.Reason = "may be needed by a commit of unknown state"

// Receipt is the record of what a rewriting of manifests did.
type Receipt struct {
	DryRun    bool   `json:"dry_run,omitempty"`
	TableUUID string `json:"table_uuid,omitempty"`
	// Gone: the table does not exist any more, so that there was nothing to do.
	Gone bool `json:"gone,omitempty"`
	// MetadataLocation of the table as it was planned.
	MetadataLocation string `json:"metadata_location,omitempty"`
	// SnapshotID that was committed, as text: it has more digits than many JSON
	// readers keep. Empty when nothing was.
	SnapshotID string `json:"snapshot_id,omitempty"`
	// LastSequenceNumber of the table after the run; 0 in v1.
	LastSequenceNumber int64 `json:"last_sequence_number,omitempty"`
	// Before and After are the manifests of main and their bytes (After in a dry
	// run: about what they would be).
	Before receipt.Count `json:"before"`
	After  receipt.Count `json:"after"`
	// Written are the manifests that were made, and Replaced those that they stand
	// for, without those that named no live file.
	Written  receipt.Count `json:"written"`
	Replaced receipt.Count `json:"replaced"`
	// Entries that were carried over.
	Entries int64 `json:"entries"`
	// Dropped are the delete files that applied to nothing, and their bytes. They
	// stay in storage until the snapshots that name them have expired.
	Dropped receipt.Counts `json:"dropped,omitempty"`
	// Kept are manifests that were not rewritten although they should have been,
	// and outputs of the job that may not be deleted.
	Kept receipt.KeptFiles `json:"kept,omitempty"`
	// Cleaned are outputs of the job that were not needed and are deleted.
	Cleaned receipt.Count `json:"cleaned,omitzero"`
	// Conflicts is how often another commit came first, and Reused how many
	// manifests could be used again then.
	Conflicts int              `json:"conflicts,omitempty"`
	Reused    int64            `json:"reused,omitempty"`
	Requests  receipt.Requests `json:"requests"`
	// Notes are things that a person should know.
	Notes      []string `json:"notes,omitempty"`
	Resumed    bool     `json:"resumed,omitempty"`
	Attempt    int      `json:"attempt"`
	Worker     string   `json:"worker"`
	DurationMS int64    `json:"duration_ms"`
}

func (r *Receipt) fit() {
	receipt.Fit(r, r.Kept, func(limit int) { r.Notes = receipt.CutPaths(r.Notes, limit) })
}

// WriteText prints the receipt for people.
func (r *Receipt) WriteText(w io.Writer) error {
	text := receipt.NewText(w)
	rewrote, dropped := "rewrote", "dropped"
	if r.DryRun {
		rewrote, dropped = "would rewrite", "would drop"
	}
	switch {
	case r.Gone:
		text.Line("table\tis gone")
	case r.Replaced.Files == 0:
		text.Line("%s\tnothing\tof %d manifests", rewrote, r.Before.Files)
	default:
		text.Line("%s\t%d manifests\t%s\tof %d", rewrote, r.Replaced.Files, receipt.FormatBytes(r.Replaced.Bytes), r.Before.Files)
		text.Line("into\t%d manifests\t%s\twith %d entries", r.Written.Files, receipt.FormatBytes(r.Written.Bytes), r.Entries)
	}
	for _, kind := range []receipt.Kind{receipt.PositionDeletes, receipt.EqualityDeletes, receipt.DeletionVectors} {
		if count := r.Dropped[kind]; count.Files > 0 {
			text.Line("%s\t%d %s files\tthat applied to nothing", dropped, count.Files, kind)
		}
	}
	text.Kept(r.Kept)
	if r.SnapshotID != "" {
		text.Line("snapshot\t%s", r.SnapshotID)
	}
	if r.Conflicts > 0 {
		text.Line("conflicts\t%d", r.Conflicts)
	}
	text.Notes(r.Notes)
	text.Requests(r.Requests)
	text.Took(r.DurationMS, r.Attempt, r.Resumed, r.Worker)
	return text.Flush()
}

// counters are what people see while the job runs.
func (r *Receipt) counters(step string) jobs.Counters {
	return jobs.Counters{Files: r.Replaced.Files, Bytes: r.Replaced.Bytes, Total: r.Before.Files, Step: step}
}
