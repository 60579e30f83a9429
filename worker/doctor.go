package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"deckhand/internal/command"
)

// verdict is what a check found.
type verdict string

const (
	verdictOK   verdict = "ok"
	verdictWarn verdict = "warn" // works, but someone should look
	verdictSkip verdict = "skip" // could not be checked
	verdictFail verdict = "FAIL"
)

// finding is one line of a doctor's report.
type finding struct {
	Verdict verdict `json:"verdict"`
	// Area is "nats" or "catalog NAME".
	Area string `json:"area"`
	// Check is what was tried.
	Check string `json:"check"`
	// Detail is what was found, and what to do.
	Detail string `json:"detail"`
}

// report collects findings.
type report struct{ findings []finding }

func (r *report) add(v verdict, area, check, format string, args ...any) {
	r.findings = append(r.findings, finding{v, area, check, fmt.Sprintf(format, args...)})
}

// result is OK with the detail, or the verdict for an error with its text.
func (r *report) result(err error, bad verdict, area, check, detail string) bool {
	if err != nil {
		r.add(bad, area, check, "%s", command.OneLine(err))
		return false
	}
	r.add(verdictOK, area, check, "%s", detail)
	return true
}

func (r *report) failed() (count int) {
	for _, f := range r.findings {
		if f.Verdict == verdictFail {
			count++
		}
	}
	return count
}

func newDoctor() *cobra.Command {
	var asJSON, noNATS bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check that a worker with this configuration can do its work",
		Long: `Tries what a worker needs: NATS answers, is new enough, has JetStream and the
streams, and grants each right; each catalog's locations can be listed, read and
deleted in; what the kinds that have slots ask of a catalog, it answers; clocks
agree. It stores nothing in NATS. In object stores it deletes
an object that does not exist, in folders a file that it has just written.

Exit codes: 0 all is well, 1 something is not, 2 bad input.`,
		Example: `  worker doctor --config deckhand.yaml`,
		Args:    cobra.NoArgs,
		RunE: command.Action(func(cmd *cobra.Command, s *command.Session, _ []string) error {
			return examine(cmd.Context(), s, asJSON, noNATS)
		}),
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().BoolVar(&noNATS, "no-nats", false, "check only the catalogs")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func examine(ctx context.Context, s *command.Session, asJSON, noNATS bool) error {
	report := &report{}
	if !noNATS {
		examineNATS(ctx, s, report)
	}
	catalogs := s.Config.CatalogsNamed("")
	if len(catalogs) == 0 {
		report.add(verdictWarn, "catalogs", "configured", "none is configured; name them under catalogs: in the file of --config")
	}
	for _, catalog := range catalogs {
		examineCatalog(ctx, catalog, s.Config.Worker.Slots, s.Log, report)
	}
	if err := report.print(s.Out, asJSON); err != nil {
		return err
	}
	if count := report.failed(); count > 0 {
		return command.Exit(command.Failed, errors.New(plural(count, "check")+" failed"))
	}
	return nil
}

func plural(count int, noun string) string {
	if count == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", count, noun)
}

func (r *report) print(out io.Writer, asJSON bool) error {
	if asJSON {
		return writeJSON(out, r.findings, true)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, f := range r.findings {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", f.Verdict, f.Area, f.Check, f.Detail)
	}
	return flushTable(table)
}
