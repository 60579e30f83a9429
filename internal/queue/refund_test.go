package queue

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"deckhand/internal/natstest"
	"deckhand/jobs"
)

// outages lets a worker lose its leases to a server that does not answer.
type outages struct {
	*bundle
	proxy *natstest.Proxy
	// q is a queue beyond the proxy, with a short fence.
	q *Queue
}

func withOutages(t *testing.T) *outages {
	t.Helper()
	b := setup(t, wait)
	o := &outages{bundle: b, proxy: natstest.NewProxy(t, b.server.Addr())}
	t.Cleanup(o.proxy.Resume)
	o.q = b.open(natstest.JetStream(t, natstest.Connect(t, o.proxy.URL())))
	o.q.timings.heartbeat, o.q.timings.retryBeat = 20*time.Millisecond, 20*time.Millisecond
	o.q.timings.call, o.q.timings.fence = 250*time.Millisecond, 400*time.Millisecond
	return o
}

// deliver takes the job out of JOBS, for the worker beyond the proxy.
func (o *outages) deliver(job *jobs.Job) jetstream.Msg {
	o.t.Helper()
	o.proxy.Resume()
	consumer, err := o.js.Consumer(o.t.Context(), jobs.StreamName, string(job.Kind))
	require.NoError(o.t, err)
	there, err := consumer.Next(jetstream.FetchMaxWait(patience))
	require.NoError(o.t, err)
	return there
}

// free lets the next run begin at once, and not only when the lease has expired.
func (o *outages) free(job *jobs.Job, msg jetstream.Msg) {
	o.t.Helper()
	o.eventually("the lease is removed", func() bool { // a renewal that was held back may come in between
		return o.bundle.q.locks.remove(o.t.Context(), job.LockKey(), o.lease(job.LockKey()).revision) == nil
	})
	o.again(msg)
}

// again brings a message back at once, whatever was said of it.
func (o *outages) again(msg jetstream.Msg) {
	o.t.Helper()
	require.NoError(o.t, o.js.Conn().Publish(msg.Reply(), []byte("-NAK")))
}

// idle is a worker that is handed its deliveries.
func (o *outages) idle(kind jobs.Kind, handler jobs.Handler) (*Worker, *observations, *logBuffer) {
	o.t.Helper()
	seen, log := &observations{}, &logBuffer{}
	w, err := NewWorker(o.q, WorkerConfig{Name: "beyond", Slots: map[jobs.Kind]int{kind: 1}, Observer: seen,
		Logger: slog.New(slog.NewTextHandler(log, nil)), Handlers: map[jobs.Kind]jobs.Handler{kind: handler}})
	require.NoError(o.t, err)
	go w.slots[0].work()
	o.t.Cleanup(func() { close(w.slots[0].rests); w.refunds.end(0) })
	o.t.Cleanup(func() {
		if o.t.Failed() {
			o.t.Log(log.String())
		}
	})
	return w, seen, log
}

// run hands a delivery to the worker until its handler has run: a busy machine may be
// slow to answer, too.
func (o *outages) run(w *Worker, msg jetstream.Msg) {
	o.t.Helper()
	started := func() int { return w.observer.(*observations).count(func(o *observations) int { return o.started }) }
	before := started()
	o.eventually("a run", func() bool { o.claim(w, msg); return started() > before })
}

// claim hands a delivery to the worker.
func (o *outages) claim(w *Worker, msg jetstream.Msg) {
	o.t.Helper()
	d, err := o.q.readDelivery(msg)
	require.NoError(o.t, err)
	w.handle(context.Background(), w.slots[0], d)
}

// cutOff waits until the worker's run has asked in vain for its lease. A handler that
// waits for that lets the heartbeats go on, however late they are.
func (o *outages) cutOff(w *Worker) *Lease {
	o.proxy.Stall()
	w.slots[0].mu.Lock()
	lease := w.slots[0].run.lease
	w.slots[0].mu.Unlock()
	o.eventually("a renewal without an answer", lease.unheard)
	return lease
}

// living is a job for a living table, which has 8 attempts.
func living() *jobs.Job {
	job := newJob()
	job.Kind, job.TableUUID, job.MetadataLocation = jobs.Expire, "", ""
	return job
}

