package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/jobs"
)

// wait is the AckWait of tests in which no lease may be lost by chance.
const wait = 3 * time.Second

// does is a handler that ends each run in one way.
func does(receipt any, err error) handlerFunc {
	return func(context.Context, *jobs.Job, jobs.Progress) (any, error) { return receipt, err }
}

// untilStopped is a handler that tells when it began and waits for its context.
func untilStopped(began chan<- *jobs.Job, stopped chan<- error) handlerFunc {
	return func(ctx context.Context, job *jobs.Job, p jobs.Progress) (any, error) {
		began <- job
		<-ctx.Done()
		if stopped != nil {
			stopped <- context.Cause(ctx)
		}
		return nil, context.Cause(ctx)
	}
}

func TestAFinishedJobLeavesOneResultAndNothingElse(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	job := newJob()
	b.start(b.q, "w1", 1, handlerFunc(func(ctx context.Context, got *jobs.Job, p jobs.Progress) (any, error) {
		if err := p.Save(ctx, map[string]int{"manifest": 3}, jobs.Counters{Files: 7}); err != nil {
			return nil, err
		}
		return map[string]int{"files": 7}, nil
	}))
	sequence := b.enqueue(job)
	result := b.result(job, sequence)
	require.Equal(t, jobs.Completed, result.Outcome)
	require.Equal(t, job.ID, result.JobID)
	require.Equal(t, sequence, result.JobSequence)
	require.Equal(t, 1, result.Attempts)
	require.Equal(t, "w1", result.Worker)
	require.JSONEq(t, `{"files":7}`, string(result.Receipt))
	b.gone()
	b.eventually("progress is removed", func() bool { return b.entry(job.Tail()) == nil })
	require.Len(t, b.results(job.Tail()), 1)
	require.Zero(t, b.messages(b.q.dead))
}

func TestAPermanentFailureIsDeadWithItsReceiptAndItsCheckpoint(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	job := newJob()
	b.start(b.q, "w1", 1, handlerFunc(func(ctx context.Context, _ *jobs.Job, p jobs.Progress) (any, error) {
		if err := p.Save(ctx, map[string]string{"begun": "yes"}, jobs.Counters{}); err != nil {
			return nil, err
		}
		return map[string]int{"kept": 2}, jobs.Permanentf("key s3://x/y is refused\nsecond line")
	}))
	sequence := b.enqueue(job)
	result := b.result(job, sequence)
	require.Equal(t, jobs.Dead, result.Outcome)
	require.Contains(t, result.Reason, "s3://x/y")
	require.JSONEq(t, `{"kept":2}`, string(result.Receipt))
	b.gone()

	letter, err := b.q.DeadLetter(t.Context(), job.Tail())
	require.NoError(t, err)
	body, err := job.Encode()
	require.NoError(t, err)
	require.Equal(t, string(body), string(letter.Body))
	require.Equal(t, "key s3://x/y is refused", letter.Error)
	require.Equal(t, 1, letter.Attempts)
	require.Equal(t, "w1", letter.Worker)
	require.Equal(t, sequence, letter.JobSequence)
	require.Equal(t, job.ID, letter.JobID)
	require.JSONEq(t, `{"begun":"yes"}`, string(letter.Checkpoint))
	require.WithinDuration(t, time.Now(), letter.Time.Time, time.Minute)
	require.Equal(t, job.ID, letter.header["Job-Id"][0], "the job's own headers are kept")
	require.NotContains(t, fmt.Sprint(letter.header), "Nats-Expected", "expectations of the publisher are not")

	entry := b.entry(job.Tail())
	require.NotNil(t, entry)
	require.Equal(t, stateDead, entry.State)
	require.JSONEq(t, `{"begun":"yes"}`, string(entry.Checkpoint))
}

func TestAFailedRunIsTriedAgainAndRemembersItsErrors(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	job := newJob()
	attempts := make(chan int, 10)
	release := make(chan struct{})
	b.start(b.q, "w1", 1, handlerFunc(func(_ context.Context, _ *jobs.Job, p jobs.Progress) (any, error) {
		attempts <- p.Attempt()
		if p.Attempt() < 3 {
			return nil, fmt.Errorf("failure %d", p.Attempt())
		}
		<-release
		return nil, nil
	}))
	sequence := b.enqueue(job)
	for want := 1; want <= 3; want++ {
		require.Equal(t, want, waitFor(t, "a run", attempts))
	}
	entry := b.entry(job.Tail())
	require.Equal(t, "failure 1", entry.FirstError)
	require.Equal(t, "failure 2", entry.LastError)
	require.Equal(t, stateRunning, entry.State)
	close(release)
	require.Equal(t, 3, b.result(job, sequence).Attempts)
}

