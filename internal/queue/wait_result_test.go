package queue

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"deckhand/internal/natstest"
	"deckhand/jobs"
)

func TestAWaitEndsWhenTheJobWasRemovedWithoutARecord(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	for _, knowsSequence := range []bool{true, false} {
		job := newJob()
		published := b.publish(job)
		sequence := published.Sequence
		if !knowsSequence {
			published = jobs.Publication{}
		}
		ended := make(chan error, 1)
		go func() {
			_, err := waitResult(t.Context(), b.js, job, published, 20*time.Millisecond, 200*time.Millisecond)
			ended <- err
		}()
		select {
		case err := <-ended:
			t.Fatal("a job that waits is waited for", err)
		case <-time.After(500 * time.Millisecond): // more than the grace
		}
		require.NoError(t, b.q.jobs.DeleteMsg(t.Context(), sequence), "as the nats CLI does")
		require.ErrorIs(t, waitFor(t, "the end of the wait", ended), ErrRemoved)
	}
}

func TestAWaitOutlastsARemovalThatIsRecordedLater(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	job := newJob()
	began, causes := make(chan *jobs.Job, 1), make(chan error, 1)
	b.start(b.q, "w1", 1, untilStopped(began, causes))
	published := b.publish(job)
	waitFor(t, "the run", began)
	require.NoError(t, b.q.jobs.DeleteMsg(t.Context(), published.Sequence))
	result, err := waitResult(t.Context(), b.js, job, published, 20*time.Millisecond, patience)
	require.NoError(t, err)
	require.Equal(t, jobs.Canceled, result.Outcome)
}

func TestAWaitNeedsNoRightToReadTheQueue(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t, natstest.Config{Conf: `authorization { users [ { user: a, password: a }, { user: p, password: p,
		permissions { publish: ["$JS.API.STREAM.INFO.RESULTS", "$JS.API.DIRECT.GET.RESULTS"], subscribe: "_INBOX.>" } } ] }`})
	_, err := Setup(t.Context(), server.JetStream(t, nats.UserInfo("a", "a")), smallAssets(wait))
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	_, err = waitResult(ctx, server.JetStream(t, nats.UserInfo("p", "p")), newJob(), jobs.Publication{}, 20*time.Millisecond, time.Millisecond)
	require.ErrorIs(t, err, context.DeadlineExceeded, "it cannot know that the job is gone")
	require.NotErrorIs(t, err, ErrRemoved)
}
