package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"deckhand/internal/command"
	"deckhand/internal/metastore"
	"deckhand/jobs"
)

// rescueLog tells what became of the rows: for people as it goes on, as JSON at
// the end.
type rescueLog struct {
	printer
	adopt bool
	// entries are kept for JSON only.
	entries []rescued
	// jobs that are or would be queued, and rows that are or would be deleted.
	jobs, adopted int
	keptFor       map[needs]int
}

// rescued is one job, or rows of one table that were kept.
type rescued struct {
	// State is "queued" or "already queued", "would queue" without --adopt, or "kept".
	State   string `json:"state"`
	Realm   string `json:"realm"`
	Table   string `json:"table"`
	Subject string `json:"subject,omitempty"`
	// Rows are the ids of the task rows, as text: they have 63 bits.
	Rows []string `json:"rows"`
	// RowsStay: the rows are not deleted before the job has completed, and are also
	// among those of a "kept" entry.
	RowsStay bool `json:"rows_stay,omitempty"`
	// Lost are those that somebody else changed or removed meanwhile.
	Lost   []string  `json:"lost,omitempty"`
	Job    *jobs.Job `json:"job,omitempty"`
	Reason string    `json:"reason,omitempty"`
	Fix    string    `json:"fix,omitempty"`
}

// rescueReport is what is printed as JSON.
type rescueReport struct {
	Entries []rescued      `json:"entries"`
	Rows    int            `json:"rows"`
	Adopted int            `json:"adopted"`
	Kept    int            `json:"kept"`
	Foreign map[string]int `json:"foreign"`
}

func newRescueLog(s *command.Session, flags rescueFlags) *rescueLog {
	return &rescueLog{printer: printer{s.Out, flags.json}, adopt: flags.adopt, keptFor: map[needs]int{}}
}

func (l *rescueLog) add(entry rescued, line string) {
	if l.json {
		l.entries = append(l.entries, entry)
		return
	}
	_, _ = fmt.Fprintln(l.out, line) // a failing standard output shows at the end
}

func (l *rescueLog) would(batch metastore.Batch) {
	l.jobs++
	l.adopted += len(batch.Rows)
	l.add(entryOf("would queue", batch), "would queue  "+describe(batch))
}

func (l *rescueLog) queued(publication jobs.Publication, batch metastore.Batch, lost []*metastore.Task) {
	l.jobs++
	l.adopted += len(batch.Rows)
	entry := entryOf(string(publication.State), batch)
	line := string(publication.State) + "  " + describe(batch)
	if len(lost) > 0 {
		entry.Lost = ids(lost)
		line += fmt.Sprintf("; %d changed meanwhile and left to whoever did: %s", len(lost), first(entry.Lost))
	}
	l.add(entry, line)
}

// ahead tells of a job whose rows stay until it has completed.
func (l *rescueLog) ahead(state string, batch metastore.Batch) {
	l.jobs++
	entry := entryOf(state, batch)
	entry.RowsStay = true
	l.add(entry, state+"  "+describe(batch)+"; the rows stay until it has completed")
}

// kept tells of the rows of one table; there is at least one.
func (l *rescueLog) kept(rows []*metastore.Task, name string, v verdict) {
	l.keptFor[v.needs] += len(rows)
	line := fmt.Sprintf("kept  %s  realm %s, %s: %s", command.Clean(name), command.Clean(rows[0].Realm), rowsOf(rows), command.Clean(v.reason))
	if v.fix != "" {
		line += "; " + v.fix
	}
	l.add(rescued{State: "kept", Realm: rows[0].Realm, Table: name, Rows: ids(rows), Reason: v.reason, Fix: v.fix}, line)
}

// end prints the sum.
func (l *rescueLog) end(f *found) error {
	kept := l.keptFor[needsTime] + l.keptFor[needsPerson] + l.keptFor[needsStorage]
	foreign := 0
	for _, n := range f.foreign {
		foreign += n
	}
	if l.json {
		return l.encode(rescueReport{append([]rescued{}, l.entries...), f.rows, l.adopted, kept, f.foreign})
	}
	verb := "to adopt"
	if l.adopt {
		verb = "adopted"
	}
	if _, err := fmt.Fprintf(l.out, "%d task rows: %d %s, %d kept, %d not ours\n", f.rows, l.adopted, verb, kept, foreign); err != nil {
		return fmt.Errorf("print sum: %w", err)
	}
	for _, what := range slices.Sorted(maps.Keys(f.foreign)) {
		if _, err := fmt.Fprintf(l.out, "not ours: %d x %s\n", f.foreign[what], what); err != nil {
			return fmt.Errorf("print sum: %w", err)
		}
	}
	if !l.adopt && l.jobs > 0 {
		if _, err := fmt.Fprintln(l.out, "nothing was published or changed; do it with --adopt"); err != nil {
			return fmt.Errorf("print sum: %w", err)
		}
	}
	return nil
}

// verdict is the exit of a rescue that was not cut off.
func (l *rescueLog) verdict() error {
	switch {
	case !l.adopt:
		return nil
	case l.keptFor[needsStorage] > 0:
		return command.Exit(command.TryAgain, fmt.Errorf("%d rows were kept because storage could not be asked", l.keptFor[needsStorage]))
	case l.keptFor[needsPerson] > 0:
		return command.Exit(command.Dead, errors.New("some rows were kept that need a person; see above"))
	}
	return nil
}

func entryOf(state string, batch metastore.Batch) rescued {
	return rescued{State: state, Realm: batch.Job.Realm, Table: jobs.FormatTable(batch.Job.Namespace, batch.Job.Table),
		Subject: batch.Job.Subject(), Rows: ids(batch.Rows), Job: batch.Job}
}

func describe(batch metastore.Batch) string {
	of := command.Clean(cmp.Or(batch.Job.MetadataLocation, "its sub-tasks"))
	return fmt.Sprintf("%s  %s, %s", batch.Job.Subject(), rowsOf(batch.Rows), of)
}

func rowsOf(rows []*metastore.Task) string {
	if len(rows) == 1 {
		return fmt.Sprintf("row %d", rows[0].ID)
	}
	return fmt.Sprintf("%d rows", len(rows))
}

func ids(rows []*metastore.Task) []string {
	out := make([]string, len(rows))
	for i, row := range rows {
		out[i] = fmt.Sprint(row.ID)
	}
	return out
}

// first names a few.
func first(ids []string) string {
	const few = 5
	if len(ids) <= few {
		return fmt.Sprint(ids)
	}
	return fmt.Sprintf("%v and %d more", ids[:few], len(ids)-few)
}
