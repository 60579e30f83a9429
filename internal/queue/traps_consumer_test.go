package queue

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"deckhand/jobs"
)

// reconfigure changes the consumer of purges.
func (b *bundle) reconfigure(change func(*jetstream.ConsumerConfig)) {
	b.t.Helper()
	config := wantedConsumer(jobs.Purge, smallAssets(b.q.timings.ackWait))
	change(&config)
	_, err := b.js.UpdateConsumer(b.t.Context(), jobs.StreamName, config)
	require.NoError(b.t, err)
}

// Trap 4: MaxDeliver turns a poison message into one that is never delivered
// again and whose subject is taken for ever.
func TestAJobThatIsNeverSettledIsDeliveredUntilItsAttemptsAreSpent(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	job := newJob()
	sequence := b.enqueue(job)
	consumer, err := b.js.Consumer(t.Context(), jobs.StreamName, string(jobs.Purge))
	require.NoError(t, err)
	for range 40 { // more than any attempts
		msg, err := consumer.Next(jetstream.FetchMaxWait(patience))
		require.NoError(t, err)
		require.NoError(t, msg.Nak())
	}
	h := &afterHandler{}
	b.start(b.q, "w1", 1, h)
	require.Equal(t, 1, b.result(job, sequence).Attempts, "deliveries are not attempts")
	require.EqualValues(t, 1, h.runs.Load())

	b.reconfigure(func(c *jetstream.ConsumerConfig) { c.MaxDeliver = 5 })
	_, err = Open(t.Context(), b.js, Config{})
	require.ErrorIs(t, err, ErrMismatch)
	require.ErrorContains(t, err, "max_deliver is 5, want unlimited")
}

// Trap 5: the advisory for the last delivery cannot be relied on.
func TestDeadLettersNeedNoAdvisory(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	advisories, err := b.js.Conn().SubscribeSync("$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.>")
	require.NoError(t, err)
	job := newJob()
	sequence := b.enqueue(job)
	b.spend(job, sequence, job.Kind.MaxAttempts())
	h := &afterHandler{}
	b.start(b.q, "w1", 1, h)
	require.Equal(t, jobs.Dead, b.result(job, sequence).Outcome)
	b.gone()
	require.Zero(t, h.runs.Load(), "it is not run once more")
	require.Len(t, b.letters(job.Tail()), 1)
	require.Equal(t, job.Kind.MaxAttempts(), b.letters(job.Tail())[0].Attempts)
	count, _, err := advisories.Pending()
	require.NoError(t, err)
	require.Zero(t, count)
}

// Trap 7: BackOff is a wait for an answer, and stretches the delays that workers
// ask for.
func TestAConsumerWithBackOffIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	b.reconfigure(func(c *jetstream.ConsumerConfig) { c.BackOff = []time.Duration{time.Second, 4 * time.Second} })
	_, err := Open(t.Context(), b.js, Config{})
	require.ErrorIs(t, err, ErrMismatch)
	require.ErrorContains(t, err, "backoff")
	report, err := Setup(t.Context(), b.js, smallAssets(wait))
	require.NoError(t, err)
	require.NotEmpty(t, fatalOnly(report.Differences))
	repair := smallAssets(wait)
	repair.Update = true
	_, err = Setup(t.Context(), b.js, repair)
	require.NoError(t, err)
	_, err = Open(t.Context(), b.js, Config{})
	require.NoError(t, err)
}

// Trap 8: delayed jobs count as unanswered; a limit lets them block the others.
func TestDelayedJobsDoNotBlockOthers(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	last := newJob()
	b.start(b.q, "w1", 1, handlerFunc(func(_ context.Context, j *jobs.Job, _ jobs.Progress) (any, error) {
		if j.ID == last.ID {
			return nil, nil
		}
		return nil, jobs.Snooze(time.Hour, nil)
	}))
	for range 50 {
		b.enqueue(newJob())
	}
	require.Equal(t, jobs.Completed, b.result(last, b.enqueue(last)).Outcome)
	status, err := b.q.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, 50, status.Kinds[0].Delayed)

	b.reconfigure(func(c *jetstream.ConsumerConfig) { c.MaxAckPending = 1000 })
	report, err := Setup(t.Context(), b.js, smallAssets(wait))
	require.NoError(t, err)
	require.Equal(t, []Difference{{Asset: "JOBS/purge", Field: "max_ack_pending", Found: "1000", Want: "unlimited"}}, report.Differences)
}

// Trap 11: the client's default prefetch gives one worker all jobs.
func TestABusyWorkerHoldsNoJobThatItDoesNotRun(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	began := make(chan *jobs.Job, 20)
	release := make(chan struct{})
	defer close(release)
	work := handlerFunc(func(_ context.Context, j *jobs.Job, _ jobs.Progress) (any, error) {
		began <- j
		<-release
		return nil, nil
	})
	for range 20 {
		b.enqueue(newJob())
	}
	for _, name := range []string{"w1", "w2"} {
		b.start(b.open(b.server.JetStream(t)), name, 1, work)
		waitFor(t, "a run of "+name, began)
	}
	consumer, err := b.js.Consumer(t.Context(), jobs.StreamName, string(jobs.Purge))
	require.NoError(t, err)
	require.Equal(t, 2, consumer.CachedInfo().NumAckPending)
	require.EqualValues(t, 18, consumer.CachedInfo().NumPending)
	require.Empty(t, began)
}

func TestAnAckWaitLongerThanTheLeaseIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	b.reconfigure(func(c *jetstream.ConsumerConfig) { c.AckWait = 2 * wait })
	_, err := Open(t.Context(), b.js, Config{})
	require.ErrorIs(t, err, ErrMismatch)
	require.ErrorContains(t, err, "ack_wait is 6s")
	b.reconfigure(func(c *jetstream.ConsumerConfig) { c.AckWait = wait })
	_, err = Open(t.Context(), b.js, Config{AckWait: time.Minute})
	require.ErrorIs(t, err, ErrMismatch)
	require.ErrorContains(t, err, "configuration says an ack wait of 1m0s")
}

func TestAChangeOfTheAckWaitStopsPulling(t *testing.T) {
	t.Parallel()
	b := setup(t, time.Second)
	job := newJob()
	w := b.start(b.q, "w1", 1, does(nil, nil))
	require.Equal(t, jobs.Completed, b.result(job, b.enqueue(job)).Outcome)
	b.reconfigure(func(c *jetstream.ConsumerConfig) { c.AckWait = 2 * time.Second })
	b.eventually("the worker is not ready", func() bool { return errors.Is(w.Ready(), ErrMismatch) })
	require.NoError(t, w.Healthy())
	b.reconfigure(func(*jetstream.ConsumerConfig) {})
	b.eventually("the worker is ready again", func() bool { return w.Ready() == nil })
	next := newJob()
	require.Equal(t, jobs.Completed, b.result(next, b.enqueue(next)).Outcome)
}
