package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/dustin/go-humanize"

	"deckhand/internal/command"
	"deckhand/internal/queue"
)

// printPurges prints each purge that is shared out as one line, and below them
// what a person has to look after.
func printPurges(table *tabwriter.Writer, status *queue.Status) {
	if len(status.Purges) == 0 {
		return
	}
	fmt.Fprintln(table, "\nBIG PURGE\tFOR\tSHARDS\tRUNNING\tWAITING\tDEAD\tFILES\tSPEED\tLEFT")
	for _, purge := range status.Purges {
		files := humanize.Comma(purge.FilesDone)
		if purge.FilesDone < purge.Files {
			files += " of ~" + humanize.Comma(purge.Files)
		}
		fmt.Fprintf(table, "%s\t%s\t%d of %d\t%d\t%d\t%d\t%s\t%s\t%s\n", command.Clean(purge.Tail), age(status.Time.Sub(purge.Created.Time)),
			purge.Done, purge.Shards, purge.Ongoing, purge.Waiting, purge.Dead, files, speed(purge.FilesPerSecond), left(purge))
	}
	for _, purge := range status.Purges {
		for _, tail := range purge.DeadShards {
			fmt.Fprintf(table, "  dead: %s (see \"worker dead show\")\n", command.Clean(tail))
		}
		if purge.Missing > 0 && !purge.Planning {
			fmt.Fprintf(table, "  %s of %s neither queued nor completed nor dead, as after a cancel: publish the purge again, and it goes on with what is missing\n",
				plural(purge.Missing, "shard"), command.Clean(purge.Tail))
		}
	}
	_ = table.Flush()
}

// left says what is left of a purge.
func left(purge queue.SharedPurge) string {
	switch {
	case purge.Finish == "dead":
		return "its last job is dead"
	case purge.Finish != "":
		return "its last job is " + command.Clean(purge.Finish)
	case purge.Planning:
		return "is being planned"
	case purge.Ongoing+purge.Waiting == 0 && purge.Done >= purge.Shards:
		return "its last job is missing"
	case purge.Ongoing+purge.Waiting == 0:
		return "stands still"
	case purge.Left > 0:
		return "about " + age(purge.Left)
	}
	return "-"
}

func speed(filesPerSecond float64) string {
	switch {
	case filesPerSecond <= 0:
		return "-"
	case filesPerSecond < 10:
		return humanize.CommafWithDigits(filesPerSecond, 1) + " files/s"
	}
	return humanize.CommafWithDigits(filesPerSecond, 0) + " files/s"
}