func TestAJobIsDeadWhenItsAttemptsAreSpent(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	job := newJob()
	sequence := b.enqueue(job)
	b.spend(job, sequence, job.Kind.MaxAttempts()-1)
	b.start(b.q, "w1", 1, does(nil, errors.New("still broken")))
	result := b.result(job, sequence)
	require.Equal(t, jobs.Dead, result.Outcome)
	require.Equal(t, job.Kind.MaxAttempts(), result.Attempts)
	require.Contains(t, result.Reason, "attempts spent (25): still broken")
	b.gone()
}

// spend makes it look as if runs of the job had failed.
func (b *bundle) spend(job *jobs.Job, sequence uint64, attempts int) {
	b.t.Helper()
	p := b.q.newProgress(job.Tail(), nil)
	require.NoError(b.t, p.load(b.t.Context()))
	require.NoError(b.t, p.write(b.t.Context(), progressEntry{Job: job.ID, Sequence: sequence, Attempts: attempts, State: stateDelayed}))
}

func TestProgressGivesTheAttemptsBack(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	job := newJob()
	sequence := b.enqueue(job)
	b.spend(job, sequence, job.Kind.MaxAttempts()-1)
	attempts := make(chan int, 10)
	b.start(b.q, "w1", 1, handlerFunc(func(ctx context.Context, _ *jobs.Job, p jobs.Progress) (any, error) {
		attempts <- p.Attempt()
		if p.Checkpoint() != nil {
			return nil, nil
		}
		if err := p.Save(ctx, "a step further", jobs.Counters{}); err != nil {
			return nil, err
		}
		return nil, errors.New("broken after a step")
	}))
	require.Equal(t, jobs.Completed, b.result(job, sequence).Outcome)
	require.Equal(t, job.Kind.MaxAttempts(), <-attempts)
	require.Equal(t, 1, <-attempts)
}

func TestAnotherJobOfTheSameTailStartsFromNothing(t *testing.T) {
	t.Parallel()
	before := progressEntry{Job: "old", Sequence: 7, Attempts: 9, Checkpoint: []byte(`1`), FirstError: "x", Outages: 2}
	now := before.claimed(&jobs.Job{ID: "new"}, 7, "w1")
	require.Equal(t, progressEntry{Job: "new", Sequence: 7, State: stateRunning, Worker: "w1", ClaimedAt: now.ClaimedAt}, now)
}

func TestASnoozeSpendsNoAttempt(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	job := newJob()
	attempts := make(chan int, 100)
	runs := 0
	b.start(b.q, "w1", 1, handlerFunc(func(_ context.Context, _ *jobs.Job, p jobs.Progress) (any, error) {
		attempts <- p.Attempt()
		if runs++; runs < 4 {
			return nil, jobs.Snooze(10*time.Millisecond, errors.New("not yet"))
		}
		return nil, nil
	}))
	sequence := b.enqueue(job)
	require.Equal(t, 1, b.result(job, sequence).Attempts)
	require.Len(t, attempts, 4)
}

func TestAnOutageSpendsNoAttemptHoweverLong(t *testing.T) {
	t.Parallel()
	b := setup(t, time.Second)
	job := newJob()
	release := make(chan struct{})
	runs := make(chan int, 100)
	b.start(b.q, "w1", 1, handlerFunc(func(_ context.Context, _ *jobs.Job, p jobs.Progress) (any, error) {
		runs <- p.Attempt()
		select {
		case <-release:
			return nil, nil
		default:
			return nil, fmt.Errorf("bucket answers 503: %w", jobs.ErrUnavailable)
		}
	}))
	sequence := b.enqueue(job)
	for range 3 {
		require.Equal(t, 1, waitFor(t, "a run", runs))
	}
	b.eventually("the outage is shown", func() bool {
		e := b.entry(job.Tail())
		return e.State == stateDelayed && e.Outages >= 3 && e.Attempts == 0 && strings.Contains(e.LastError, "503")
	})
	close(release)
	require.Equal(t, jobs.Completed, b.result(job, sequence).Outcome)
}

