package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"deckhand/internal/command"
	"deckhand/jobs"
	"deckhand/jobs/expire"
	"deckhand/jobs/manifests"
	"deckhand/jobs/orphans"
	"deckhand/jobs/purge"
)

// printer prints for people, or as JSON.
type printer struct {
	out  io.Writer
	json bool
}

// submission is what is printed as JSON without --wait.
type submission struct {
	jobs.Publication
	JobID string `json:"job_id,omitempty"`
}

func (p printer) publication(publication jobs.Publication, job *jobs.Job) error {
	if !p.json {
		_, err := fmt.Fprintf(p.out, "%s  %s\n", publication.State, command.Clean(publication.Subject))
		return err
	}
	submitted := submission{Publication: publication}
	if publication.State == jobs.Queued {
		submitted.JobID = job.ID // of one that was there before, the id is another
	}
	return p.encode(submitted)
}

// waiting tells a person why nothing more is printed for now.
func (p printer) waiting(stderr io.Writer, publication jobs.Publication) {
	if !p.json {
		fmt.Fprintf(stderr, "%s  %s, waiting for its end\n", publication.State, command.Clean(publication.Subject))
	}
}

func (p printer) result(result *jobs.Result) error {
	if p.json {
		return p.encode(result)
	}
	took := ""
	if !result.StartedAt.IsZero() {
		took = " in " + result.FinishedAt.Sub(result.StartedAt.Time).Round(time.Millisecond).String()
	}
	if _, err := fmt.Fprintf(p.out, "%s%s  %s\n", result.Outcome, took, command.Clean(jobs.FormatTable(result.Namespace, result.Table))); err != nil {
		return fmt.Errorf("print result: %w", err)
	}
	if len(result.Receipt) == 0 {
		return nil
	}
	if into := receiptOf(result.Kind); into != nil {
		return printReceipt(p.out, result.Receipt, into)
	}
	return nil
}

// receiptOf a kind, empty; nil for a kind that this version does not know.
func receiptOf(kind jobs.Kind) receipt {
	switch kind {
	case jobs.Expire:
		return &expire.Receipt{}
	case jobs.Orphans:
		return &orphans.Receipt{}
	case jobs.Manifests:
		return &manifests.Receipt{}
	case jobs.Purge, jobs.PurgeShard, jobs.PurgeFinish, jobs.PurgeView, jobs.PurgeFiles:
		return &purge.Receipt{}
	}
	return nil
}

// receipt of a kind, for people.
type receipt interface{ WriteText(out io.Writer) error }

func printReceipt(out io.Writer, data json.RawMessage, into receipt) error {
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("read receipt: %w", err)
	}
	return into.WriteText(out)
}

func (p printer) encode(value any) error {
	encoder := json.NewEncoder(p.out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("print result: %w", err)
	}
	return nil
}