func TestTwentyOutagesInARowDoNotKillAJob(t *testing.T) {
	t.Parallel()
	o := withOutages(t)
	o.q.timings.call, o.q.timings.fence = 120*time.Millisecond, 180*time.Millisecond
	job := living()
	sequence := o.enqueue(job)
	const outages = 20
	runs := 0
	var w *Worker
	w, seen, _ := o.idle(job.Kind, handlerFunc(func(ctx context.Context, _ *jobs.Job, p jobs.Progress) (any, error) {
		require.Equal(t, 1, p.Attempt())
		if runs++; runs > outages {
			return nil, nil
		}
		o.cutOff(w)
		<-ctx.Done()
		require.ErrorIs(t, context.Cause(ctx), ErrLeaseLost)
		if runs%2 == 0 {
			o.proxy.Cut()
		}
		return nil, ctx.Err()
	}))
	for n := 1; n <= outages; n++ {
		msg := o.deliver(job)
		o.run(w, msg)
		require.Equal(t, n, seen.count(func(o *observations) int { return o.lost }))
		require.Equal(t, stateRunning, o.entry(job.Tail()).State, "the slot is free before NATS answers")
		o.proxy.Resume()
		o.eventually("the attempt is given back", func() bool {
			e := o.entry(job.Tail())
			return e.Attempts == 0 && e.State == stateDelayed
		})
		w.refunds.owned.Wait()
		o.free(job, msg)
	}
	o.run(w, o.deliver(job))
	require.Equal(t, 1, o.result(job, sequence).Attempts)
	require.Zero(t, o.messages(o.bundle.q.dead))
}

func TestAnAttemptThatTheHandlerEndedIsSpentInAnOutageToo(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(o *outages, w *Worker, ctx context.Context) error{
		"a crash": func(o *outages, w *Worker, ctx context.Context) error {
			o.cutOff(w)
			<-ctx.Done()
			panic("at the end")
		},
		"an error before it is told to stop": func(o *outages, w *Worker, _ context.Context) error {
			o.cutOff(w)
			return errors.New("broken")
		},
		"hanging": func(o *outages, w *Worker, ctx context.Context) error {
			<-ctx.Done()
			lease := o.cutOff(w)
			o.eventually("the fence", func() bool { return lease.fenced() <= 0 })
			return context.Cause(ctx)
		},
		"no time to renew": func(_ *outages, w *Worker, ctx context.Context) error {
			<-ctx.Done()
			return context.Cause(ctx)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := withOutages(t)
			switch name {
			case "hanging":
				o.q.config.StallTimeout = 10 * time.Millisecond
			case "no time to renew":
				o.q.timings.heartbeat = 2 * o.q.timings.fence // nothing is tried before it is too late
				o.q.timings.call = patience
			default:
				o.q.timings.fence = 2 * time.Second
			}
			job := living()
			o.enqueue(job)
			var w *Worker
			w, seen, log := o.idle(job.Kind, handlerFunc(func(ctx context.Context, _ *jobs.Job, _ jobs.Progress) (any, error) {
				return nil, end(o, w, ctx)
			}))
			o.run(w, o.deliver(job))
			require.True(t, seen.has(EndLeaseLost) || seen.has(EndRetried))
			o.proxy.Resume()
			w.refunds.owned.Wait()
			require.Equal(t, 1, o.entry(job.Tail()).Attempts)
			require.NotContains(t, log.String(), "given back")
		})
	}
}

func TestOnlyWhoWasToldToStopForTheQueueHasNotFailed(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, cause := range []error{ErrLeaseLost, ErrShutdown} {
		require.False(t, outcome{cause: cause, err: broken}.failed(), "an echo")
		require.True(t, outcome{cause: cause, err: &panicError{}}.failed())
	}
	for _, cause := range []error{ErrStalled, ErrCanceled, errSettledElsewhere} {
		require.True(t, outcome{cause: cause, err: broken}.failed())
	}
	require.True(t, outcome{err: broken}.failed())
	require.False(t, outcome{}.failed())
}

func TestAnEndThatCouldNotBeRecordedSpendsNoAttempt(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]error{"done": nil, "snoozed": jobs.Snooze(time.Millisecond, nil)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := withOutages(t)
			job := living()
			sequence := o.enqueue(job)
			runs := 0
			w, _, _ := o.idle(job.Kind, handlerFunc(func(context.Context, *jobs.Job, jobs.Progress) (any, error) {
				if runs++; runs == 1 {
					o.proxy.Stall()
					return nil, end
				}
				return nil, nil
			}))
			msg := o.deliver(job)
			o.run(w, msg)
			o.proxy.Cut()
			o.proxy.Resume()
			w.refunds.owned.Wait()
			require.Zero(t, o.entry(job.Tail()).Attempts)
			o.eventually("the lease is released", func() bool { return len(o.leases()) == 0 })
			o.again(msg)
			o.run(w, o.deliver(job))
			require.Equal(t, 1, o.result(job, sequence).Attempts)
		})
	}
}

// deaf stores what is published and tells nobody, as often as asked.
type deaf struct {
	jetstream.JetStream
	times int
}

func (d *deaf) PublishMsg(ctx context.Context, msg *nats.Msg, options ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	ack, err := d.JetStream.PublishMsg(ctx, msg, options...)
	if d.times--; err == nil && d.times >= 0 {
		return nil, context.DeadlineExceeded
	}
	return ack, err
}

