package queue

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"deckhand/internal/natstest"
	"deckhand/jobs"
)

// afterHandler counts both calls.
type afterHandler struct {
	runs, afters atomic.Int32
	fail         atomic.Int32 // calls of AfterResult that fail
	last         atomic.Pointer[jobs.Result]
}

func (h *afterHandler) Run(context.Context, *jobs.Job, jobs.Progress) (any, error) {
	h.runs.Add(1)
	return nil, nil
}

func (h *afterHandler) AfterResult(_ context.Context, _ *jobs.Job, result *jobs.Result) error {
	h.afters.Add(1)
	h.last.Store(result)
	if h.fail.Add(-1) >= 0 {
		return errors.New("not now")
	}
	return nil
}

func TestAJobThatHasEndedIsAcknowledgedAndNotRunAgain(t *testing.T) {
	t.Parallel()
	for _, end := range []jobs.Outcome{jobs.Completed, jobs.Dead, jobs.Canceled} {
		b := setup(t, wait)
		job := newJob()
		sequence := b.enqueue(job)
		id := identity{job: job.ID, sequence: sequence, created: b.q.streamCreated()}
		_, err := b.q.recordResult(t.Context(), job.Tail(), id, &jobs.Result{
			Version: 1, JobID: job.ID, Kind: job.Kind, Outcome: end, JobSequence: sequence, StreamCreated: b.q.streamCreated(),
		}, 0)
		require.NoError(t, err)
		h := &afterHandler{}
		b.start(b.q, "w1", 1, h)
		b.gone()
		require.Zero(t, h.runs.Load())
		require.EqualValues(t, 1, h.afters.Load(), "the work after the result is repeated")
		require.Equal(t, end, h.last.Load().Outcome)
		require.Len(t, b.results(job.Tail()), 1)
	}
}

func TestAResultOfAnotherMessageDoesNotEndTheJob(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	for name, other := range map[string]func(*jobs.Result){
		"another job":                         func(r *jobs.Result) { r.JobID = jobs.NewID() },
		"the same job before it was requeued": func(r *jobs.Result) { r.JobSequence += 1000 },
		"a stream that is gone":               func(r *jobs.Result) { r.StreamCreated = jobs.At(time.Unix(1, 0)) },
	} {
		job := newJob()
		sequence := b.enqueue(job)
		result := &jobs.Result{Version: 1, JobID: job.ID, Outcome: jobs.Completed, JobSequence: sequence, StreamCreated: b.q.streamCreated()}
		other(result)
		_, err := b.q.recordResult(t.Context(), job.Tail(), identity{}, result, 0)
		require.NoError(t, err)
		h := &afterHandler{}
		w := b.start(b.q, "w1", 1, h)
		b.eventually(name, func() bool { return len(b.results(job.Tail())) == 2 })
		b.gone()
		require.EqualValues(t, 1, h.runs.Load(), name)
		require.NoError(t, w.halt())
	}
}

func TestFailedWorkAfterTheResultIsRepeatedWithoutTheJob(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	job := newJob()
	h := &afterHandler{}
	h.fail.Store(2)
	b.start(b.q, "w1", 1, h)
	b.enqueue(job)
	b.eventually("the work after the result succeeds", func() bool { return h.afters.Load() == 3 })
	b.gone()
	require.EqualValues(t, 1, h.runs.Load())
	require.Len(t, b.results(job.Tail()), 1)
}

func TestADeliveryWhoseMessageIsGoneIsNotRun(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	job := newJob()
	sequence := b.enqueue(job)
	consumer, err := b.js.Consumer(t.Context(), jobs.StreamName, string(job.Kind))
	require.NoError(t, err)
	msg, err := consumer.Next(jetstream.FetchMaxWait(patience))
	require.NoError(t, err)
	require.NoError(t, b.q.jobs.DeleteMsg(t.Context(), sequence))

	h := &afterHandler{}
	w, err := NewWorker(b.q, WorkerConfig{Name: "w1", Slots: map[jobs.Kind]int{jobs.Purge: 1},
		Handlers: map[jobs.Kind]jobs.Handler{jobs.Purge: h}})
	require.NoError(t, err)
	d, err := b.q.readDelivery(msg)
	require.NoError(t, err)
	go w.slots[0].work()
	defer close(w.slots[0].rests)
	w.handle(t.Context(), w.slots[0], d)
	require.Zero(t, h.runs.Load())
	require.Nil(t, b.entry(job.Tail()), "nothing is touched")
	require.Empty(t, b.results(job.Tail()))
	require.Empty(t, b.leases())
}

func TestALeasedTableDelaysItsJobAndSpendsNoAttempt(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	job := newJob()
	lease, err := b.q.Acquire(t.Context(), job.LockKey(), Holder{Worker: "hand", Job: "by hand", Kind: job.Kind})
	require.NoError(t, err)
	h := &afterHandler{}
	other := b.open(b.server.JetStream(t))
	w := b.start(other, "w1", 1, h)
	sequence := b.enqueue(job)
	b.eventually("the job is delayed", func() bool { return w.seen.has(EndSnoozed) })
	require.Zero(t, h.runs.Load())
	require.Nil(t, b.entry(job.Tail()))
	_, err = other.Acquire(t.Context(), job.LockKey(), Holder{Worker: "w2"})
	require.ErrorIs(t, err, ErrHeld)
	require.ErrorContains(t, err, "worker hand")
	require.NoError(t, lease.Release(t.Context()))
	require.ErrorIs(t, lease.Context().Err(), context.Canceled)
	require.Equal(t, 1, b.result(job, sequence).Attempts)
}

