package orphans

import (
	"io"
	"time"

	"deckhand/internal/receipt"
	"deckhand/jobs"
)

// Reasons why a file that nothing names is kept.
const (
	// Young: it is not older than the settings, or a day, ask for.
	Young receipt.Reason = "too young"
	// UnknownAge: the store does not tell when it was written.
	UnknownAge receipt.Reason = "of unknown age"
	// Hidden: its path has a segment that begins with "_" or ".", or it stands for
	// a folder.
	Hidden receipt.Reason = "hidden"
	// Foreign: it lies in a folder of somebody else.
	Foreign receipt.Reason = "somebody else's"
	// Adopted: a commit came that names it.
	Adopted receipt.Reason = "named by a later commit"
	// Mismatched: its key is named, with another scheme or bucket.
	Mismatched receipt.Reason = "named with another scheme or bucket"
	// BeyondCap: the run has dealt with as many as it may.
	BeyondCap receipt.Reason = "left for the next run"
)

// Receipt is the record of what a search for orphans did.
type Receipt struct {
	DryRun    bool   `json:"dry_run,omitempty"`
	TableUUID string `json:"table_uuid,omitempty"`
	// Gone: the table does not exist any more, so that there was nothing to do.
	Gone bool `json:"gone,omitempty"`
	// MetadataLocation of the table as it was compared last.
	MetadataLocation string `json:"metadata_location,omitempty"`
	// Locations that were looked through.
	Locations []string `json:"locations"`
	// Before: only files written before that time may be orphans, by the store's
	// clock.
	Before time.Time `json:"before,omitzero"`
	// Reached is how many files the table names, each once.
	Reached int64 `json:"reached"`
	// Listed are all files below the locations but those of Deckhand itself; Named
	// those that the table names.
	Listed receipt.Count `json:"listed"`
	Named  receipt.Count `json:"named"`
	// Deleted in all runs of the job, those of the trash included (in a dry run:
	// would be), and Moved into the trash.
	Deleted receipt.Counts `json:"deleted"`
	Moved   receipt.Counts `json:"moved,omitempty"`
	// Emptied is how much of Deleted came out of the trash.
	Emptied receipt.Count `json:"emptied,omitzero"`
	// Trash is where Moved lies.
	Trash []string `json:"trash,omitempty"`
	// Kept by reason, of the last run. What is left for the next run is there too.
	Kept receipt.KeptFiles `json:"kept,omitempty"`
	// Foreign are folders that were left alone, at most 100.
	Foreign []string `json:"foreign,omitempty"`
	// Loads is how often the table was loaded again, and Commits how often it had
	// changed then.
	Loads   int `json:"loads"`
	Commits int `json:"commits"`
	// Took is how long the steps took, in milliseconds.
	Took     Steps            `json:"took"`
	Requests receipt.Requests `json:"requests"`
	// Versions says what buckets that keep versions made of the deletes.
	Versions *receipt.Versions `json:"versions,omitempty"`
	// Notes are things that a person should know.
	Notes      []string `json:"notes,omitempty"`
	Resumed    bool     `json:"resumed,omitempty"`
	Attempt    int      `json:"attempt"`
	Worker     string   `json:"worker"`
	DurationMS int64    `json:"duration_ms"`
}

// Steps of a run, in milliseconds.
type Steps struct {
	ReachMS  int64 `json:"reach_ms"`
	ListMS   int64 `json:"list_ms"`
	DeleteMS int64 `json:"delete_ms"`
}

func (r *Receipt) fit() {
	receipt.Fit(r, r.Kept, func(limit int) {
		r.Foreign, r.Notes = receipt.CutPaths(r.Foreign, limit), receipt.CutPaths(r.Notes, limit)
		r.Locations, r.Trash = receipt.CutPaths(r.Locations, max(limit, 1)), receipt.CutPaths(r.Trash, max(limit, 1))
	})
}

// WriteText prints the receipt for people.
func (r *Receipt) WriteText(w io.Writer) error {
	text := receipt.NewText(w)
	if r.Gone {
		text.Line("table\tis gone")
	}
	for _, l := range r.Locations {
		text.Line("looked\tthrough\t%s", l)
	}
	text.Line("listed\t\t%d files\t%s", r.Listed.Files, receipt.FormatBytes(r.Listed.Bytes))
	text.Line("named\tby the table\t%d files\t%s\tof %d that it names", r.Named.Files, receipt.FormatBytes(r.Named.Bytes), r.Reached)
	text.Deleted(r.Deleted, r.DryRun, "")
	if r.Emptied.Files > 0 {
		text.Line("of them\tfrom the trash\t%d files\t%s", r.Emptied.Files, receipt.FormatBytes(r.Emptied.Bytes))
	}
	if moved := r.Moved.Total(); moved.Files > 0 {
		verb := "moved"
		if r.DryRun {
			verb = "would move"
		}
		text.Line("%s\tinto the trash\t%d files\t%s", verb, moved.Files, receipt.FormatBytes(moved.Bytes))
		text.Paths(r.Trash)
	}
	text.Kept(r.Kept)
	for _, folder := range r.Foreign {
		text.Line("left alone\tfolder\t%s", folder)
	}
	text.Versions(r.Versions, r.DryRun, "")
	text.Notes(r.Notes)
	text.Requests(r.Requests)
	text.Took(r.DurationMS, r.Attempt, r.Resumed, r.Worker)
	return text.Flush()
}

// counters are what people see while the job runs.
func (r *Receipt) counters(step string) jobs.Counters {
	total, moved := r.Deleted.Total(), r.Moved.Total()
	return jobs.Counters{Files: total.Files + moved.Files, Bytes: total.Bytes + moved.Bytes, Step: step}
}