func TestAClaimWithoutAnAnswerSpendsNoAttempt(t *testing.T) {
	t.Parallel()
	o := withOutages(t)
	o.q.progress.js = &deaf{o.q.progress.js, 2} // the claim, and the first try of the refund
	job := living()
	o.enqueue(job)
	o.q.timings.call = patience
	h := &afterHandler{}
	w, seen, _ := o.idle(job.Kind, h)
	o.claim(w, o.deliver(job))
	w.refunds.owned.Wait()
	require.True(t, seen.has(EndSnoozed))
	require.Zero(t, h.runs.Load())
	require.Zero(t, o.entry(job.Tail()).Attempts)
	require.Equal(t, stateDelayed, o.entry(job.Tail()).State)
	require.Empty(t, o.leases())
}

func TestARefundDoesNotTouchARunThatBeganMeanwhile(t *testing.T) {
	t.Parallel()
	o := withOutages(t)
	job := living()
	sequence := o.enqueue(job)
	var w *Worker
	w, seen, log := o.idle(job.Kind, handlerFunc(func(ctx context.Context, _ *jobs.Job, _ jobs.Progress) (any, error) {
		o.cutOff(w)
		<-ctx.Done()
		return nil, ctx.Err()
	}))
	msg := o.deliver(job)
	o.run(w, msg)
	require.True(t, seen.has(EndLeaseLost))

	saved, release := make(chan struct{}), make(chan struct{})
	o.startKinds(o.bundle.q, "w2", 1, map[jobs.Kind]jobs.Handler{job.Kind: handlerFunc(func(ctx context.Context, _ *jobs.Job, p jobs.Progress) (any, error) {
		if err := p.Save(ctx, "farther", jobs.Counters{Files: 7}); err != nil {
			return nil, err
		}
		close(saved)
		<-release
		return p.Attempt(), p.Save(ctx, "the end", jobs.Counters{Files: 8})
	})})
	o.free(job, msg)
	waitFor(t, "a checkpoint of the second run", saved)
	before, err := o.bundle.q.progress.get(t.Context(), job.Tail())
	require.NoError(t, err)
	o.proxy.Resume()
	w.refunds.owned.Wait()
	require.Contains(t, log.String(), "attempt stays spent")
	after, err := o.bundle.q.progress.get(t.Context(), job.Tail())
	require.NoError(t, err)
	require.Equal(t, before, after)
	close(release)
	require.Equal(t, 2, o.result(job, sequence).Attempts)
}

func TestARefundKeepsTheNewestCheckpointAndIsMadeOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	job := living()
	claim := func(worker string) *progress {
		p := b.q.newProgress(job.Tail(), slog.New(slog.DiscardHandler))
		require.NoError(t, p.claim(t.Context(), job, 1, worker))
		return p
	}
	b.spend(job, 1, 3)
	p := claim("w1")
	require.Equal(t, 4, p.attempt)
	// The answer to a save got lost: this run knows neither its revision nor that it
	// was stored.
	entry, revision := p.entry, p.revision
	require.NoError(t, p.Save(t.Context(), "farther", jobs.Counters{Files: 7}))
	p.entry, p.revision = entry, revision
	for range 2 {
		require.NoError(t, p.refund(t.Context()))
		stored := b.entry(job.Tail())
		require.Equal(t, 3, stored.Attempts)
		require.JSONEq(t, `"farther"`, string(stored.Checkpoint))
		require.EqualValues(t, 7, stored.Counters.Files)
		p.entry, p.revision = entry, revision // nor is the answer to this one known
	}

	other := claim("w2")
	require.ErrorIs(t, p.refund(t.Context()), ErrLeaseLost)
	require.ErrorIs(t, p.refund(t.Context()), ErrLeaseLost)
	require.ErrorIs(t, p.Save(t.Context(), "back", jobs.Counters{}), ErrLeaseLost)
	require.ErrorIs(t, p.Save(t.Context(), "back", jobs.Counters{}), ErrLeaseLost, "what it read is no right to write")
	stored, err := b.q.progress.get(t.Context(), job.Tail())
	require.NoError(t, err)
	require.Equal(t, other.revision, stored.revision)

	require.NoError(t, other.remove(t.Context()))
	require.ErrorIs(t, p.refund(t.Context()), ErrLeaseLost)
	require.Nil(t, b.entry(job.Tail()), "a job that has ended has no entry")
}

func TestAWorkerThatStopsWaitsNoLongerForItsRefunds(t *testing.T) {
	t.Parallel()
	o := withOutages(t)
	job := living()
	var w *runner
	w = o.startKinds(o.q, "beyond", 1, map[jobs.Kind]jobs.Handler{job.Kind: handlerFunc(func(ctx context.Context, _ *jobs.Job, _ jobs.Progress) (any, error) {
		o.cutOff(w.Worker)
		<-ctx.Done()
		return nil, ctx.Err()
	})})
	o.enqueue(job)
	o.eventually("the lease is lost", func() bool { return w.seen.has(EndLeaseLost) })
	require.NoError(t, w.halt())
	require.Contains(t, w.log.String(), "attempt stays spent")
	require.Contains(t, w.log.String(), ErrShutdown.Error())
}
