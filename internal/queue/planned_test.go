package queue

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/jobs"
)

// after is a handler with something to do after its result.
type after struct {
	handlerFunc
	after func(result *jobs.Result) error
}

func (a after) AfterResult(_ context.Context, _ *jobs.Job, result *jobs.Result) error {
	return a.after(result)
}

func TestAPlannedJobLeavesTheQueueAndIsWaitedForOn(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	purge := newJob()
	_, finish := parts(purge, 1)
	plan := planOf(purge, finish, 1)
	w := b.start(b.q, "w1", 1, handlerFunc(func(ctx context.Context, _ *jobs.Job, p jobs.Progress) (any, error) {
		if err := p.Save(ctx, map[string]int{"published": 1}, jobs.Counters{Files: 1}); err != nil {
			return nil, err
		}
		return map[string]int{"shards": 1}, jobs.PlannedOut()
	}))
	published := b.publish(purge)
	type answer struct {
		result *jobs.Result
		err    error
	}
	answers := make(chan answer, 1)
	go func() {
		// Far more than the grace passes before the end comes.
		result, err := waitResult(t.Context(), b.js, purge, published, 5*time.Millisecond, 10*time.Millisecond)
		answers <- answer{result, err}
	}()
	b.eventually("the plan is recorded", func() bool { return len(b.results(purge.Tail())) == 1 })
	b.gone()
	b.eventually("its progress is removed", func() bool { return b.entry(purge.Tail()) == nil })
	require.True(t, w.seen.has(EndPlanned))
	record := b.results(purge.Tail())[0]
	require.Equal(t, jobs.Planned, record.Outcome)
	require.Equal(t, published.Sequence, record.JobSequence)
	require.EqualValues(t, 1, receiptOf(t, &record)["shards"])
	require.Zero(t, b.messages(b.q.dead))
	select {
	case got := <-answers:
		t.Fatal("planned is not the end", got)
	case <-time.After(300 * time.Millisecond):
	}

	end := &jobs.Result{
		Version: 1, JobID: finish.ID, Kind: jobs.PurgeFinish, Realm: purge.Realm, Catalog: purge.Catalog, Namespace: purge.Namespace,
		Table: purge.Table, Outcome: jobs.Completed, Worker: "w2", FinishedAt: jobs.At(time.Now()), JobSequence: 99, Receipt: []byte(`{"shards":1}`),
	}
	require.NoError(t, b.q.Shards().End(t.Context(), plan, finish, end))
	got := waitFor(t, "the end", answers)
	require.NoError(t, got.err)
	require.Equal(t, jobs.Completed, got.result.Outcome)
	require.Equal(t, jobs.Purge, got.result.Kind)
	require.Equal(t, purge.ID, got.result.JobID)
	require.Equal(t, published.Sequence, got.result.JobSequence, "also who waits for the message learns of it")
	require.Equal(t, "w2", got.result.Worker)
	require.NoError(t, b.q.Shards().End(t.Context(), plan, finish, end))
	require.Len(t, b.results(purge.Tail()), 2, "the end is recorded once")
	after, err := WaitResult(t.Context(), b.js, purge, jobs.Publication{})
	require.NoError(t, err)
	require.Equal(t, jobs.Completed, after.Outcome)
}

func TestEachJobThatWasPlannedGetsTheEnd(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	first := newJob()
	second := *first
	second.ID = jobs.NewID()
	_, finish := parts(first, 1)
	plan := planOf(first, finish, 1)
	b.start(b.q, "w1", 1, does(nil, jobs.PlannedOut()))
	var published []jobs.Publication
	for _, job := range []*jobs.Job{first, &second} {
		published = append(published, b.publish(job))
		b.gone()
	}
	end := &jobs.Result{Version: 1, JobID: finish.ID, Kind: jobs.PurgeFinish, Outcome: jobs.Completed, FinishedAt: jobs.At(time.Now())}
	require.NoError(t, b.q.Shards().End(t.Context(), plan, finish, end))
	for i, job := range []*jobs.Job{first, &second} {
		require.Equal(t, jobs.Completed, b.result(job, published[i].Sequence).Outcome)
	}

	// Of a purge whose records have aged the end is known all the same.
	aged := newJob()
	_, finish = parts(aged, 1)
	require.NoError(t, b.q.Shards().End(t.Context(), planOf(aged, finish, 1), finish, end))
	require.Equal(t, jobs.Completed, b.result(aged, 0).Outcome)
}

