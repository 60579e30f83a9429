package expire

import (
	"io"
	"slices"
	"strconv"
	"strings"

	"deckhand/internal/receipt"
	"deckhand/jobs"
)

// Receipt is the record of what an expiry did.
type Receipt struct {
	DryRun    bool   `json:"dry_run,omitempty"`
	TableUUID string `json:"table_uuid,omitempty"`
	// Gone: the table does not exist any more, so that there was nothing to do.
	Gone bool `json:"gone,omitempty"`
	// MetadataLocation of the table as it was planned.
	MetadataLocation string `json:"metadata_location,omitempty"`
	// Snapshots that the table had then.
	Snapshots int `json:"snapshots"`
	// Removed is what the commits took out of the table (in a dry run: would).
	Removed Removed `json:"removed"`
	// Deleted in all runs of the job (in a dry run: would be).
	Deleted receipt.Counts `json:"deleted"`
	// AtMost: some of Deleted may have been counted twice.
	AtMost bool              `json:"at_most,omitempty"`
	Kept   receipt.KeptFiles `json:"kept,omitempty"`
	// Absent are manifests and lists that were gone before the expiry came to
	// them.
	Absent      receipt.Counts `json:"absent,omitempty"`
	AbsentPaths []string       `json:"absent_paths,omitempty"`
	// Finished is how many earlier expiries were finished that had committed and
	// not deleted everything.
	Finished int `json:"finished,omitempty"`
	// Conflicts is how often another commit came first, and the plan was made anew.
	Conflicts int              `json:"conflicts,omitempty"`
	Requests  receipt.Requests `json:"requests"`
	// Versions says what buckets that keep versions made of the deletes.
	Versions *receipt.Versions `json:"versions,omitempty"`
	// Notes are things that a person should know.
	Notes      []string `json:"notes,omitempty"`
	Resumed    bool     `json:"resumed,omitempty"`
	Attempt    int      `json:"attempt"`
	Worker     string   `json:"worker"`
	DurationMS int64    `json:"duration_ms"`
}

// Removed is what a commit takes out of a table's metadata.
type Removed struct {
	Snapshots int `json:"snapshots"`
	// SnapshotIDs are the first 100, as text: they have more digits than many JSON
	// readers keep.
	SnapshotIDs []string `json:"snapshot_ids,omitempty"`
	Refs        []string `json:"refs,omitempty"`
	Specs       []int    `json:"specs,omitempty"`
	Schemas     []int    `json:"schemas,omitempty"`
}

// Empty says that nothing was removed.
func (r Removed) Empty() bool {
	return r.Snapshots == 0 && len(r.Refs) == 0 && len(r.Specs) == 0 && len(r.Schemas) == 0
}

func (r *Removed) add(rec *record) {
	r.Snapshots += len(rec.Snapshots)
	for _, s := range rec.Snapshots {
		if len(r.SnapshotIDs) < receipt.MaxPaths {
			r.SnapshotIDs = append(r.SnapshotIDs, strconv.FormatInt(s.ID, 10))
		}
	}
	for _, name := range rec.Removed.Refs {
		if len(r.Refs) < receipt.MaxPaths {
			r.Refs = append(r.Refs, receipt.Shorten(name))
		}
	}
	r.Specs, r.Schemas = append(r.Specs, rec.Removed.Specs...), append(r.Schemas, rec.Removed.Schemas...)
}

func (r *Receipt) fit() {
	receipt.Fit(r, r.Kept, func(limit int) {
		r.AbsentPaths, r.Notes = receipt.CutPaths(r.AbsentPaths, limit), receipt.CutPaths(r.Notes, limit)
		r.Removed.Refs = receipt.CutPaths(r.Removed.Refs, limit)
	})
}

// WriteText prints the receipt for people.
func (r *Receipt) WriteText(w io.Writer) error {
	text := receipt.NewText(w)
	verb := "removed"
	if r.DryRun {
		verb = "would remove"
	}
	switch {
	case r.Gone:
		text.Line("table\tis gone")
	case r.Removed.Empty() && r.Finished == 0:
		text.Line("%s\tnothing\tof %d snapshots", verb, r.Snapshots)
	default:
		text.Line("%s\t%d snapshots\tof %d", verb, r.Removed.Snapshots, r.Snapshots)
	}
	if len(r.Removed.Refs) > 0 {
		text.Line("%s\trefs\t%s", verb, strings.Join(r.Removed.Refs, ", "))
	}
	if len(r.Removed.Specs) > 0 {
		text.Line("%s\tpartition specs\t%s", verb, joinInts(r.Removed.Specs))
	}
	if len(r.Removed.Schemas) > 0 {
		text.Line("%s\tschemas\t%s", verb, joinInts(r.Removed.Schemas))
	}
	atMost := ""
	if r.AtMost {
		atMost = "at most "
	}
	text.Deleted(r.Deleted, r.DryRun, atMost)
	text.Kept(r.Kept)
	text.Absent(r.Absent, "expiry")
	if r.Finished > 0 {
		text.Line("finished\t%d earlier expiries", r.Finished)
	}
	if r.Conflicts > 0 {
		text.Line("conflicts\t%d", r.Conflicts)
	}
	text.Versions(r.Versions, r.DryRun, "")
	text.Notes(r.Notes)
	text.Requests(r.Requests)
	text.Took(r.DurationMS, r.Attempt, r.Resumed, r.Worker)
	return text.Flush()
}

func joinInts(ids []int) string {
	texts := make([]string, len(ids))
	for i, id := range slices.Sorted(slices.Values(ids)) {
		texts[i] = strconv.Itoa(id)
	}
	return strings.Join(texts, ", ")
}

// counters are what people see while the job runs.
func (r *Receipt) counters(step string) jobs.Counters {
	total := r.Deleted.Total()
	return jobs.Counters{Files: total.Files, Bytes: total.Bytes, Step: step}
}
