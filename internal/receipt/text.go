package receipt

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// Text prints a receipt for people, in columns. Errors are kept until Flush.
type Text struct{ out *tabwriter.Writer }

// NewText begins a text.
func NewText(w io.Writer) *Text { return &Text{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)} }

// Flush ends the text.
func (t *Text) Flush() error {
	if err := t.out.Flush(); err != nil {
		return fmt.Errorf("print receipt: %w", err)
	}
	return nil
}

// Line prints a line of columns, separated by tabs.
func (t *Text) Line(format string, args ...any) { _, _ = fmt.Fprintf(t.out, format+"\n", args...) }

// Deleted prints what was deleted by kind, and the total. qualifier comes before
// each number of files: "" or "at most ".
func (t *Text) Deleted(counts Counts, dryRun bool, qualifier string) {
	verb := "deleted"
	if dryRun {
		verb = "would delete"
	}
	for _, kind := range kinds {
		if c, ok := counts[kind]; ok {
			t.Line("%s\t%s\t%s%d files\t%s", verb, kind, qualifier, c.Files, FormatBytes(c.Bytes))
		}
	}
	total := counts.Total()
	t.Line("%s\ttotal\t%s%d files\t%s", verb, qualifier, total.Files, FormatBytes(total.Bytes))
}

// Kept prints what was kept, by reason.
func (t *Text) Kept(kept KeptFiles) {
	for _, reason := range slices.Sorted(maps.Keys(kept)) {
		for _, kind := range kinds {
			if c, ok := kept[reason].Counts[kind]; ok {
				t.Line("kept\t%s\t%d files\t%s", kind, c.Files, reason)
			}
		}
		t.Paths(kept[reason].Paths)
	}
}

// Absent prints what was gone before the job came to it.
func (t *Text) Absent(counts Counts, job string) {
	for _, kind := range kinds {
		if c, ok := counts[kind]; ok {
			t.Line("absent\t%s\t%d files\tgone before the %s came to them", kind, c.Files, job)
		}
	}
}

// Paths prints paths in a column of their own, quoted where they hold what a
// terminal would act on.
func (t *Text) Paths(paths []string) {
	for _, path := range paths {
		if strings.ContainsFunc(path, unicode.IsControl) {
			path = strconv.Quote(path)
		}
		t.Line("\t\t\t%s", path)
	}
}

// Notes prints what a person should know.
func (t *Text) Notes(notes []string) {
	for _, note := range notes {
		t.Line("note\t%s", note)
	}
}

// Requests prints what was asked of storage.
func (t *Text) Requests(r Requests) {
	t.Line("requests\t%s\t%d retries\t%d throttled", r, r.Retries, r.Throttled)
}

// Took prints how long the last run took, and whose it was.
func (t *Text) Took(ms int64, attempt int, resumed bool, worker string) {
	more := ""
	if resumed {
		more = ", resumed from a checkpoint"
	}
	t.Line("took\t%s\tattempt %d%s\t%s", (time.Duration(ms) * time.Millisecond).String(), attempt, more, worker)
}

// FormatBytes writes a number of bytes with a binary unit.
func FormatBytes(n int64) string {
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
