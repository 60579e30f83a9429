package purge

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"deckhand/jobs"
)

// Reason why a file was kept.
type Reason string

const (
	// GCDisabled: gc.enabled=false, the table does not own its files.
	GCDisabled Reason = "gc.enabled=false"
	// OutsideScope: the file lies where this purge may not delete.
	OutsideScope Reason = "outside the scope"
	// DeletedEntry: only entries of status DELETED name it.
	DeletedEntry Reason = "named by deleted entries only"
	// Refused: the store did not let it be deleted.
	Refused Reason = "refused by the store"
	// Unreadable: what it names is unknown.
	Unreadable Reason = "unreadable"
	// NamesKept: it names files that were kept, or files not yet deleted.
	NamesKept Reason = "names kept files"
	// AnotherView: it belongs to another view at the same place.
	AnotherView Reason = "belongs to another view"
)

// MaxReceipt is the size in bytes of JSON that a receipt is cut to.
const MaxReceipt = 60 << 10

// maxPaths is how many paths a list of a receipt holds.
const maxPaths = 100

// Kept counts the files that stayed for one reason.
type Kept struct {
	Counts Counts `json:"files"`
	// Paths are examples, at most 100, each with what was wrong where something
	// was.
	Paths []string `json:"paths,omitempty"`
}

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

// Requests are what the run asked of storage.
type Requests struct {
	ByOperation map[string]int64 `json:"by_operation"`
	Retries     int64            `json:"retries"`
	Throttled   int64            `json:"throttled"`
	BytesRead   int64            `json:"bytes_read"`
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
	// Deleted in all runs of the job (in a dry run: would be).
	Deleted Counts `json:"deleted"`
	// AtMost: some of Deleted may have been counted twice.
	AtMost bool            `json:"at_most,omitempty"`
	Kept   map[Reason]Kept `json:"kept,omitempty"`
	// Absent are manifests and lists that were gone before the purge came to them.
	Absent      Counts   `json:"absent,omitempty"`
	AbsentPaths []string `json:"absent_paths,omitempty"`
	Left        *Left    `json:"left,omitempty"`
	Requests    Requests `json:"requests"`
	// Verified lists the ownership checks that were made.
	Verified string `json:"verified"`
	// Notes are things that a person should know.
	Notes      []string `json:"notes,omitempty"`
	Resumed    bool     `json:"resumed,omitempty"`
	Attempt    int      `json:"attempt"`
	Worker     string   `json:"worker"`
	DurationMS int64    `json:"duration_ms"`
}

// keep counts a file that stays.
func (r *Receipt) keep(reason Reason, kind Kind, bytes int64, path, detail string) {
	if r.Kept == nil {
		r.Kept = map[Reason]Kept{}
	}
	kept := r.Kept[reason]
	if kept.Counts == nil {
		kept.Counts = Counts{}
	}
	kept.Counts.add(kind, 1, bytes)
	if path = shorten(path); detail != "" {
		path += ": " + shorten(detail)
	}
	if path != "" && len(kept.Paths) < maxPaths {
		kept.Paths = append(kept.Paths, path)
	}
	r.Kept[reason] = kept
}

// maxShown is how many bytes of a path or message are shown.
const maxShown = 2 << 10

// shorten cuts what is longer than any object's name can be.
func shorten(text string) string {
	if len(text) <= maxShown {
		return text
	}
	return strings.ToValidUTF8(text[:maxShown], "") + "…"
}

// fit cuts lists of paths until the receipt fits into a result.
func (r *Receipt) fit() {
	for limit := maxPaths; ; limit /= 2 {
		cut := func(paths []string) []string { return paths[:min(len(paths), limit)] }
		for reason, kept := range r.Kept {
			kept.Paths = cut(kept.Paths)
			r.Kept[reason] = kept
		}
		r.AbsentPaths, r.Notes = cut(r.AbsentPaths), cut(r.Notes)
		if r.Left != nil {
			r.Left.Paths = cut(r.Left.Paths)
		}
		encoded, err := json.Marshal(r)
		if err != nil || len(encoded) <= MaxReceipt || limit == 0 {
			return
		}
	}
}