func TestOneTableIsNeverWorkedOnByTwoKindsAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	purge, view := newJob(), newJob()
	view.Kind, view.TableUUID = jobs.PurgeView, purge.TableUUID
	require.Equal(t, purge.LockKey(), view.LockKey())
	var running, overlaps, runs atomic.Int32
	work := handlerFunc(func(ctx context.Context, _ *jobs.Job, _ jobs.Progress) (any, error) {
		runs.Add(1)
		if running.Add(1) > 1 {
			overlaps.Add(1)
		}
		defer running.Add(-1)
		sleep(ctx, 100*time.Millisecond)
		return nil, nil
	})
	b.start(b.open(b.server.JetStream(t)), "w1", 2, work)
	b.start(b.open(b.server.JetStream(t)), "w2", 2, work)
	first, second := b.enqueue(purge), b.enqueue(view)
	require.Equal(t, jobs.Completed, b.result(purge, first).Outcome)
	require.Equal(t, jobs.Completed, b.result(view, second).Outcome)
	require.EqualValues(t, 2, runs.Load())
	require.Zero(t, overlaps.Load())
	b.gone()
}

func TestAJobWaitsForItsTimeWithoutLeaseOrAttempt(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	job := newJob()
	job.NotBefore = jobs.At(time.Now().Add(1500 * time.Millisecond))
	started := make(chan time.Time, 1)
	w := b.start(b.q, "w1", 1, handlerFunc(func(context.Context, *jobs.Job, jobs.Progress) (any, error) {
		started <- time.Now()
		return nil, nil
	}))
	sequence := b.enqueue(job)
	b.eventually("the job is delayed", func() bool { return w.seen.has(EndSnoozed) })
	require.Empty(t, b.leases())
	require.Nil(t, b.entry(job.Tail()))
	require.Equal(t, 1, b.result(job, sequence).Attempts)
	require.False(t, (<-started).Before(job.NotBefore.Time))
}

func TestAJobOfANewerVersionWaitsForANewerWorkerAndDiesAfterADay(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	job := newJob()
	body := []byte(`{"v":2,"id":"` + job.ID + `","kind":"purge","realm":{"new":"shape"}}`)
	h := &afterHandler{}
	q := b.open(b.js)
	q.timings.newer = 100 * time.Millisecond
	w := b.start(q, "w1", 1, h)
	sequence := b.raw(job.Subject(), nats.Header{}, body)
	b.eventually("the job is delayed twice", func() bool {
		return w.seen.count(func(o *observations) int { return len(o.endings) }) >= 2
	})
	require.Zero(t, b.messages(b.q.dead))
	require.EqualValues(t, 1, b.messages(b.q.jobs))
	require.NoError(t, w.halt())

	old := b.open(b.js)
	old.timings.newerLimit = time.Nanosecond
	b.start(old, "w2", 1, h)
	require.Equal(t, jobs.Dead, b.result(job, sequence).Outcome)
	letter, err := b.q.DeadLetter(t.Context(), job.Subject())
	require.NoError(t, err)
	require.Contains(t, letter.Reason, "field v")
	require.Equal(t, string(body), string(letter.Body))
	require.Zero(t, h.runs.Load())
}

func TestAKindWithoutSlotsIsNotPulled(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	view := newJob()
	view.Kind = jobs.PurgeView
	b.enqueue(view)
	job := newJob()
	worker, err := NewWorker(b.q, WorkerConfig{Name: "w1", Slots: map[jobs.Kind]int{jobs.Purge: 1},
		Handlers: map[jobs.Kind]jobs.Handler{jobs.Purge: does(nil, nil)}})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- worker.Run(ctx) }()
	require.Equal(t, jobs.Completed, b.result(job, b.enqueue(job)).Outcome)
	stop()
	require.NoError(t, waitFor(t, "the worker's end", ended))
	consumer, err := b.js.Consumer(t.Context(), jobs.StreamName, string(jobs.PurgeView))
	require.NoError(t, err)
	require.Zero(t, consumer.CachedInfo().Delivered.Consumer)
}

func TestAWorkerNeedsNoMoreRightsThanTheDocumentationSays(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t, natstest.Config{Conf: `authorization { users [ { user: admin, password: a }, { user: worker, password: w, permissions {
		publish: ["$JS.API.STREAM.INFO.*", "$JS.API.CONSUMER.INFO.JOBS.*", "$JS.API.CONSUMER.MSG.NEXT.JOBS.*", "$JS.API.DIRECT.GET.>",
			"$JS.ACK.JOBS.>", "$KV.locks.>", "$KV.progress.>", "results.>", "dead.>"], subscribe: ["_INBOX.>"] } } ] }`})
	b := &bundle{t: t, server: server, js: server.JetStream(t, nats.UserInfo("admin", "a")), config: Config{Drain: time.Second}}
	_, err := Setup(t.Context(), b.js, smallAssets(time.Second))
	require.NoError(t, err)
	b.q = b.open(b.js)
	nc := server.Connect(t, nats.UserInfo("worker", "w"))
	good, bad := newJob(), newJob()
	w := b.start(b.open(natstest.JetStream(t, nc)), "w1", 2, handlerFunc(func(ctx context.Context, j *jobs.Job, p jobs.Progress) (any, error) {
		if err := p.Save(ctx, 1, jobs.Counters{}); err != nil {
			return nil, err
		}
		if j.ID == bad.ID {
			return nil, jobs.Permanentf("refused")
		}
		sleep(ctx, 500*time.Millisecond) // a few heartbeats
		return nil, nil
	}))
	first, second := b.enqueue(good), b.enqueue(bad)
	require.Equal(t, jobs.Completed, b.result(good, first).Outcome)
	require.Equal(t, jobs.Dead, b.result(bad, second).Outcome)
	b.gone()
	require.Positive(t, w.seen.count(func(o *observations) int { return o.beats }))
	require.NoError(t, nc.LastError())
}
