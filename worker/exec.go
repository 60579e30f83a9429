package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"deckhand/internal/broker"
	"deckhand/internal/command"
	"deckhand/internal/config"
	"deckhand/internal/polaris"
	"deckhand/internal/queue"
	"deckhand/jobs"
)

func newExec() *cobra.Command {
	var job jobFlags
	var output outputFlags
	cmd := &cobra.Command{
		Use:   "exec KIND",
		Short: "Run one job now, without the queue",
		Long: `Runs one job in this process and prints its receipt. KIND is expire, orphans or
manifests for a table that lives; purge, purge-view, or purge-files with --file for
what was dropped. The catalog must be in the configuration. If NATS answers, the table
is locked for as long, else "not locked" is said.

A purge needs the metadata file of the dropped table, which must lie inside the
catalog's locations. Give --table and --table-uuid as the catalog had them, so that
the lock is the one that a queued purge of the table takes, and so that the table is
checked to be the one that is meant. Before anything is deleted the catalog is asked
over REST whether the table lives on (purge.verify); without --table in all of its
namespaces.

A table that lives needs a catalog with a rest section, and --table. --set gives
settings by the names that policies have; what is not set is as the table's properties
say. Nothing asks whether the table is due.

Exit codes: 0 done, 2 bad input, or no such table, 3 failed for good, 4 try again.`,
		Example: `  worker exec expire --config deckhand.yaml --catalog lake --table sales.orders \
      --set retain-last=5 --set older-than=7d --dry-run --list
  worker exec orphans --config deckhand.yaml --catalog lake --table sales.orders \
      --set older-than=5d --set quarantine=14d --dry-run --list
  worker exec manifests --config deckhand.yaml --catalog lake --table sales.orders
  worker exec purge --config deckhand.yaml --catalog lake \
      --metadata-location s3://warehouse/sales/orders/metadata/00012-a.metadata.json \
      --dry-run --list
  worker exec purge --config deckhand.yaml --file job.json --json`,
		Args: command.OneKind,
		RunE: command.Action(func(cmd *cobra.Command, s *command.Session, args []string) error {
			built, err := job.build(s.Config, jobs.Kind(args[0]), cmd.InOrStdin())
			if err != nil {
				return command.Exit(command.BadInput, err)
			}
			return execute(cmd.Context(), s, built, output)
		}),
	}
	cmd.Flags().SortFlags = false
	job.bind(cmd.Flags())
	output.bind(cmd.Flags())
	command.FailuresAsJSON(cmd, "outcome", func(err error) string {
		if errors.Is(err, queue.ErrHeld) {
			return "held"
		}
		return ""
	})
	return cmd
}

func execute(ctx context.Context, s *command.Session, job *jobs.Job, output outputFlags) (err error) {
	catalog, found := s.Config.Catalog(job.Realm, job.Catalog)
	if !found {
		return command.Exit(command.BadInput, unknownCatalog(s.Config, job.Realm, job.Catalog))
	}
	if err := tooEarly(job, s.Config.Worker.DryRun, time.Now()); err != nil {
		return command.Exit(command.TryAgain, err)
	}
	list, err := output.open(s.Out)
	if err != nil {
		return command.Exit(command.BadInput, err)
	}
	defer func() { err = errors.Join(err, list.close()) }()
	if isNameless(job) {
		catalog = askAll(catalog)
	}
	box, err := openCatalogs([]*config.Catalog{catalog}, nil, s.Log)
	if err != nil {
		return command.Exit(command.BadInput, err)
	}
	defer func() { err = errors.Join(err, box.close()) }()
	name := workerName(s)
	handlers, err := box.handlers(handlerConfig{worker: name, dryRun: s.Config.Worker.DryRun, log: s.Log, list: list.record()})
	if err != nil {
		return command.Exit(command.BadInput, err)
	}

	handler := handlers[job.Kind]
	if handler == nil {
		return command.Exit(command.BadInput, fmt.Errorf("catalog %s: %w", catalog.Name, box.noHandler(job.Kind)))
	}

	lease, release, err := lock(ctx, s, job, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()

	started := time.Now()
	receipt, runErr := handler.Run(lease, job, &execProgress{log: s.Log})
	if cause := context.Cause(lease); runErr != nil && cause != nil {
		runErr = fmt.Errorf("stopped, run it again to finish: %w", cause)
	}
	listErr := list.flush() // before the receipt; both may go to standard output
	if err := noSuchTable(job, receipt); runErr == nil && err != nil {
		return errors.Join(listErr, command.Exit(command.BadInput, err))
	}
	result := execResult{job: job, worker: name, started: started, err: runErr, receipt: receipt}
	if err := errors.Join(listErr, result.print(s.Out, output)); err != nil {
		return errors.Join(runErr, err)
	}
	return command.Printed(command.Exit(result.code(), runErr))
}

// tooEarly refuses to delete before the time that the job gives; the queue would
// have kept it until then.
func tooEarly(job *jobs.Job, dryRun bool, now time.Time) error {
	if job.DryRun || dryRun || !job.NotBefore.After(now) {
		return nil
	}
	return fmt.Errorf("not before %s; give --dry-run, or take not_before out of the job", job.NotBefore.Format(time.RFC3339))
}

// lockTimeout is how long NATS may take to answer before a run does without it.
const lockTimeout = 5 * time.Second

// lock takes the table's lease if NATS answers, and says so if not. The context
// that it returns ends when the lease is lost; release must be called. The error
// says who holds the lease, or which setting cannot be used.
func lock(ctx context.Context, s *command.Session, job *jobs.Job, worker string) (context.Context, func() error, error) {
	nothing := func() error { return nil }
	if job.DryRun || s.Config.Worker.DryRun {
		return ctx, nothing, nil // nothing is changed, so nobody need be kept out
	}
	unlocked := func(err error) (context.Context, func() error, error) {
		fmt.Fprintf(s.Err, "%s: not locked: %s\n", s.Program, command.OneLine(err))
		return ctx, nothing, nil
	}
	attempt, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	c, err := openQueue(attempt, s)
	if errors.Is(err, broker.ErrSettings) {
		return ctx, nothing, err
	}
	if err != nil {
		return unlocked(err)
	}
	lease, err := c.queue.Acquire(ctx, job.LockKey(), queue.Holder{Worker: worker, Job: job.ID, Kind: job.Kind})
	if err != nil {
		c.close()
		if errors.Is(err, queue.ErrHeld) {
			return ctx, nothing, command.Exit(command.TryAgain, err)
		}
		return unlocked(err)
	}
	if isUnnamed(job) {
		fmt.Fprintf(s.Err, "%s: locked only against other exec runs; give --table and --table-uuid to lock the table itself\n", s.Program)
	}
	running, stop := context.WithCancelCause(ctx)
	detach := context.AfterFunc(lease.Context(), func() { stop(context.Cause(lease.Context())) })
	return running, func() error {
		defer c.close()
		detach()
		stop(nil)
		// Also after a signal: the table should be free at once.
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), lockTimeout)
		defer cancel()
		if err := lease.Release(end); err != nil && !errors.Is(err, queue.ErrLeaseLost) {
			return fmt.Errorf("release lease: %w", err)
		}
		return nil
	}, nil
}

