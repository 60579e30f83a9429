package queue

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"deckhand/internal/natstest"
	"deckhand/jobs"
)

// pullOne takes a job as a worker would, without one.
func (b *bundle) pullOne(js jetstream.JetStream) jetstream.Msg {
	b.t.Helper()
	consumer, err := js.Consumer(b.t.Context(), jobs.StreamName, string(jobs.Purge))
	require.NoError(b.t, err)
	msg, err := consumer.Next(jetstream.FetchMaxWait(patience))
	require.NoError(b.t, err)
	return msg
}

// Trap 9: the server accepts every answer to a delivery that is long over.
func TestAWorkerFindsOutByItselfThatItsJobIsGone(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	job := newJob()
	sequence := b.enqueue(job)
	msg := b.pullOne(b.js)
	require.NoError(t, b.q.jobs.DeleteMsg(t.Context(), sequence))
	require.NoError(t, msg.InProgress())
	_, err := b.js.Conn().RequestWithContext(t.Context(), msg.Reply(), []byte("+WPI"))
	require.NoError(t, err, "the server does not say that the job is gone")
	d, err := b.q.readDelivery(msg)
	require.NoError(t, err)
	exists, err := d.exists(t.Context())
	require.NoError(t, err)
	require.False(t, exists, "so the worker looks")
	require.NoError(t, d.finish(t.Context()), "nor does it mind an acknowledgement")
}

// Trap 10: acknowledgements are not fenced: those of a worker that lost its job
// would end the run of the next one.
func TestARunThatLostItsLeaseSettlesNothing(t *testing.T) {
	t.Parallel()
	for name, ends := range map[string]error{"success": nil, "permanent": jobs.Permanentf("refused"), "snooze": jobs.Snooze(time.Millisecond, nil)} {
		b := setup(t, wait)
		job := newJob()
		began, causes := make(chan *jobs.Job, 1), make(chan error, 1)
		w := b.start(b.q, "w1", 1, handlerFunc(func(ctx context.Context, j *jobs.Job, _ jobs.Progress) (any, error) {
			began <- j
			<-ctx.Done()
			causes <- context.Cause(ctx)
			return nil, ends
		}))
		sequence := b.enqueue(job)
		waitFor(t, "the run", began)
		// Another worker has the lease, as after an expiry.
		held, err := b.q.locks.get(t.Context(), job.LockKey())
		require.NoError(t, err)
		other := []byte(`{"worker":"w2","job":"` + job.ID + `"}`)
		revision, err := b.q.locks.put(t.Context(), job.LockKey(), other, held.revision)
		require.NoError(t, err)
		before := *b.entry(job.Tail())

		require.ErrorIs(t, waitFor(t, "the loss", causes), ErrLeaseLost, name)
		b.eventually("it ended", func() bool { return w.seen.has(EndLeaseLost) })
		require.NoError(t, w.halt())
		require.Empty(t, b.results(job.Tail()), name)
		require.Zero(t, b.messages(b.q.dead), name)
		require.Equal(t, before, *b.entry(job.Tail()), name)
		now, err := b.q.locks.get(t.Context(), job.LockKey())
		require.NoError(t, err)
		require.Equal(t, revision, now.revision, "the other worker's lease is not removed")
		_, err = b.q.jobs.GetMsg(t.Context(), sequence)
		require.NoError(t, err, "the job is still there")
		require.Equal(t, 1, w.seen.count(func(o *observations) int { return o.lost }))
	}
}

// Trap 12: a killed server forgets acknowledgements and counts deliveries from
// one again.
func TestAServerThatForgotAnAcknowledgementDoesNotRunTheJobTwice(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	job := newJob()
	h := &afterHandler{}
	sequence := b.enqueue(job)
	first := b.pullOne(b.js)
	w, err := NewWorker(b.q, WorkerConfig{Name: "w1", Slots: map[jobs.Kind]int{jobs.Purge: 1},
		Handlers: map[jobs.Kind]jobs.Handler{jobs.Purge: h}})
	require.NoError(t, err)
	d, err := b.q.readDelivery(first)
	require.NoError(t, err)
	r, _ := w.claim(t.Context(), jobs.Purge, d)
	require.NotNil(t, r)
	settled := r.settle(t.Context(), w.execute(t.Context(), w.slots[0], r))
	require.Equal(t, EndCompleted, settled.ending)
	// The result is recorded; what follows, the acknowledgement, is lost.
	r.lease.forget()
	require.NoError(t, b.q.locks.stream.Purge(t.Context()))
	require.NoError(t, b.js.DeleteConsumer(t.Context(), jobs.StreamName, string(jobs.Purge)))
	_, err = Setup(t.Context(), b.js, smallAssets(wait))
	require.NoError(t, err)

	again := b.pullOne(b.js)
	meta, err := again.Metadata()
	require.NoError(t, err)
	require.EqualValues(t, 1, meta.NumDelivered)
	require.Equal(t, sequence, meta.Sequence.Stream)
	d, err = b.q.readDelivery(again)
	require.NoError(t, err)
	w.handle(t.Context(), w.slots[0], d)
	b.gone()
	require.EqualValues(t, 1, h.runs.Load())
	require.Len(t, b.results(job.Tail()), 1)
}

