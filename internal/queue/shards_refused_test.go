package queue

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"deckhand/jobs"
)

// hesitant is a replicated stream that has another write on its way whenever one
// comes: it refuses so many, and nothing of theirs is stored.
type hesitant struct {
	jetstream.JetStream
	left atomic.Int32
}

func (h *hesitant) PublishMsg(ctx context.Context, msg *nats.Msg, options ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	if h.left.Add(-1) >= 0 {
		return nil, &jetstream.APIError{Code: 400, ErrorCode: jetstream.JSErrCodeStreamWrongLastSequenceConstant, Description: "wrong last sequence"}
	}
	return h.JetStream.PublishMsg(ctx, msg, options...)
}

// Trap 2, in the one place where taking it for a lost race would lose a shard: what
// is on its way may be lost with its leader.
func TestARefusalWithoutANumberIsAskedAgainForWhatPurgesInShardsWrite(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	h := &hesitant{JetStream: b.js}
	s := b.open(h).Shards()
	purge := newJob()
	shards, finish := parts(purge, 1)
	plan := planOf(purge, finish, 1)
	for _, write := range []func() error{
		func() error { return s.SavePlan(t.Context(), purge, plan, 0) },
		func() error {
			return s.Complete(t.Context(), shards[0], &jobs.ShardDone{Plan: plan.Plan, Shard: 1})
		},
		func() error {
			publication, err := s.Publish(t.Context(), shards[0])
			require.Equal(t, jobs.Queued, publication.State, "it is not taken for queued")
			return err
		},
		func() error { return s.End(t.Context(), plan, finish, &jobs.Result{Outcome: jobs.Completed}) },
		func() error { return s.Remove(t.Context(), purge, plan.Plan) },
	} {
		h.left.Store(1)
		require.NoError(t, write())
		require.Negative(t, h.left.Load())
	}
	require.Empty(t, b.liveNotes())
	require.Equal(t, jobs.Completed, b.results(purge.Tail())[0].Outcome)
	require.EqualValues(t, 1, b.messages(b.q.jobs))

	// Who is refused for ever gives up, with nothing written.
	h.left.Store(1 << 30)
	other := newJob()
	require.ErrorIs(t, s.SavePlan(t.Context(), other, plan, 0), jobs.ErrUnavailable)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := s.Publish(ctx, finish)
	require.ErrorIs(t, err, jobs.ErrUnavailable)
	require.ErrorIs(t, err, jobs.ErrPublishUnknown)
	require.EqualValues(t, 1, b.messages(b.q.jobs))
}
