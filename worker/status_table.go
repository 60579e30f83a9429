package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"

	"deckhand/internal/command"
	"deckhand/internal/queue"
)

// printStatus prints a status for people: short, aligned, nothing that is empty.
func printStatus(out io.Writer, status *queue.Status) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	printKinds(table, status)
	printPurges(table, status)
	printRunning(table, status)
	printResults(table, status)
	return flushTable(table)
}

func printKinds(table *tabwriter.Writer, status *queue.Status) {
	fmt.Fprintln(table, "KIND\tWAITING\tOLDEST\tRUNNING\tDELAYED\tDEAD\t")
	for _, kind := range status.Kinds {
		oldest := "-"
		if kind.Waiting > 0 {
			oldest = age(kind.OldestWaiting)
		}
		note := ""
		switch {
		case kind.NoConsumer:
			note = "no consumer: run \"worker setup\""
		case !kind.PausedUntil.IsZero():
			note = "paused until " + kind.PausedUntil.Format(time.RFC3339)
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%d\t%d\t%d\t%s\n", command.Clean(string(kind.Kind)), kind.Waiting, oldest, kind.Running, kind.Delayed, kind.Dead, note)
	}
	_ = table.Flush() // a failure comes back from the last Flush
	if status.MaxBytes > 0 && status.Bytes > uint64(status.MaxBytes)/2 {
		fmt.Fprintf(table, "\nthe queue uses %s of %s\n", size(status.Bytes), size(uint64(status.MaxBytes)))
	}
	for _, kind := range status.Kinds {
		if kind.NewestDead != "" {
			fmt.Fprintf(table, "\nnewest dead letter: %s (see \"worker dead ls\")\n", command.Clean(kind.NewestDead))
		}
	}
	if status.UnknownCount > 0 {
		wait := "wait"
		if status.UnknownCount == 1 {
			wait = "waits"
		}
		fmt.Fprintf(table, "\n%s of a kind that no worker knows %s for ever:\n", plural(int(status.UnknownCount), "job"), wait)
		for _, subject := range status.Unknown {
			fmt.Fprintf(table, "  %s\n", command.Clean(subject))
		}
	}
	_ = table.Flush()
}

func printRunning(table *tabwriter.Writer, status *queue.Status) {
	if len(status.Running) == 0 {
		return
	}
	fmt.Fprintln(table, "\nRUNNING\tFOR\tWORKER\tSTEP\tFILES\tBYTES\tSPEED\tALIVE\tATTEMPT")
	for _, job := range status.Running {
		files := humanize.Comma(job.Counters.Files)
		if job.Counters.Total > 0 {
			files += " of " + humanize.Comma(job.Counters.Total)
		}
		speed, alive := "-", "-"
		if job.FilesPerSecond > 0 || job.BytesPerSecond > 0 {
			speed = fmt.Sprintf("%s files/s", humanize.CommafWithDigits(job.FilesPerSecond, 0))
		}
		if !job.Updated.IsZero() {
			alive = age(status.Time.Sub(job.Updated.Time)) + " ago"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\n", command.Clean(cmp.Or(job.Tail, job.Key)), age(status.Time.Sub(job.Holder.Since.Time)),
			command.Clean(job.Holder.Worker), command.Clean(cmp.Or(job.Counters.Step, "-")), files, size(uint64(max(job.Counters.Bytes, 0))), speed, alive, job.Attempts)
		if trouble := cmp.Or(job.LastError, job.FirstError); trouble != "" {
			fmt.Fprintf(table, "  last error: %s\n", shorten(trouble, 160))
		}
	}
	_ = table.Flush()
}

func printResults(table *tabwriter.Writer, status *queue.Status) {
	if len(status.Results) == 0 {
		return
	}
	fmt.Fprintln(table, "\nENDED\tOUTCOME\tTOOK\tATTEMPTS\tJOB\t")
	for _, result := range status.Results {
		took := "-"
		if r := result.Result; !r.StartedAt.IsZero() {
			took = age(r.FinishedAt.Sub(r.StartedAt.Time))
		}
		fmt.Fprintf(table, "%s ago\t%s\t%s\t%d\t%s\t%s\n", age(status.Time.Sub(result.Time.Time)), command.Clean(string(result.Result.Outcome)), took,
			result.Result.Attempts, command.Clean(result.Tail), shorten(result.Result.Reason, 80))
	}
}

func flushTable(table *tabwriter.Writer) error {
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print table: %w", err)
	}
	return nil
}

// age is a duration for people: two units at most.
func age(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	case d < time.Hour:
		d = d.Round(time.Second)
		return fmt.Sprintf("%dm%ds", d/time.Minute, d%time.Minute/time.Second)
	case d < 48*time.Hour:
		d = d.Round(time.Minute)
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

func size(bytes uint64) string { return humanize.IBytes(bytes) }

// shorten makes a text fit a cell: its first line, cut to a number of
// characters, without any that do not print.
func shorten(text string, limit int) string {
	text, _, _ = strings.Cut(text, "\n")
	text = command.Clean(text)
	if runes := []rune(text); len(runes) > limit {
		return string(runes[:limit-1]) + "…"
	}
	return text
}
