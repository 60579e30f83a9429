package queue

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"deckhand/internal/natstest"
	"deckhand/jobs"
)

func TestARunningJobThatIsDeletedIsCanceledAndRecorded(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	job := newJob()
	began, causes := make(chan *jobs.Job, 1), make(chan error, 1)
	b.start(b.q, "w1", 1, untilStopped(began, causes))
	sequence := b.enqueue(job)
	waitFor(t, "the run", began)
	require.NoError(t, b.q.jobs.DeleteMsg(t.Context(), sequence), "as the nats CLI does")
	require.ErrorIs(t, waitFor(t, "the cancel", causes), ErrCanceled)
	require.Equal(t, jobs.Canceled, b.result(job, sequence).Outcome)
	b.gone()
	b.eventually("progress is removed", func() bool { return b.entry(job.Tail()) == nil })
}

func TestACanceledJobIsRecordedOnceWithWhoDidIt(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	running, queued := newJob(), newJob()
	began, causes := make(chan *jobs.Job, 1), make(chan error, 1)
	w := b.start(b.q, "w1", 1, untilStopped(began, causes))
	b.enqueue(running)
	waitFor(t, "the run", began)
	b.spend(queued, b.enqueue(queued), 3)
	for _, job := range []*jobs.Job{queued, running} {
		require.NoError(t, b.q.Cancel(t.Context(), job.Subject(), "alice"))
	}
	require.ErrorIs(t, waitFor(t, "the cancel", causes), ErrCanceled)
	b.gone()
	b.eventually("it ended", func() bool { return w.seen.has(EndCanceled) })
	for _, job := range []*jobs.Job{queued, running} {
		results := b.results(job.Tail())
		require.Len(t, results, 1)
		require.Equal(t, jobs.Canceled, results[0].Outcome)
		require.Equal(t, "canceled by alice", results[0].Reason)
		require.ErrorIs(t, b.q.Cancel(t.Context(), job.Tail(), "alice"), ErrNotQueued)
	}
	require.Nil(t, b.entry(queued.Tail()))
	require.Equal(t, 1, w.seen.count(func(o *observations) int { return o.started }), "the queued job never ran")
}