// kindOrder is the order in which people read the kinds.
var kindOrder = []Kind{Data, PositionDeletes, EqualityDeletes, DeletionVectors, Manifests, ManifestLists,
	Statistics, PartitionStatistics, MetadataFiles}

// WriteText prints the receipt for people.
func (r *Receipt) WriteText(w io.Writer) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	verb := "deleted"
	if r.DryRun {
		verb = "would delete"
	}
	atMost := ""
	if r.AtMost {
		atMost = "at most "
	}
	for _, kind := range kindOrder {
		if c, ok := r.Deleted[kind]; ok {
			_, _ = fmt.Fprintf(out, "%s\t%s\t%s%d files\t%s\n", verb, kind, atMost, c.Files, formatBytes(c.Bytes))
		}
	}
	total := r.Deleted.Total()
	_, _ = fmt.Fprintf(out, "%s\ttotal\t%s%d files\t%s\n", verb, atMost, total.Files, formatBytes(total.Bytes))
	reasons := make([]Reason, 0, len(r.Kept))
	for reason := range r.Kept {
		reasons = append(reasons, reason)
	}
	slices.Sort(reasons)
	for _, reason := range reasons {
		for _, kind := range kindOrder {
			if c, ok := r.Kept[reason].Counts[kind]; ok {
				_, _ = fmt.Fprintf(out, "kept\t%s\t%d files\t%s\n", kind, c.Files, reason)
			}
		}
		for _, path := range r.Kept[reason].Paths {
			_, _ = fmt.Fprintf(out, "\t\t\t%s\n", printable(path))
		}
	}
	for _, kind := range kindOrder {
		if c, ok := r.Absent[kind]; ok {
			_, _ = fmt.Fprintf(out, "absent\t%s\t%d files\tgone before the purge came to them\n", kind, c.Files)
		}
	}
	switch left := r.Left; {
	case left == nil:
	case left.Unknown != "":
		_, _ = fmt.Fprintf(out, "left\tunknown\t\t%s\n", left.Unknown)
	case left.AtLeast:
		_, _ = fmt.Fprintf(out, "left\tunder the locations\tat least %d files\t%s\n", left.Files, formatBytes(left.Bytes))
	default:
		_, _ = fmt.Fprintf(out, "left\tunder the locations\t%d files\t%s\n", left.Files, formatBytes(left.Bytes))
	}
	if r.Left != nil {
		for _, path := range r.Left.Paths[:min(len(r.Left.Paths), 10)] {
			_, _ = fmt.Fprintf(out, "\t\t\t%s\n", printable(path))
		}
	}
	for _, note := range r.Notes {
		_, _ = fmt.Fprintf(out, "note\t%s\n", note)
	}
	_, _ = fmt.Fprintf(out, "requests\t%s\t%d retries\t%d throttled\n", formatRequests(r.Requests.ByOperation),
		r.Requests.Retries, r.Requests.Throttled)
	_, _ = fmt.Fprintf(out, "verified\t%s\n", r.Verified)
	resumed := ""
	if r.Resumed {
		resumed = ", resumed from a checkpoint"
	}
	_, _ = fmt.Fprintf(out, "took\t%s\tattempt %d%s\t%s\n",
		(time.Duration(r.DurationMS) * time.Millisecond).String(), r.Attempt, resumed, r.Worker)
	if err := out.Flush(); err != nil {
		return fmt.Errorf("print receipt: %w", err)
	}
	return nil
}

// printable quotes a path that holds what a terminal would act on.
func printable(path string) string {
	if strings.ContainsFunc(path, unicode.IsControl) {
		return strconv.Quote(path)
	}
	return path
}

func formatRequests(byOperation map[string]int64) string {
	names := make([]string, 0, len(byOperation))
	for name := range byOperation {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		names[i] = fmt.Sprintf("%d %s", byOperation[name], name)
	}
	return strings.Join(names, ", ")
}

func formatBytes(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, suffix := float64(n)/unit, 0
	for value >= unit && suffix < len("KMGTP")-1 {
		value, suffix = value/unit, suffix+1
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGTP"[suffix])
}

// counters are what people see while the job runs.
func (r *Receipt) counters(step level) jobs.Counters {
	total := r.Deleted.Total()
	return jobs.Counters{Files: total.Files, Bytes: total.Bytes, Step: step.String()}
}