// execProgress stands in for the queue: there is no checkpoint to keep.
type execProgress struct {
	log  *slog.Logger
	said time.Time
}

var _ jobs.Progress = (*execProgress)(nil)

// progressEvery is how often a long run says how far it is.
const progressEvery = 10 * time.Second

// Attempt implements [jobs.Progress].
func (p *execProgress) Attempt() int { return 1 }

// Checkpoint implements [jobs.Progress].
func (p *execProgress) Checkpoint() json.RawMessage { return nil }

// Alive implements [jobs.Progress].
func (p *execProgress) Alive() {}

// Earlier implements [jobs.Progress].
func (p *execProgress) Earlier() *jobs.Result { return nil }

// Save implements [jobs.Progress].
func (p *execProgress) Save(ctx context.Context, _ any, counters jobs.Counters) error {
	if p.said.IsZero() {
		p.said = time.Now()
	}
	if time.Since(p.said) >= progressEvery {
		p.said = time.Now()
		p.log.InfoContext(ctx, "still running", slog.String("step", counters.Step),
			slog.Int64("files", counters.Files), slog.Int64("bytes", counters.Bytes))
	}
	return nil
}

// execResult is how the run ended.
type execResult struct {
	job     *jobs.Job
	worker  string
	started time.Time
	receipt any
	err     error
}

// outcomeTryAgain is the outcome of a run that is neither done nor failed for
// good; in the queue such a job has no result yet.
const outcomeTryAgain jobs.Outcome = "try again"

func (r execResult) code() command.Code {
	switch {
	case r.err == nil:
		return command.Done
	case jobs.IsPermanent(r.err), errors.Is(r.err, polaris.ErrUnauthorized):
		// Workers try the latter again, so that no job is lost by a wrong secret; here
		// a person waits, who must change it.
		return command.Dead
	}
	return command.TryAgain
}

func (r execResult) outcome() jobs.Outcome {
	switch r.code() {
	case command.Done:
		return jobs.Completed
	case command.Dead:
		return jobs.Dead
	}
	return outcomeTryAgain
}

// textReceipt is what a receipt for people can do.
type textReceipt interface{ WriteText(io.Writer) error }

// print writes the receipt for people, or the record that RESULTS would hold.
func (r execResult) print(out io.Writer, flags outputFlags) error {
	if !flags.json {
		if text, ok := r.receipt.(textReceipt); ok {
			return text.WriteText(out)
		}
		return nil
	}
	result := jobs.Result{
		Version: jobs.Version, JobID: r.job.ID, Kind: r.job.Kind,
		Realm: r.job.Realm, Catalog: r.job.Catalog, Namespace: r.job.Namespace, Table: r.job.Table, TableUUID: r.job.TableUUID,
		Outcome: r.outcome(), Attempts: 1, Worker: r.worker,
		StartedAt: jobs.At(r.started), FinishedAt: jobs.At(time.Now()),
	}
	if r.err != nil {
		result.Reason = command.OneLine(r.err)
	}
	return writeResult(out, result, r.receipt, !flags.list)
}