// Trap 14: Ack returns nil while nothing can be sent.
func TestTheEndOfAJobIsAcknowledgedByTheServer(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	proxy := natstest.NewProxy(t, b.server.Addr())
	js := natstest.JetStream(t, natstest.Connect(t, proxy.URL()))
	q := b.open(js)
	for range 2 {
		b.enqueue(newJob())
	}
	plain := b.pullOne(js)
	d, err := q.readDelivery(b.pullOne(js))
	require.NoError(t, err)
	proxy.Stall()
	require.NoError(t, plain.Ack(), "the client says so although nothing arrived")
	require.ErrorIs(t, d.finish(t.Context()), context.DeadlineExceeded)
	require.ErrorIs(t, d.terminate(t.Context(), "dead"), context.DeadlineExceeded)
	require.EqualValues(t, 2, b.messages(b.q.jobs))
}

// Trap 18: a full account refuses the renewal of leases too.
func TestAFullAccountStopsRunsAndLosesNoJob(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t, natstest.Config{Conf: `
		accounts { APP { jetstream { max_file: 7MB }, users [ { user: u, password: p } ] } }`})
	b := &bundle{t: t, server: server}
	b.js = server.JetStream(t, nats.UserInfo("u", "p"))
	assets := AssetsConfig{AckWait: time.Second, JobsMaxBytes: 1 << 20, DeadMaxBytes: 1 << 20, ResultsMaxBytes: 1 << 20,
		LocksMaxBytes: 1 << 20, ProgressMaxBytes: 1 << 20, ShardsMaxBytes: 1 << 20}
	_, err := Setup(t.Context(), b.js, assets)
	require.NoError(t, err)
	b.q = b.open(b.js)

	job := newJob()
	causes := make(chan error, 10)
	var freed atomic.Bool
	w := b.start(b.q, "w1", 1, handlerFunc(func(ctx context.Context, _ *jobs.Job, _ jobs.Progress) (any, error) {
		if freed.Load() {
			return nil, nil
		}
		<-ctx.Done()
		causes <- context.Cause(ctx)
		return nil, context.Cause(ctx)
	}))
	sequence := b.enqueue(job)
	b.eventually("heartbeats", func() bool { return w.seen.count(func(o *observations) int { return o.beats }) > 1 })
	filler, err := b.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "FILLER", Subjects: []string{"filler"}})
	require.NoError(t, err)
	for _, size := range []int{256 << 10, 16 << 10, 1 << 10, 0} {
		b.eventually("the account is full", func() bool {
			_, err := b.js.Publish(t.Context(), "filler", make([]byte, size))
			return err != nil
		})
	}
	_, err = jobs.Publish(t.Context(), b.js, newJob(), jobs.PublishOptions{})
	require.ErrorIs(t, err, jobs.ErrQueueFull)
	require.ErrorIs(t, waitFor(t, "the fence", causes), ErrLeaseLost)
	_, err = b.q.Acquire(t.Context(), "table.other", Holder{Worker: "w2"})
	require.ErrorIs(t, err, ErrAccountFull)
	require.ErrorContains(t, err, "raise the account's limit")
	require.EqualValues(t, 1, b.messages(b.q.jobs))

	freed.Store(true)
	require.NoError(t, b.js.DeleteStream(t.Context(), filler.CachedInfo().Config.Name))
	require.Equal(t, jobs.Completed, b.result(job, sequence).Outcome)
}

// Trap 18, the other half: a full stream refuses no renewal.
func TestAFullQueueDoesNotStopRuns(t *testing.T) {
	t.Parallel()
	b := setup(t, time.Second)
	job := newJob()
	began, release := make(chan *jobs.Job, 1), make(chan struct{})
	w := b.start(b.q, "w1", 1, handlerFunc(func(ctx context.Context, j *jobs.Job, _ jobs.Progress) (any, error) {
		began <- j
		<-release
		return nil, context.Cause(ctx)
	}))
	sequence := b.enqueue(job)
	waitFor(t, "the run", began)
	config := b.q.jobs.CachedInfo().Config
	config.MaxMsgs = 1
	_, err := b.js.UpdateStream(t.Context(), config)
	require.NoError(t, err)
	_, err = jobs.Publish(t.Context(), b.js, newJob(), jobs.PublishOptions{})
	require.ErrorIs(t, err, jobs.ErrQueueFull)
	b.eventually("heartbeats", func() bool { return w.seen.count(func(o *observations) int { return o.beats }) > 8 })
	close(release)
	require.Equal(t, jobs.Completed, b.result(job, sequence).Outcome)
}