// The planner was killed when all was published, and comes again when the others have
// ended the purge.
func TestAJobWhosePartsHaveEndedItIsNotRunAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	purge, neighbour := newJob(), newJob()
	_, finish := parts(purge, 1)
	end := &jobs.Result{Version: 1, JobID: finish.ID, Kind: jobs.PurgeFinish, Outcome: jobs.Completed, FinishedAt: jobs.At(time.Now())}
	sequence := b.enqueue(purge)
	b.enqueue(neighbour)
	require.NoError(t, b.q.Shards().End(t.Context(), planOf(purge, finish, 1), finish, end))
	ran := make(chan string, 10)
	b.start(b.q, "w1", 1, handlerFunc(func(_ context.Context, job *jobs.Job, _ jobs.Progress) (any, error) {
		ran <- job.ID
		return nil, nil
	}))
	b.gone()
	require.Equal(t, neighbour.ID, waitFor(t, "the neighbour", ran))
	require.Empty(t, ran)
	require.Len(t, b.results(purge.Tail()), 1)
	require.Equal(t, jobs.Completed, b.result(purge, sequence).Outcome)
}

func TestTheEndOfAPurgeIsNotThatOfAnotherJobOfItsSubject(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	purge := newJob()
	_, finish := parts(purge, 1)
	end := &jobs.Result{Version: 1, JobID: finish.ID, Kind: jobs.PurgeFinish, Outcome: jobs.Completed, FinishedAt: jobs.At(time.Now())}
	waiting := *purge
	waiting.ID = jobs.NewID()
	sequence := b.enqueue(&waiting)
	require.NoError(t, b.q.Shards().End(t.Context(), planOf(purge, finish, 1), finish, end))
	require.Zero(t, b.result(purge, 0).JobSequence)
	require.NotEqual(t, sequence, b.results(purge.Tail())[0].JobSequence)
}

// The result is stored and the worker is gone before it could do or say more.
func TestAPlannedJobThatComesAgainIsNotRunAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	purge := newJob()
	outcomes := make(chan jobs.Outcome, 10)
	refuse := true
	b.start(b.q, "w1", 1, after{
		handlerFunc: does(nil, jobs.PlannedOut()),
		after: func(result *jobs.Result) error {
			outcomes <- result.Outcome
			if refuse {
				refuse = false
				return errors.New("cut off")
			}
			return nil
		},
	})
	b.enqueue(purge)
	require.Equal(t, jobs.Planned, waitFor(t, "the result", outcomes))
	require.Equal(t, jobs.Planned, waitFor(t, "the result again", outcomes))
	b.gone()
	b.eventually("its progress is removed", func() bool { return b.entry(purge.Tail()) == nil })
	require.Len(t, b.results(purge.Tail()), 1)
}

func TestACancelIsStrongerThanAPlanAndALostLeaseThanBoth(t *testing.T) {
	t.Parallel()
	p := &progress{q: &Queue{timings: timingsFor(wait)}}
	for _, test := range []struct {
		cause error
		want  Ending
	}{
		{nil, EndPlanned}, {ErrShutdown, EndPlanned}, {ErrStalled, EndPlanned},
		{ErrCanceled, EndCanceled}, {ErrLeaseLost, EndLeaseLost}, {errSettledElsewhere, EndLeaseLost},
	} {
		require.Equal(t, test.want, decide(outcome{err: jobs.PlannedOut(), cause: test.cause}, p).ending, "%v", test.cause)
	}
}
