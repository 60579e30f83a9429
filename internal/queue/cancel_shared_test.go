package queue

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/jobs"
)

func TestCancelingAPurgeCancelsAllItsPartsAndSaysSo(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	purge := newJob()
	shards, finish := parts(purge, 5)
	s, plan := b.q.Shards(), planOf(purge, finish, 5)
	began, causes := make(chan *jobs.Job, 5), make(chan error, 5)
	b.startKinds(b.open(b.js), "w1", 2, map[jobs.Kind]jobs.Handler{jobs.Purge: does(nil, jobs.PlannedOut()), jobs.PurgeShard: untilStopped(began, causes)})
	published := b.publish(purge)
	b.gone()
	require.NoError(t, s.SavePlan(t.Context(), purge, plan, 0))
	require.NoError(t, s.Complete(t.Context(), shards[0], &jobs.ShardDone{Plan: plan.Plan, Shard: 1}))
	for _, shard := range shards[1:] {
		b.enqueue(shard)
	}
	waitFor(t, "a shard", began)
	waitFor(t, "another shard", began)
	waited := make(chan *jobs.Result, 1)
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		result, _ := WaitResult(ctx, b.js, purge, published)
		waited <- result
	}()
	require.NoError(t, b.q.Cancel(t.Context(), purge.Tail(), "tester"))
	for range 2 {
		require.ErrorIs(t, waitFor(t, "the end of a shard", causes), ErrCanceled)
	}
	result := waitFor(t, "the record of the purge", waited)
	require.Equal(t, jobs.Canceled, result.Outcome)
	require.Equal(t, "canceled by tester", result.Reason)
	b.gone()
	b.eventually("the plan is forgotten", func() bool { return len(b.liveNotes()) == 0 })
	for _, shard := range shards[1:] {
		require.Equal(t, jobs.Canceled, b.results(shard.Tail())[0].Outcome)
	}
	require.ErrorIs(t, b.q.Cancel(t.Context(), purge.Tail(), "tester"), ErrNotQueued)
	require.ErrorIs(t, b.q.Cancel(t.Context(), shards[0].Tail(), "tester"), ErrNotQueued)
}

func TestAPurgeThatIsBeingPlannedIsCanceledWithWhatItHasPublished(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	purge := newJob()
	shards, finish := parts(purge, 2)
	s, plan := b.q.Shards(), planOf(purge, finish, 2)
	require.NoError(t, s.SavePlan(t.Context(), purge, plan, 0))
	b.enqueue(purge)
	b.enqueue(shards[0])
	require.NoError(t, b.q.Cancel(t.Context(), purge.Tail(), "tester"))
	require.Zero(t, b.messages(b.q.jobs))
	require.Len(t, b.results(purge.Tail()), 1)
	got, _, err := s.Plan(t.Context(), purge)
	require.NoError(t, err)
	require.Nil(t, got)

	// A finish that has ended in the meantime is not called canceled.
	other := newJob()
	_, last := parts(other, 1)
	require.NoError(t, s.SavePlan(t.Context(), other, planOf(other, last, 1), 0))
	sequence := b.enqueue(last)
	id := identity{job: last.ID, sequence: sequence, created: b.q.streamCreated()}
	_, err = b.q.recordResult(t.Context(), last.Tail(), id, &jobs.Result{
		Version: 1, JobID: last.ID, Outcome: jobs.Completed, JobSequence: sequence, StreamCreated: id.created, FinishedAt: jobs.At(time.Now()),
	}, 0)
	require.NoError(t, err)
	require.ErrorIs(t, b.q.Cancel(t.Context(), other.Tail(), "tester"), ErrFinished)
	require.Empty(t, b.results(other.Tail()))
}

// The planner was done before it had heard of the cancel, or was killed before it had
// acknowledged its job.
func TestAPurgeThatIsPlannedWhileItIsCanceledIsCanceledWithItsParts(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	s := b.q.Shards()
	killed := newJob()
	shards, finish := parts(killed, 2)
	require.NoError(t, s.SavePlan(t.Context(), killed, planOf(killed, finish, 2), 0))
	id := identity{job: killed.ID, sequence: b.enqueue(killed), created: b.q.streamCreated()}
	b.enqueue(shards[0])
	b.enqueue(shards[1])
	_, err := b.q.recordResult(t.Context(), killed.Tail(), id, &jobs.Result{
		Version: 1, JobID: id.job, Outcome: jobs.Planned, JobSequence: id.sequence, StreamCreated: id.created,
	}, 0)
	require.NoError(t, err)
	require.NoError(t, b.q.Cancel(t.Context(), killed.Tail(), "tester"))
	require.Zero(t, b.messages(b.q.jobs))
	require.Equal(t, jobs.Canceled, b.result(killed, id.sequence).Outcome)
	require.Empty(t, b.liveNotes())

	fast := newJob()
	shards, finish = parts(fast, 2)
	require.NoError(t, s.SavePlan(t.Context(), fast, planOf(fast, finish, 2), 0))
	began := make(chan struct{})
	b.start(b.open(b.js), "w1", 1, handlerFunc(func(ctx context.Context, _ *jobs.Job, _ jobs.Progress) (any, error) {
		close(began)
		for { // until the cancel has removed it
			if queued, err := b.q.queued(ctx, fast.Subject()); err != nil || queued == nil {
				break
			}
		}
		if _, err := s.Publish(ctx, shards[0]); err != nil {
			return nil, err
		}
		return nil, jobs.PlannedOut()
	}))
	b.enqueue(fast)
	waitFor(t, "the planner", began)
	require.NoError(t, b.q.Cancel(t.Context(), fast.Tail(), "tester"))
	b.gone()
	results := b.results(fast.Tail())
	require.Equal(t, jobs.Canceled, results[len(results)-1].Outcome)
	require.Empty(t, b.liveNotes())
}