func TestAPanicIsAnOrdinaryFailureWithAStackInTheLog(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	job := newJob()
	w := b.start(b.q, "w1", 1, handlerFunc(func(_ context.Context, _ *jobs.Job, p jobs.Progress) (any, error) {
		if p.Attempt() == 1 {
			panic("index out of range")
		}
		return nil, nil
	}))
	sequence := b.enqueue(job)
	require.Equal(t, 2, b.result(job, sequence).Attempts)
	require.Contains(t, w.log.String(), "handler panicked: index out of range")
	require.Contains(t, w.log.String(), "settle_test.go")
}

func TestAStalledRunIsCanceledAndTriedAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	b.config.StallTimeout = 100 * time.Millisecond
	q := b.open(b.js)
	job := newJob()
	causes := make(chan error, 10)
	b.start(q, "w1", 1, handlerFunc(func(ctx context.Context, _ *jobs.Job, p jobs.Progress) (any, error) {
		if p.Attempt() > 1 {
			return nil, nil
		}
		<-ctx.Done()
		causes <- context.Cause(ctx)
		return nil, ctx.Err()
	}))
	sequence := b.enqueue(job)
	require.ErrorIs(t, waitFor(t, "the stall", causes), ErrStalled)
	require.Equal(t, 2, b.result(job, sequence).Attempts)
}

func TestARunThatIsAliveDoesNotStall(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	b.config.StallTimeout = 300 * time.Millisecond
	q := b.open(b.js)
	job := newJob()
	b.start(q, "w1", 1, handlerFunc(func(ctx context.Context, _ *jobs.Job, p jobs.Progress) (any, error) {
		for range 60 {
			p.Alive()
			if !sleep(ctx, 15*time.Millisecond) {
				return nil, context.Cause(ctx)
			}
		}
		return nil, nil
	}))
	sequence := b.enqueue(job)
	require.Equal(t, 1, b.result(job, sequence).Attempts)
}

func TestAShutdownGivesTheAttemptBackAndTheNextWorkerResumes(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	b.config.Drain = 50 * time.Millisecond
	q := b.open(b.js)
	job := newJob()
	saved := make(chan struct{})
	first := b.start(q, "w1", 1, handlerFunc(func(ctx context.Context, _ *jobs.Job, p jobs.Progress) (any, error) {
		if err := p.Save(ctx, "half", jobs.Counters{}); err != nil {
			return nil, err
		}
		close(saved)
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}))
	sequence := b.enqueue(job)
	waitFor(t, "a checkpoint", saved)
	require.NoError(t, first.halt())
	require.True(t, first.seen.has(EndInterrupted))
	require.Zero(t, b.entry(job.Tail()).Attempts)

	checkpoint := make(chan string, 1)
	b.start(q, "w2", 1, handlerFunc(func(_ context.Context, _ *jobs.Job, p jobs.Progress) (any, error) {
		checkpoint <- string(p.Checkpoint())
		return nil, nil
	}))
	result := b.result(job, sequence)
	require.Equal(t, "w2", result.Worker)
	require.Equal(t, 1, result.Attempts)
	require.Equal(t, `"half"`, <-checkpoint)
}

