package queue

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"deckhand/internal/natstest"
	"deckhand/jobs"
)

// killedWorkerVariable makes the test binary a worker whose handler kills it.
const killedWorkerVariable = "DECKHAND_QUEUE_TEST_KILLED_WORKER"

// runIfKilledWorker makes the process such a worker, if a test started it as
// one. It saves a checkpoint at the second attempt and not at later ones.
func runIfKilledWorker() {
	url := os.Getenv(killedWorkerVariable)
	if url == "" {
		return
	}
	err := func() error {
		nc, err := nats.Connect(url)
		if err != nil {
			return err
		}
		js, err := jetstream.New(nc)
		if err != nil {
			return err
		}
		q, err := Open(context.Background(), js, Config{})
		if err != nil {
			return err
		}
		kill := handlerFunc(func(ctx context.Context, _ *jobs.Job, p jobs.Progress) (any, error) {
			if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
				return nil, err
			}
			<-ctx.Done()
			return nil, nil
		})
		w, err := NewWorker(q, WorkerConfig{Name: fmt.Sprintf("victim-%d", os.Getpid()), Logger: slog.New(slog.DiscardHandler),
			Slots: map[jobs.Kind]int{jobs.Purge: 1}, Handlers: map[jobs.Kind]jobs.Handler{jobs.Purge: kill}})
		if err != nil {
			return err
		}
		return w.Run(context.Background())
	}()
	fmt.Fprintln(os.Stderr, "the worker was not killed:", err)
	os.Exit(1)
}

func TestAJobThatKillsItsWorkerIsDeadAfterItsAttempts(t *testing.T) {
	t.Parallel()
	b := setup(t, time.Second)
	job := newJob()
	sequence := b.enqueue(job)
	b.spend(job, sequence, job.Kind.MaxAttempts()-2)
	for attempt := job.Kind.MaxAttempts() - 1; attempt <= job.Kind.MaxAttempts(); attempt++ {
		victim := exec.Command(os.Args[0])
		victim.Env = append(os.Environ(), killedWorkerVariable+"="+b.server.URL())
		out, err := victim.CombinedOutput()
		require.Equal(t, syscall.SIGKILL, victim.ProcessState.Sys().(syscall.WaitStatus).Signal(), "%v %s", err, out)
		require.Equal(t, attempt, b.entry(job.Tail()).Attempts, "counted before the work")
	}
	h := &afterHandler{}
	b.start(b.q, "w1", 1, h)
	result := b.result(job, sequence)
	require.Equal(t, jobs.Dead, result.Outcome)
	require.Contains(t, result.Reason, "attempts spent (25)")
	require.Zero(t, h.runs.Load())
	require.Len(t, b.letters(job.Tail()), 1)
	b.gone()
}

func TestAnotherWorkerResumesAtTheCheckpointOfOneThatVanished(t *testing.T) {
	t.Parallel()
	b := setup(t, time.Second)
	proxy := natstest.NewProxy(t, b.server.Addr())
	saved := make(chan struct{})
	b.start(b.open(natstest.JetStream(t, natstest.Connect(t, proxy.URL()))), "vanishes", 1,
		handlerFunc(func(ctx context.Context, _ *jobs.Job, p jobs.Progress) (any, error) {
			if err := p.Save(ctx, map[string]int{"manifest": 4}, jobs.Counters{Files: 400}); err != nil {
				return nil, err
			}
			close(saved)
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}))
	job := newJob()
	sequence := b.enqueue(job)
	waitFor(t, "a checkpoint", saved)
	proxy.Stall() // and never again
	checkpoint := make(chan string, 1)
	b.start(b.q, "w2", 1, handlerFunc(func(_ context.Context, _ *jobs.Job, p jobs.Progress) (any, error) {
		checkpoint <- string(p.Checkpoint())
		return nil, nil
	}))
	result := b.result(job, sequence)
	require.Equal(t, "w2", result.Worker)
	require.JSONEq(t, `{"manifest":4}`, <-checkpoint)
	b.gone()
	require.Len(t, b.results(job.Tail()), 1)
}