func TestAJobOfAStreamThatWasMadeAnewIsFinishedNotCanceled(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	job := newJob()
	began, release := make(chan *jobs.Job, 1), make(chan struct{})
	w := b.start(b.q, "w1", 1, handlerFunc(func(ctx context.Context, j *jobs.Job, _ jobs.Progress) (any, error) {
		began <- j
		select {
		case <-release:
			return "finished", nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}))
	sequence := b.enqueue(job)
	waitFor(t, "the run", began)
	require.NoError(t, b.js.DeleteStream(t.Context(), jobs.StreamName))
	_, err := Setup(t.Context(), b.js, smallAssets(wait))
	require.NoError(t, err)
	beats := func(o *observations) int { return o.beats }
	seen := w.seen.count(beats)
	b.eventually("heartbeats go on", func() bool { return w.seen.count(beats) >= seen+2 })
	close(release)
	require.Equal(t, jobs.Completed, b.result(job, sequence).Outcome)

	next := newJob()
	require.Equal(t, jobs.Completed, b.result(next, b.enqueue(next)).Outcome, "the worker pulls from the new stream")
}

func TestAPausedKindWaitsAndRunningJobsGoOn(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	running, waiting := newJob(), newJob()
	began, release := make(chan *jobs.Job, 2), make(chan struct{}, 2)
	b.start(b.q, "w1", 2, handlerFunc(func(_ context.Context, j *jobs.Job, _ jobs.Progress) (any, error) {
		began <- j
		<-release
		return nil, nil
	}))
	first := b.enqueue(running)
	waitFor(t, "the run", began)
	require.NoError(t, b.q.Pause(t.Context(), jobs.Purge, time.Now().Add(time.Hour)))
	second := b.enqueue(waiting)
	release <- struct{}{}
	require.Equal(t, jobs.Completed, b.result(running, first).Outcome)
	status, err := b.q.Status(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, status.Kinds[0].Waiting)
	require.WithinDuration(t, time.Now().Add(time.Hour), status.Kinds[0].PausedUntil.Time, time.Minute)
	require.Empty(t, began)

	// Setting the assets up again does not end a pause.
	_, err = Setup(t.Context(), b.js, smallAssets(wait))
	require.NoError(t, err)
	consumer, err := b.js.Consumer(t.Context(), jobs.StreamName, string(jobs.Purge))
	require.NoError(t, err)
	require.True(t, consumer.CachedInfo().Paused)

	require.NoError(t, b.q.Resume(t.Context(), jobs.Purge))
	release <- struct{}{}
	require.Equal(t, jobs.Completed, b.result(waiting, second).Outcome)
	require.ErrorContains(t, b.q.Pause(t.Context(), "compactt", time.Now().Add(time.Hour)), "not known")
}

func TestARunIsTakenAwayWhenAnotherWorkerRecordedItsEnd(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	job := newJob()
	began, causes := make(chan *jobs.Job, 1), make(chan error, 1)
	w := b.start(b.q, "w1", 1, untilStopped(began, causes))
	sequence := b.enqueue(job)
	waitFor(t, "the run", began)
	id := identity{job: job.ID, sequence: sequence, created: b.q.streamCreated()}
	_, err := b.q.recordResult(t.Context(), job.Tail(), id, &jobs.Result{JobID: job.ID, Outcome: jobs.Completed,
		JobSequence: sequence, StreamCreated: id.created}, 0)
	require.NoError(t, err)
	require.NoError(t, b.q.jobs.DeleteMsg(t.Context(), sequence))
	require.ErrorIs(t, waitFor(t, "the stop", causes), errSettledElsewhere)
	b.gone()
	b.eventually("it ended", func() bool { return w.seen.has(EndLeaseLost) })
	require.Len(t, b.results(job.Tail()), 1)
	_, err = b.q.jobs.GetMsg(t.Context(), sequence)
	require.ErrorIs(t, err, jetstream.ErrMsgNotFound)
}

func TestACancelOfARunningJobKeepsItsReceipt(t *testing.T) {
	t.Parallel()
	b := setup(t, 2*wait) // who cancels waits for two heartbeats
	job := newJob()
	began, cancel := make(chan *jobs.Job, 1), make(chan struct{})
	b.start(b.q, "w1", 1, handlerFunc(func(ctx context.Context, j *jobs.Job, p jobs.Progress) (any, error) {
		if err := p.Save(ctx, map[string]int{"step": 1}, jobs.Counters{Files: 1}); err != nil {
			return nil, err
		}
		began <- j
		select {
		case <-cancel:
		case <-t.Context().Done(): // the test failed
			return nil, nil
		}
		// A write between the note and the heartbeat does not lose the note.
		if err := p.Save(ctx, map[string]int{"step": 2}, jobs.Counters{Files: 2}); err != nil {
			return nil, err
		}
		<-ctx.Done()
		return map[string]int{"files": 2}, context.Cause(ctx)
	}))
	sequence := b.enqueue(job)
	waitFor(t, "the run", began)
	canceled := make(chan error, 1)
	go func() { canceled <- b.q.Cancel(t.Context(), job.Tail(), "alice") }()
	b.eventually("the note is there", func() bool { e := b.entry(job.Tail()); return e != nil && e.CanceledBy == "alice" })
	close(cancel)
	require.NoError(t, waitFor(t, "the cancel", canceled))

	results := b.results(job.Tail())
	require.Len(t, results, 1)
	require.Equal(t, jobs.Canceled, results[0].Outcome)
	require.Equal(t, "canceled by alice", results[0].Reason)
	require.Equal(t, "w1", results[0].Worker)
	require.Equal(t, 1, results[0].Attempts)
	require.Equal(t, sequence, results[0].JobSequence)
	require.JSONEq(t, `{"files":2}`, string(results[0].Receipt))
	b.gone()
	b.eventually("progress is removed", func() bool { return b.entry(job.Tail()) == nil })
}

func TestACancelRecordsForAWorkerThatDied(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	job := newJob()
	b.enqueue(job)
	_, err := b.q.takeLease(t.Context(), job.LockKey(), Holder{Worker: "w1", Job: job.ID, Kind: job.Kind}) // and is never heard of again
	require.NoError(t, err)
	require.NoError(t, b.q.Cancel(t.Context(), job.Tail(), "alice"))
	require.Zero(t, b.messages(b.q.jobs))
	results := b.results(job.Tail())
	require.Len(t, results, 1)
	require.Equal(t, "canceled by alice", results[0].Reason)
	require.ErrorIs(t, b.q.Cancel(t.Context(), job.Tail(), "alice"), ErrNotQueued)
}

func TestADeniedCancelLeavesNoTrace(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t, natstest.Config{Conf: `authorization { users [ { user: a, password: a },
		{ user: w, password: p, permissions { publish { deny: "$JS.API.STREAM.MSG.DELETE.*" } } } ] }`})
	js := server.JetStream(t, nats.UserInfo("a", "a"))
	_, err := Setup(t.Context(), js, smallAssets(wait))
	require.NoError(t, err)
	q, err := Open(t.Context(), server.JetStream(t, nats.UserInfo("w", "p")), Config{})
	require.NoError(t, err)
	job := newJob()
	_, err = jobs.Publish(t.Context(), js, job, jobs.PublishOptions{})
	require.NoError(t, err)
	err = q.Cancel(t.Context(), job.Tail(), "mallory")
	require.ErrorIs(t, err, ErrDenied)
	require.ErrorContains(t, err, `allow this user to publish to "$JS.API.STREAM.MSG.DELETE.JOBS"`)
	require.Empty(t, resultsOf(t, q, job.Tail()))
	left, err := q.queued(t.Context(), job.Subject())
	require.NoError(t, err)
	require.NotNil(t, left)
}
