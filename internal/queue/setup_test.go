package queue

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"deckhand/internal/natstest"
	"deckhand/jobs"
)

// alter changes a stream as an operator does.
func (b *bundle) alter(name string, change func(*jetstream.StreamConfig)) {
	b.t.Helper()
	stream, err := b.js.Stream(b.t.Context(), name)
	require.NoError(b.t, err)
	config := stream.CachedInfo().Config
	change(&config)
	_, err = b.js.UpdateStream(b.t.Context(), config)
	require.NoError(b.t, err)
}

func (b *bundle) streamConfig(name string) jetstream.StreamConfig {
	b.t.Helper()
	stream, err := b.js.Stream(b.t.Context(), name)
	require.NoError(b.t, err)
	return stream.CachedInfo().Config
}

func TestReplicasAndSizesAreTheOperatorsUnlessTheyAreConfigured(t *testing.T) {
	t.Parallel()
	cluster := natstest.StartCluster(t, 3)
	js := natstest.JetStream(t, natstest.Connect(t, cluster.URL()))
	b := &bundle{t: t, js: js}
	assets := smallAssets(wait)
	assets.Replicas = 3
	report, err := Setup(t.Context(), js, assets)
	require.NoError(t, err)
	require.Empty(t, report.Hint, "three copies are what a cluster is for")
	b.alter(jobs.StreamName, func(c *jetstream.StreamConfig) { c.MaxMsgs = 1000 })

	differences, err := Check(t.Context(), js, AssetsConfig{})
	require.NoError(t, err)
	changed := []Difference{{Asset: "JOBS", Field: "max_msgs", Found: "1000", Want: "unlimited"}}
	require.Equal(t, changed, differences, "a correct cluster differs in nothing else")
	report, err = Setup(t.Context(), js, AssetsConfig{Update: true})
	require.NoError(t, err)
	require.Equal(t, SetupReport{Changed: changed}, report)
	require.Equal(t, "JOBS: max_msgs 1000 → unlimited", report.Changed[0].Change())
	require.Equal(t, 3, b.streamConfig(jobs.StreamName).Replicas)
	require.EqualValues(t, 64<<20, b.streamConfig(jobs.StreamName).MaxBytes)

	report, err = Setup(t.Context(), js, AssetsConfig{Update: true, JobsMaxBytes: 32 << 20})
	require.NoError(t, err)
	require.Equal(t, []Difference{{Asset: "JOBS", Field: "max_bytes", Found: "67108864", Want: "33554432"}}, report.Changed)
	require.Equal(t, 3, b.streamConfig(jobs.StreamName).Replicas)

	require.NoError(t, js.DeleteStream(t.Context(), "DEAD"))
	report, err = Setup(t.Context(), js, AssetsConfig{})
	require.NoError(t, err)
	require.Equal(t, []string{"DEAD"}, report.Created)
	require.Contains(t, report.Hint, "test is a cluster")
}

func TestAnAckWaitThatIsNotConfiguredIsThatOfTheFleet(t *testing.T) {
	t.Parallel()
	b := &bundle{t: t, js: natstest.Start(t, natstest.Config{}).JetStream(t)}
	_, err := Setup(t.Context(), b.js, AssetsConfig{AckWait: 5 * time.Minute})
	require.NoError(t, err)
	differences, err := Check(t.Context(), b.js, AssetsConfig{})
	require.NoError(t, err)
	require.Empty(t, differences)

	// One consumer is missing, then all of them with their stream, then the locks.
	require.NoError(t, b.js.DeleteConsumer(t.Context(), jobs.StreamName, "purge-view"))
	for _, then := range []func() error{
		func() error { return b.js.DeleteStream(t.Context(), jobs.StreamName) },
		func() error { return b.js.DeleteStream(t.Context(), "KV_locks") },
		func() error { return nil },
	} {
		report, err := Setup(t.Context(), b.js, AssetsConfig{Update: true})
		require.NoError(t, err)
		require.NotEmpty(t, report.Created)
		require.Empty(t, report.Changed)
		q, err := Open(t.Context(), b.js, Config{})
		require.NoError(t, err)
		require.Equal(t, 5*time.Minute, q.timings.ackWait)
		require.Equal(t, 5*time.Minute, b.streamConfig("KV_locks").MaxAge)
		require.NoError(t, then())
		if b.t.Failed() {
			return
		}
	}
}

func TestAnAckWaitCanBeLoweredAndRaised(t *testing.T) {
	t.Parallel()
	b := &bundle{t: t, js: natstest.Start(t, natstest.Config{}).JetStream(t)}
	for _, ackWait := range []time.Duration{5 * time.Minute, 30 * time.Second, 10 * time.Minute} {
		_, err := Setup(t.Context(), b.js, AssetsConfig{AckWait: ackWait, Update: true})
		require.NoError(t, err)
		q, err := Open(t.Context(), b.js, Config{AckWait: ackWait})
		require.NoError(t, err)
		require.Equal(t, ackWait, q.locks.stream.CachedInfo().Config.MaxAge)
		require.LessOrEqual(t, q.locks.stream.CachedInfo().Config.SubjectDeleteMarkerTTL, ackWait)
	}
}
