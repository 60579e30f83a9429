package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"deckhand/internal/broker"
	"deckhand/internal/command"
	"deckhand/internal/queue"
	"deckhand/jobs"
)

func newSubmit() *cobra.Command {
	var job jobFlags
	var wait, asJSON bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "submit KIND",
		Short: "Queue one job",
		Long: `Queues one job. KIND is expire, orphans or manifests for a table that lives; purge,
purge-view or purge-files for what was dropped. There is at most one job for a table
and kind (of purge-files: for the same files): submitting it again while it waits or
runs is harmless, and says "already queued".

For a table that lives --set gives settings by the names that policies have; what is
not set is as the table's properties say. Nothing asks whether the table is due.

Exit codes: 0 queued, already queued, or with --wait completed; 2 bad input; 3 with
--wait: the job died, was canceled, or was removed by hand; 4 the queue is full,
denied or cannot be reached, or --timeout has passed: try again.`,
		Example: `  producer submit purge --catalog lake --table sales.orders \
      --table-uuid 6f1c2c1e-9f3c-4a5e-8d7f-0b1d5c1a2b3c \
      --metadata-location s3://warehouse/sales/orders/metadata/00012-a.metadata.json
  producer submit purge --file job.json --wait --json
  producer submit purge … --not-before 24h
  producer submit expire --catalog lake --table sales.orders --set retain-last=5 --wait
  producer submit orphans --catalog lake --table sales.orders --set quarantine=14d --dry-run --wait`,
		Args: command.OneKind,
		RunE: command.Action(func(cmd *cobra.Command, s *command.Session, args []string) error {
			kind := jobs.Kind(args[0])
			if kind == jobs.PurgeShard || kind == jobs.PurgeFinish {
				return command.Exit(command.BadInput, fmt.Errorf("a %s is a part of a purge, which workers queue themselves; submit the purge", kind))
			}
			built, err := job.build(s.Config, kind, cmd.InOrStdin(), time.Now())
			if err != nil {
				return command.Exit(command.BadInput, err)
			}
			if timeout < 0 {
				return command.Exit(command.BadInput, errors.New("--timeout: must not be negative"))
			}
			return submit(cmd.Context(), s, built, waiting{wait, timeout}, printer{s.Out, asJSON})
		}),
	}
	cmd.Flags().SortFlags = false
	job.bind(cmd.Flags())
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until the job has ended, and print its receipt")
	cmd.Flags().DurationVar(&timeout, "timeout", 0, "give up after so long (default 30s, with --wait never)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, also of a failure: its state and error")
	command.FailuresAsJSON(cmd, "state", stateOf)
	return cmd
}

// stateOf is the state of a job that could not be submitted or waited for; ""
// leaves it to the exit code.
func stateOf(err error) string {
	for _, state := range []struct {
		err  error
		word string
	}{
		{jobs.ErrQueueFull, "full"}, {jobs.ErrPublishDenied, "denied"}, {broker.ErrInboxDenied, "denied"}, {queue.ErrDenied, "denied"},
		{queue.ErrRemoved, "removed"}, {errTimeout, "timeout"}, {jobs.ErrNoStream, "no stream"}, {jobs.ErrPublishUnknown, "unknown"},
		{broker.ErrUnreachable, "unreachable"}, {queue.ErrUnreachable, "unreachable"},
	} {
		if errors.Is(err, state.err) {
			return state.word
		}
	}
	return ""
}

// waiting says whether to wait for the job's end, and how long for everything.
type waiting struct {
	forEnd  bool
	timeout time.Duration
}

// publishTimeout is how long the queue may take to accept a job.
const publishTimeout = 30 * time.Second

var errTimeout = errors.New("gave up; raise --timeout")

func submit(ctx context.Context, s *command.Session, job *jobs.Job, wait waiting, out printer) error {
	if wait.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, wait.timeout, errTimeout)
		defer cancel()
	}
	nc, err := broker.Connect(ctx, s.Config.NATS, "producer", s.Log)
	if errors.Is(err, broker.ErrSettings) {
		return command.Exit(command.BadInput, err)
	}
	if err != nil {
		return command.Exit(command.TryAgain, err)
	}
	defer nc.Close()
	if err := broker.CheckInbox(ctx, nc); err != nil {
		return command.Exit(command.TryAgain, err)
	}
	js, err := broker.JetStream(nc, s.Config.NATS)
	if err != nil {
		return command.Exit(command.TryAgain, err)
	}
	publication, err := publish(ctx, js, job)
	if err != nil {
		return err
	}
	if !wait.forEnd {
		return out.publication(publication, job)
	}
	awaited := awaitedJob{job: job, publication: publication}
	if publication.State == jobs.AlreadyQueued {
		if awaited, err = findQueued(ctx, js, job); err != nil {
			return command.Exit(command.TryAgain, err)
		}
	}
	out.waiting(s.Err, publication)
	result, err := awaited.end(ctx, js)
	if err != nil {
		return command.Exit(waitCode(err), err)
	}
	if err := out.result(result); err != nil {
		return err
	}
	if result.Outcome != jobs.Completed {
		return command.Printed(command.Exit(command.Dead, fmt.Errorf("the job is %s: %s", result.Outcome, result.Reason)))
	}
	return nil
}

// waitCode is the exit code of a wait that failed: a job that was removed does
// not come back, of any other it is not known how it ends.
func waitCode(err error) command.Code {
	if errors.Is(err, queue.ErrRemoved) {
		return command.Dead
	}
	return command.TryAgain
}

func publish(ctx context.Context, js jetstream.JetStream, job *jobs.Job) (jobs.Publication, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, publishTimeout, errTimeout)
	defer cancel()
	publication, err := jobs.Publish(ctx, js, job, jobs.PublishOptions{})
	var field *jobs.FieldError
	switch {
	case err == nil:
		return publication, nil
	case errors.As(err, &field):
		return publication, command.Exit(command.BadInput, err)
	}
	return publication, command.Exit(command.TryAgain, err)
}

// awaitedJob is the job whose end is waited for. For a job that was queued
// already, it is the one that was there before.
type awaitedJob struct {
	job         *jobs.Job
	publication jobs.Publication
	// ended is set if the job had ended by the time it was looked for.
	ended *jobs.Result
}

func (a awaitedJob) end(ctx context.Context, js jetstream.JetStream) (*jobs.Result, error) {
	if a.ended != nil {
		return a.ended, nil
	}
	return queue.WaitResult(ctx, js, a.job, a.publication)
}

// findQueued looks up the job on the subject.
func findQueued(ctx context.Context, js jetstream.JetStream, job *jobs.Job) (awaitedJob, error) {
	stream, err := js.Stream(ctx, jobs.StreamName)
	if err != nil {
		return awaitedJob{}, fmt.Errorf("look at stream %s: %w", jobs.StreamName, err)
	}
	msg, err := stream.GetLastMsgForSubject(ctx, job.Subject())
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		// It ended in this very moment: the newest result is its.
		ended, err := lastResult(ctx, js, job)
		return awaitedJob{ended: ended}, err
	}
	if err != nil {
		return awaitedJob{}, fmt.Errorf("read queued job: %w", err)
	}
	queued, err := jobs.Decode(msg.Data)
	if err != nil {
		return awaitedJob{}, fmt.Errorf("the queued job on %s cannot be read, see \"worker status\": %w", job.Subject(), err)
	}
	return awaitedJob{job: queued, publication: jobs.Publication{State: jobs.AlreadyQueued, Subject: msg.Subject, Sequence: msg.Sequence}}, nil
}