func TestADrainLetsRunningJobsFinish(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	b.config.Drain = patience
	q := b.open(b.js)
	job, later := newJob(), newJob()
	began, release := make(chan *jobs.Job, 2), make(chan struct{})
	w := b.start(q, "w1", 1, handlerFunc(func(ctx context.Context, j *jobs.Job, _ jobs.Progress) (any, error) {
		began <- j
		select {
		case <-release:
			return nil, nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}))
	sequence := b.enqueue(job)
	waitFor(t, "the run", began)
	b.enqueue(later)
	w.stop()
	b.eventually("it drains", func() bool { return strings.Contains(w.log.String(), "worker drains") })
	time.AfterFunc(50*time.Millisecond, func() { close(release) }) // time to be told to stop, were it so
	require.NoError(t, w.halt())
	require.Equal(t, jobs.Completed, b.result(job, sequence).Outcome)
	require.Empty(t, began, "a worker that drains takes no new job")
	require.EqualValues(t, 1, b.messages(b.q.jobs))
}

func TestAJobThatSucceedsAlthoughItWasToldToStopIsCompleted(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{nil, ErrShutdown, ErrCanceled, ErrStalled} {
		require.Equal(t, EndCompleted, decide(outcome{cause: cause}, unclaimed(1)).ending, "%v", cause)
	}
	for _, cause := range []error{ErrLeaseLost, errSettledElsewhere} {
		require.Equal(t, EndLeaseLost, decide(outcome{cause: cause}, unclaimed(1)).ending, "%v", cause)
	}
}

// unclaimed is the progress of a run, without a server.
func unclaimed(attempt int) *progress {
	q := &Queue{timings: timingsFor(2 * time.Minute), config: Config{}.WithDefaults()}
	return &progress{q: q, attempt: attempt, maxAttempts: 25, entry: progressEntry{Attempts: attempt}}
}

func TestTheSettleTable(t *testing.T) {
	t.Parallel()
	failure := errors.New("broken")
	for name, c := range map[string]struct {
		out     outcome
		attempt int
		want    Ending
		free    bool
	}{
		"an error":                       {outcome{err: failure}, 1, EndRetried, false},
		"an error at the last attempt":   {outcome{err: failure}, 25, EndDead, false},
		"permanent":                      {outcome{err: jobs.Permanent(failure)}, 1, EndDead, false},
		"permanent, wrapped":             {outcome{err: fmt.Errorf("purge: %w", jobs.Permanent(failure))}, 1, EndDead, false},
		"snooze":                         {outcome{err: jobs.Snooze(time.Minute, nil)}, 25, EndSnoozed, true},
		"outage":                         {outcome{err: fmt.Errorf("%w: %w", jobs.ErrUnavailable, failure)}, 25, EndSnoozed, true},
		"shutdown":                       {outcome{err: context.Canceled, cause: ErrShutdown}, 25, EndInterrupted, true},
		"shutdown echoed as permanent":   {outcome{err: jobs.Permanent(context.Canceled), cause: ErrShutdown}, 1, EndInterrupted, true},
		"canceled":                       {outcome{err: context.Canceled, cause: ErrCanceled}, 1, EndCanceled, false},
		"stalled":                        {outcome{err: context.Canceled, cause: ErrStalled}, 1, EndRetried, false},
		"stalled at the last attempt":    {outcome{err: context.Canceled, cause: ErrStalled}, 25, EndDead, false},
		"lease lost":                     {outcome{err: context.Canceled, cause: ErrLeaseLost}, 25, EndLeaseLost, false},
		"lease lost, found by a save":    {outcome{err: fmt.Errorf("save: %w", ErrLeaseLost)}, 1, EndLeaseLost, false},
		"settled elsewhere":              {outcome{err: context.Canceled, cause: errSettledElsewhere}, 1, EndLeaseLost, false},
		"lease lost echoed as permanent": {outcome{err: jobs.Permanent(failure), cause: ErrLeaseLost}, 1, EndLeaseLost, false},
		"a panic":                        {outcome{err: &panicError{value: "x"}}, 1, EndRetried, false},
	} {
		v := decide(c.out, unclaimed(c.attempt))
		require.Equal(t, c.want, v.ending, name)
		require.Equal(t, c.free, v.freeAttempt, name)
	}
	require.Contains(t, decide(outcome{err: context.Canceled, cause: ErrStalled}, unclaimed(25)).reason, "15m")
	moved := unclaimed(25)
	moved.entry.Progressed = true
	require.Equal(t, EndRetried, decide(outcome{err: failure}, moved).ending, "progress resets the attempts")
}

func TestAReceiptThatIsTooLargeIsLeftOutAndTheJobSettles(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	job := newJob()
	b.start(b.q, "w1", 1, does(strings.Repeat("x", maxReceipt), nil))
	result := b.result(job, b.enqueue(job))
	require.Equal(t, jobs.Completed, result.Outcome)
	require.Contains(t, result.Reason, "left out")
	require.Empty(t, result.Receipt)
	b.gone()
}

func TestACheckpointThatIsTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	p := unclaimed(1)
	err := p.Save(t.Context(), strings.Repeat("x", maxCheckpoint), jobs.Counters{})
	require.ErrorContains(t, err, "16384 is the limit")
}
