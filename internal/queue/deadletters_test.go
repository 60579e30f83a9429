package queue

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"deckhand/jobs"
)

// letters lists the letters of a tail, oldest first.
func (b *bundle) letters(tail string) (all []*DeadLetter) {
	b.t.Helper()
	for letter, err := range b.q.DeadLetters(b.t.Context(), tail) {
		require.NoError(b.t, err)
		all = append(all, letter)
	}
	return all
}

func TestARequeuedJobThatDiesAtOnceHasItsLetter(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	job := newJob()
	b.start(b.q, "w1", 1, does(nil, jobs.Permanentf("no such catalog")))
	first := b.enqueue(job)
	b.result(job, first)
	b.gone()
	for round := range 3 {
		old := b.letters(job.Tail())
		require.Len(t, old, 1, "round %d", round)
		again, err := b.q.Requeue(t.Context(), job.Tail())
		require.NoError(t, err)
		require.Equal(t, jobs.Queued, again.State)
		require.Equal(t, jobs.Dead, b.result(job, again.Sequence).Outcome)
		b.gone()
		b.eventually("the new letter stays, the old one goes", func() bool {
			now := b.letters(job.Tail())
			return len(now) == 1 && now[0].Sequence > old[0].Sequence && now[0].JobSequence == again.Sequence
		})
	}
}

func TestARequeueResetsTheAttemptsAndKeepsTheCheckpoint(t *testing.T) {
	t.Parallel()
	for _, aged := range []bool{false, true} {
		b := setup(t, wait)
		job := newJob()
		var fixed atomic.Bool
		seen := make(chan string, 10)
		b.start(b.q, "w1", 1, handlerFunc(func(ctx context.Context, _ *jobs.Job, p jobs.Progress) (any, error) {
			if fixed.Load() {
				require.Equal(t, 1, p.Attempt())
				seen <- string(p.Checkpoint())
				return nil, nil
			}
			if err := p.Save(ctx, map[string]int{"manifest": 9}, jobs.Counters{}); err != nil {
				return nil, err
			}
			return nil, jobs.Permanentf("refused")
		}))
		b.result(job, b.enqueue(job))
		b.gone()
		if aged {
			require.NoError(t, b.q.progress.stream.Purge(t.Context()), "the progress entry ages out after 30 days")
		}
		fixed.Store(true)
		again, err := b.q.Requeue(t.Context(), "dead."+job.Tail())
		require.NoError(t, err)
		require.Equal(t, jobs.Completed, b.result(job, again.Sequence).Outcome)
		require.JSONEq(t, `{"manifest":9}`, <-seen)
		require.Empty(t, b.letters(job.Tail()))
		_, err = b.q.Requeue(t.Context(), job.Tail())
		require.ErrorIs(t, err, ErrNoDeadLetter)
	}
}

func TestARequeueOfAQueuedJobKeepsTheLetter(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	job := newJob()
	w := b.start(b.q, "w1", 1, does(nil, jobs.Permanentf("refused")))
	b.result(job, b.enqueue(job))
	b.gone()
	require.NoError(t, w.halt())
	b.enqueue(job)
	again, err := b.q.Requeue(t.Context(), job.Tail())
	require.NoError(t, err)
	require.Equal(t, jobs.AlreadyQueued, again.State)
	require.Len(t, b.letters(job.Tail()), 1)
}

func TestADroppedLetterIsGoneAndItsNeighboursAreNot(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	one, two := newJob(), newJob()
	b.start(b.q, "w1", 2, does(nil, jobs.Permanentf("refused")))
	b.result(one, b.enqueue(one))
	b.result(two, b.enqueue(two))
	require.NoError(t, b.q.Drop(t.Context(), one.Tail()))
	require.Empty(t, b.letters(one.Tail()))
	require.Len(t, b.letters(two.Tail()), 1)
	require.ErrorIs(t, b.q.Drop(t.Context(), one.Tail()), ErrNoDeadLetter)
	require.ErrorIs(t, b.q.Drop(t.Context(), "purge.>"), ErrNoDeadLetter, "a wildcard drops nothing")
	require.Len(t, b.letters("purge.>"), 1)
}

func TestAJobStaysQueuedWhileTheDeadLettersAreFull(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	config := b.q.dead.CachedInfo().Config
	config.MaxMsgs = 1
	_, err := b.js.UpdateStream(t.Context(), config)
	require.NoError(t, err)
	_, err = b.js.Publish(t.Context(), "dead.purge.other", nil)
	require.NoError(t, err)

	job := newJob()
	w := b.start(b.q, "w1", 1, does(nil, jobs.Permanentf("refused")))
	sequence := b.enqueue(job)
	b.eventually("the job is delayed twice", func() bool {
		return w.seen.count(func(o *observations) int { return len(o.endings) }) >= 2
	})
	require.False(t, w.seen.has(EndDead))
	require.EqualValues(t, 1, b.messages(b.q.jobs), "the job is still there")
	require.Empty(t, b.results(job.Tail()))
	require.Contains(t, w.log.String(), "level=ERROR")
	require.Contains(t, w.log.String(), "stays queued")
	require.Zero(t, b.entry(job.Tail()).Attempts, "no attempt is spent on it")

	require.NoError(t, b.q.Drop(t.Context(), "purge.other"))
	require.Equal(t, jobs.Dead, b.result(job, sequence).Outcome)
}

func TestTheSameLetterTwiceIsOneAndADuplicateOfAnotherIsNotTrusted(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	post := func(job *jobs.Job) *delivery {
		sequence := b.enqueue(job)
		consumer, err := b.js.Consumer(t.Context(), jobs.StreamName, string(job.Kind))
		require.NoError(t, err)
		msg, err := consumer.Next(jetstream.FetchMaxWait(patience))
		require.NoError(t, err)
		d, err := b.q.readDelivery(msg)
		require.NoError(t, err)
		require.Equal(t, sequence, d.sequence)
		return d
	}
	one := post(newJob())
	for range 2 {
		require.NoError(t, b.q.postDeadLetter(t.Context(), one, obituary{reason: "refused"}))
	}
	require.Len(t, b.letters(one.tail), 1)

	// A stream that was made anew counts its sequences from the start.
	two := post(newJob())
	two.sequence = one.sequence
	require.NoError(t, b.q.postDeadLetter(t.Context(), two, obituary{reason: "refused"}))
	require.Len(t, b.letters(two.tail), 1)
}

func TestHeadersOfALetterFitWhatTheServerTakes(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	job := newJob()
	b.start(b.q, "w1", 1, handlerFunc(func(ctx context.Context, _ *jobs.Job, p jobs.Progress) (any, error) {
		if err := p.Save(ctx, strings.Repeat("c", maxCheckpoint-2), jobs.Counters{}); err != nil {
			return nil, err
		}
		return nil, jobs.Permanent(errors.New(strings.Repeat("long ", 2000)))
	}))
	body, err := job.Encode()
	require.NoError(t, err)
	sequence := b.raw(job.Subject(), map[string][]string{"Big": {strings.Repeat("h", 50<<10)}, "Nats-Ttl": {"1h"}}, body)
	require.Equal(t, jobs.Dead, b.result(job, sequence).Outcome)
	letter := b.letters(job.Tail())[0]
	require.Len(t, letter.Error, 1024)
	require.Len(t, letter.Checkpoint, maxCheckpoint)
	require.NotContains(t, letter.header, "Nats-Ttl", "a letter does not expire")
}