// Trap 21: an update of a key drops the key's own time to live, and the lease
// would never end.
func TestALeaseThatWasRenewedExpiresAndItsHolderCannotComeBack(t *testing.T) {
	t.Parallel()
	b := setup(t, time.Second)
	zombie, err := b.q.takeLease(t.Context(), "table.x", Holder{Worker: "zombie"})
	require.NoError(t, err)
	for range 5 {
		require.NoError(t, zombie.renew(t.Context()))
	}
	b.eventually("the lease expires", func() bool {
		entry, err := b.q.locks.get(t.Context(), "table.x")
		return err == nil && entry.value == nil
	})
	require.ErrorIs(t, zombie.renew(t.Context()), ErrLeaseLost, "after mere expiry")
	require.ErrorIs(t, zombie.remove(t.Context()), ErrLeaseLost)

	other := b.open(b.server.JetStream(t))
	lease, err := other.Acquire(t.Context(), "table.x", Holder{Worker: "w2"})
	require.NoError(t, err)
	require.ErrorIs(t, zombie.renew(t.Context()), ErrLeaseLost)
	require.ErrorIs(t, zombie.remove(t.Context()), ErrLeaseLost)
	require.NoError(t, lease.Release(t.Context()))
}

func TestARenewalWithoutAnAnswerIsLookedUp(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	lease, err := b.q.takeLease(t.Context(), "table.x", Holder{Worker: "w1", Job: "j"})
	require.NoError(t, err)
	// A renewal arrived and its answer did not.
	_, err = b.q.locks.put(t.Context(), "table.x", lease.value, lease.revision)
	require.NoError(t, err)
	lease.unsure = true
	before := lease.confirmed
	require.NoError(t, lease.renew(t.Context()))
	require.False(t, lease.unsure)
	require.True(t, lease.confirmed.After(before))
	require.NoError(t, lease.renew(t.Context()))

	_, err = b.q.locks.put(t.Context(), "table.x", lease.value, lease.revision)
	require.NoError(t, err)
	require.ErrorIs(t, lease.renew(t.Context()), ErrLeaseLost, "a conflict that no lost answer explains")
	lease.unsure = true
	require.NoError(t, lease.release(t.Context()), "the release looks too")

	other, err := b.q.takeLease(t.Context(), "table.x", Holder{Worker: "w1", Job: "j"})
	require.NoError(t, err)
	_, err = b.q.locks.put(t.Context(), "table.x", []byte(`{"worker":"w2"}`), other.revision)
	require.NoError(t, err)
	other.unsure = true
	require.ErrorIs(t, other.renew(t.Context()), ErrLeaseLost)
	require.ErrorIs(t, other.release(t.Context()), ErrLeaseLost)
}

func TestACheckpointWithoutAnAnswerIsWrittenAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	job := newJob()
	p := b.q.newProgress(job.Tail(), slog.Default())
	require.NoError(t, p.claim(t.Context(), job, 1, "w1"))
	require.NoError(t, p.Save(t.Context(), 1, jobs.Counters{}))
	// A write arrived and its answer did not.
	stale := *p.entry.copy()
	revision := p.revision
	require.NoError(t, p.Save(t.Context(), 2, jobs.Counters{}))
	p.entry, p.revision = stale, revision
	require.NoError(t, p.Save(t.Context(), 3, jobs.Counters{}))
	require.Equal(t, "3", string(b.entry(job.Tail()).Checkpoint))

	// Someone removed the entry: the run that holds the lease writes it anew.
	require.NoError(t, b.q.progress.remove(t.Context(), job.Tail(), p.revision))
	require.NoError(t, p.Save(t.Context(), 4, jobs.Counters{}))
	require.Equal(t, "4", string(b.entry(job.Tail()).Checkpoint))

	// Another worker claimed the job.
	other := b.q.newProgress(job.Tail(), slog.Default())
	require.NoError(t, other.load(t.Context()))
	require.NoError(t, other.claim(t.Context(), job, 1, "w2"))
	require.ErrorIs(t, p.Save(t.Context(), 5, jobs.Counters{}), ErrLeaseLost)
	require.Equal(t, "4", string(b.entry(job.Tail()).Checkpoint))
	require.Equal(t, "4", string(other.Checkpoint()))
}

func (e progressEntry) copy() *progressEntry { return &e }
