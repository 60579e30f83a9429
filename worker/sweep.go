package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"deckhand/internal/command"
	"deckhand/internal/queue"
)

func newSweep() *cobra.Command {
	var asJSON, dryRun bool
	cmd := &cobra.Command{
		Use:   "sweep",
		Short: "Clear up what a full disk or a crash left in the queue",
		Long: `Looks for what nothing else would ever clear up, and puts it right:

  jobs that NATS took for done and kept, as it does when its disk is full: they
  block their table. One that has ended is removed, any other is queued anew.

  the last job of a big purge whose shards are all completed, if it was lost: it is
  neither queued nor dead, and nobody canceled it; and what shards left of purges
  that are over.

It reports, and leaves alone: big purges that stand still, leases without a job,
jobs of kinds that no worker knows, and jobs that have been queued for a week.

Workers do the same every hour (worker.sweep_every). What is removed was seen
twice, half a minute apart.

Exit codes: 0 done; 1 NATS cannot be reached, another sweep runs, or something
could not be put right; 2 bad input.`,
		Example: `  worker sweep --dry-run
  worker sweep
  worker sweep --json | jq .findings`,
		Args: cobra.NoArgs,
		RunE: command.Action(func(cmd *cobra.Command, s *command.Session, _ []string) error {
			c, err := openQueue(cmd.Context(), s)
			if err != nil {
				return err
			}
			defer c.close()
			report, err := c.queue.Sweep(cmd.Context(), queue.SweepConfig{Worker: workerName(s), DryRun: dryRun, Logger: slog.New(slog.DiscardHandler)})
			if report != nil {
				show := printSweep
				if asJSON {
					show = func(out io.Writer, report *queue.SweepReport) error { return writeJSON(out, report, true) }
				}
				err = errors.Join(err, show(s.Out, report))
			}
			if err == nil {
				err = unfinished(report)
			}
			return err
		}),
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only say what would be done")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// unfinished says that something could not be put right.
func unfinished(report *queue.SweepReport) error {
	failed := 0
	for _, finding := range report.Findings {
		if finding.Error != "" {
			failed++
		}
	}
	if failed == 0 {
		return nil
	}
	return command.Printed(command.Exit(command.Failed, fmt.Errorf("%s could not be put right", plural(failed, "thing"))))
}

// printSweep prints what a sweep found, for people.
func printSweep(out io.Writer, report *queue.SweepReport) error {
	if len(report.Findings) == 0 {
		if _, err := fmt.Fprintln(out, "nothing was found"); err != nil {
			return fmt.Errorf("print sweep: %w", err)
		}
		return nil
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "FOUND\tACTION\tNAME\tWHY")
	for _, finding := range report.Findings {
		action, why := string(finding.Action), finding.Detail
		switch {
		case finding.Error != "":
			action, why = "failed", finding.Error
		case report.DryRun && finding.Action != queue.SweepReported:
			action = "would be " + action
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", command.Clean(string(finding.What)), action, command.Clean(finding.Name), shorten(why, 160))
	}
	if report.Unlisted > 0 {
		fmt.Fprintf(table, "and %d more\n", report.Unlisted)
	}
	return flushTable(table)
}
