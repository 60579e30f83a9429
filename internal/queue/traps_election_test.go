package queue

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"deckhand/internal/natstest"
	"deckhand/jobs"
)

// silence calls heard when a publish found nobody who answers for its stream.
type silence struct {
	jetstream.JetStream
	heard func()
}

func (s silence) PublishMsg(ctx context.Context, msg *nats.Msg, opts ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	ack, err := s.JetStream.PublishMsg(ctx, msg, opts...)
	if errors.Is(err, jetstream.ErrNoStreamResponse) {
		s.heard()
	}
	return ack, err
}

// A stream whose leader was killed answers nobody for 4 to 6 seconds, and a publish
// meets what it meets where there is no stream at all: at once, no responders.
func TestAPublishWaitsWhileAClusterElectsTheLeaderOfItsStream(t *testing.T) {
	t.Parallel()
	cluster := natstest.StartCluster(t, 3)
	js := natstest.JetStream(t, natstest.Connect(t, cluster.URL()))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	appear := sync.OnceFunc(func() {
		assets := smallAssets(10 * time.Second)
		assets.Replicas = 3
		_, err := Setup(ctx, js, assets)
		require.NoError(t, err)
	})
	publication, err := jobs.Publish(ctx, silence{js, appear}, newJob(), jobs.PublishOptions{})
	require.NoError(t, err)
	require.Equal(t, jobs.Queued, publication.State)
}
