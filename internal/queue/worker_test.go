package queue

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"deckhand/internal/natstest"
	"deckhand/jobs"
)

func TestTwoWorkersEndEachOf200JobsOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, 10*time.Second)
	var mu sync.Mutex
	runs := map[string]int{}
	work := handlerFunc(func(_ context.Context, j *jobs.Job, _ jobs.Progress) (any, error) {
		mu.Lock()
		defer mu.Unlock()
		runs[j.ID]++
		return nil, nil
	})
	for _, name := range []string{"w1", "w2"} {
		b.start(b.open(b.server.JetStream(t)), name, 4, work)
	}
	published := map[*jobs.Job]uint64{}
	for range 200 {
		job := newJob()
		published[job] = b.enqueue(job)
	}
	for job, sequence := range published {
		require.Equal(t, jobs.Completed, b.result(job, sequence).Outcome)
	}
	b.gone()
	require.EqualValues(t, 200, b.messages(b.q.results))
	require.Len(t, runs, 200)
	for id, n := range runs {
		require.Equal(t, 1, n, id)
	}
	b.eventually("no progress is left", func() bool {
		for job := range published {
			if b.entry(job.Tail()) != nil {
				return false
			}
		}
		return true
	})
}

func TestWorkersThatStartAndStopAtAnyMomentLoseNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	published := map[*jobs.Job]uint64{}
	work := handlerFunc(func(ctx context.Context, _ *jobs.Job, p jobs.Progress) (any, error) {
		if err := p.Save(ctx, p.Attempt(), jobs.Counters{}); err != nil {
			return nil, err
		}
		if !sleep(ctx, time.Duration(rand.IntN(20))*time.Millisecond) {
			return nil, context.Cause(ctx)
		}
		return nil, nil
	})
	for round := range 20 {
		nc := natstest.Connect(t, b.server.URL())
		b.config.Drain = time.Duration(rand.IntN(10)) * time.Millisecond
		if b.config.Drain == 0 {
			b.config.Drain = time.Nanosecond
		}
		w := b.start(b.open(natstest.JetStream(t, nc)), fmt.Sprintf("w%d", round), 2, work)
		for range 4 {
			job := newJob()
			published[job] = b.enqueue(job)
		}
		sleep(t.Context(), time.Duration(rand.IntN(30))*time.Millisecond)
		require.NoError(t, w.halt())
		require.Empty(t, w.Running())
		nc.Close()
	}
	b.start(b.q, "last", 4, work)
	for job, sequence := range published {
		require.Equal(t, jobs.Completed, b.result(job, sequence).Outcome)
		require.Len(t, b.results(job.Tail()), 1)
	}
	b.gone()
}

func TestAClosedConnectionEndsTheWorkerWithAnError(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	began, causes := make(chan *jobs.Job, 1), make(chan error, 1)
	nc := natstest.Connect(t, b.server.URL())
	w := b.start(b.open(natstest.JetStream(t, nc)), "w1", 1, untilStopped(began, causes))
	b.enqueue(newJob())
	waitFor(t, "the run", began)
	nc.Close()
	waitFor(t, "the end of the run", causes)
	require.ErrorIs(t, w.wait(), nats.ErrConnectionClosed)
	require.EqualValues(t, 1, b.messages(b.q.jobs))
}

// wait is for the worker's own end.
func (r *runner) wait() error {
	<-r.done
	return r.err
}

func TestHealthAndReadinessTellALiveWorkerFromAReadyOne(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	proxy := natstest.NewProxy(t, b.server.Addr())
	nc := natstest.Connect(t, proxy.URL())
	began, stuck := make(chan *jobs.Job, 1), make(chan struct{})
	w := b.start(b.open(natstest.JetStream(t, nc)), "w1", 1, handlerFunc(func(_ context.Context, j *jobs.Job, _ jobs.Progress) (any, error) {
		began <- j
		<-stuck
		return nil, nil
	}))
	defer close(stuck)
	b.eventually("it is ready", func() bool { return w.Ready() == nil })
	require.NoError(t, w.Healthy())
	b.enqueue(newJob())
	waitFor(t, "the run", began)
	require.Equal(t, map[jobs.Kind]int{jobs.Purge: 1}, w.Running())
	require.Less(t, w.ProgressAge()[jobs.Purge], patience)

	defer proxy.Resume()
	proxy.Stall()
	proxy.Cut()
	b.eventually("it is not ready", func() bool { return w.Ready() != nil })
	require.NoError(t, w.Healthy(), "which has nothing to do with NATS")

	// The lease is lost, and the handler does not stop.
	for _, s := range w.slots {
		s.mu.Lock()
		run := s.run
		s.mu.Unlock()
		if run == nil {
			continue
		}
		b.eventually("the handler is told to stop", func() bool { return s.ctx.Err() != nil })
		require.NoError(t, s.healthy(time.Hour))
		b.eventually("and does not", func() bool { return s.healthy(0) != nil })
		s.mu.Lock()
		s.touched = time.Now().Add(time.Hour)
		s.mu.Unlock()
		require.ErrorContains(t, s.healthy(0), "was told to stop (lease is lost)")
	}
	idle := newSlot(jobs.Purge)
	idle.touched = time.Now().Add(-time.Hour)
	require.ErrorContains(t, idle.healthy(time.Minute), "has not moved for 1h0m0s")
}

func TestAJobThatWaitsAtAWorkerThatStopsGoesBackAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, 2*time.Minute) // a job that is not given back would come after two minutes
	for range 5 {
		w := b.start(b.open(b.server.JetStream(t)), "stops", 8, does(nil, nil))
		job := newJob()
		sequence := b.enqueue(job)
		require.NoError(t, w.halt())
		last := b.start(b.q, "next", 1, does(nil, nil))
		require.Equal(t, jobs.Completed, b.result(job, sequence).Outcome)
		require.NoError(t, last.halt())
	}
}