func TestAPartitionLongerThanTheLeaseNeverMakesTwoRunsOverlap(t *testing.T) {
	t.Parallel()
	b := setup(t, time.Second)
	proxy := natstest.NewProxy(t, b.server.Addr())
	var running, overlaps atomic.Int32
	began, causes := make(chan struct{}, 1), make(chan error, 1)
	first := b.start(b.open(natstest.JetStream(t, natstest.Connect(t, proxy.URL()))), "cut off", 1,
		handlerFunc(func(ctx context.Context, _ *jobs.Job, _ jobs.Progress) (any, error) {
			running.Add(1)
			defer running.Add(-1)
			began <- struct{}{}
			<-ctx.Done()
			causes <- context.Cause(ctx)
			return "from the zombie", nil // it believes that it is done
		}))
	job := newJob()
	sequence := b.enqueue(job)
	waitFor(t, "the first run", began)
	proxy.Stall()
	second, release := make(chan struct{}), make(chan struct{})
	b.start(b.q, "w2", 1, handlerFunc(func(_ context.Context, _ *jobs.Job, _ jobs.Progress) (any, error) {
		if running.Add(1) > 1 {
			overlaps.Add(1)
		}
		defer running.Add(-1)
		close(second)
		<-release
		return "from w2", nil
	}))
	require.ErrorIs(t, waitFor(t, "the fence", causes), ErrLeaseLost)
	waitFor(t, "the second run", second)
	proxy.Resume()
	b.eventually("the first run ended", func() bool { return first.seen.has(EndLeaseLost) })
	require.NoError(t, first.halt())
	require.Empty(t, b.results(job.Tail()), "the first run settled nothing")
	_, err := b.q.jobs.GetMsg(t.Context(), sequence)
	require.NoError(t, err)
	close(release)
	result := b.result(job, sequence)
	require.Equal(t, "w2", result.Worker)
	require.JSONEq(t, `"from w2"`, string(result.Receipt))
	b.gone()
	require.Len(t, b.results(job.Tail()), 1)
	require.Zero(t, overlaps.Load())
}

func TestAPartitionShorterThanTheFenceIsNotNoticed(t *testing.T) {
	t.Parallel()
	b := setup(t, 6*time.Second)
	proxy := natstest.NewProxy(t, b.server.Addr())
	job := newJob()
	began, release := make(chan struct{}), make(chan struct{})
	w := b.start(b.open(natstest.JetStream(t, natstest.Connect(t, proxy.URL()))), "w1", 1,
		handlerFunc(func(ctx context.Context, _ *jobs.Job, _ jobs.Progress) (any, error) {
			close(began)
			<-release
			return nil, context.Cause(ctx)
		}))
	sequence := b.enqueue(job)
	waitFor(t, "the run", began)
	proxy.Stall()
	time.AfterFunc(1500*time.Millisecond, proxy.Resume) // more than a heartbeat, less than the fence
	beats := w.seen.count(func(o *observations) int { return o.beats })
	b.eventually("heartbeats after the partition", func() bool {
		return w.seen.count(func(o *observations) int { return o.beats }) > beats+2
	})
	close(release)
	require.Equal(t, 1, b.result(job, sequence).Attempts)
}

func TestAServerThatIsKilledInTheMiddleOfJobsLeavesOneResultEach(t *testing.T) {
	t.Parallel()
	server := natstest.StartProcess(t, natstest.Config{})
	b := &bundle{t: t, js: natstest.JetStream(t, natstest.Connect(t, server.URL()))}
	_, err := Setup(t.Context(), b.js, smallAssets(3*time.Second))
	require.NoError(t, err)
	b.q = b.open(b.js)

	began, release := make(chan *jobs.Job, 100), make(chan struct{})
	var runs atomic.Int32
	b.start(b.q, "w1", 2, handlerFunc(func(ctx context.Context, j *jobs.Job, _ jobs.Progress) (any, error) {
		runs.Add(1)
		began <- j
		select {
		case <-release:
			return nil, nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}))
	published := map[*jobs.Job]uint64{}
	for range 6 {
		job := newJob()
		published[job] = b.enqueue(job)
	}
	waitFor(t, "a run", began)
	waitFor(t, "a second run", began)
	server.Kill()
	server.Start(t)
	close(release)
	for job, sequence := range published {
		require.Equal(t, jobs.Completed, b.result(job, sequence).Outcome)
	}
	// Once more, right after the ends: the server forgets acknowledgements.
	server.Kill()
	server.Start(t)
	b.eventually("it answers", func() bool { _, err := b.q.Status(t.Context()); return err == nil })
	next := newJob()
	b.result(next, b.enqueue(next))
	b.gone()
	for job := range published {
		require.Len(t, b.results(job.Tail()), 1)
	}
}

func TestAServerThatIsRestartedInGoodOrderInterruptsNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, 6*time.Second)
	job := newJob()
	began, release := make(chan struct{}, 2), make(chan struct{})
	b.start(b.q, "w1", 1, handlerFunc(func(ctx context.Context, _ *jobs.Job, p jobs.Progress) (any, error) {
		began <- struct{}{}
		<-release
		return nil, p.Save(ctx, "after the restart", jobs.Counters{})
	}))
	sequence := b.enqueue(job)
	waitFor(t, "the run", began)
	b.server.Restart(t)
	close(release)
	require.Equal(t, 1, b.result(job, sequence).Attempts)
	next := newJob()
	require.Equal(t, jobs.Completed, b.result(next, b.enqueue(next)).Outcome)
}
