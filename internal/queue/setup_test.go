package queue

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
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
	js := natstest.Start(t, natstest.Config{}).JetStream(t)
	for _, ackWait := range []time.Duration{5 * time.Minute, 30 * time.Second, 10 * time.Minute} {
		_, err := Setup(t.Context(), js, AssetsConfig{AckWait: ackWait, Update: true})
		require.NoError(t, err)
		q, err := Open(t.Context(), js, Config{AckWait: ackWait})
		require.NoError(t, err)
		require.Equal(t, ackWait, q.locks.stream.CachedInfo().Config.MaxAge)
		require.LessOrEqual(t, q.locks.stream.CachedInfo().Config.SubjectDeleteMarkerTTL, ackWait)
	}
}

func TestWhatCannotBeChangedIsToBeMadeAnew(t *testing.T) {
	t.Parallel()
	js := natstest.Start(t, natstest.Config{}).JetStream(t)
	_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "JOBS", Subjects: []string{"jobs.>"}, Storage: jetstream.MemoryStorage})
	require.NoError(t, err)
	_, err = js.CreateConsumer(t.Context(), "JOBS", jetstream.ConsumerConfig{Durable: "purge", FilterSubject: "jobs.purge.>",
		AckPolicy: jetstream.AckAllPolicy, DeliverPolicy: jetstream.DeliverNewPolicy, MaxWaiting: 7})
	require.NoError(t, err)
	for range 2 { // the second time nothing is left that can be changed
		report, err := Setup(t.Context(), js, AssetsConfig{Update: true})
		require.NoError(t, err)
		var left []string
		for _, d := range report.Differences {
			left = append(left, d.Asset+" "+d.Field)
			require.True(t, d.Fixed)
		}
		require.Equal(t, []string{"JOBS retention", "JOBS storage", "JOBS/purge ack_policy", "JOBS/purge deliver_policy", "JOBS/purge max_waiting"}, left)
	}
	_, err = Open(t.Context(), js, Config{})
	require.ErrorIs(t, err, ErrMismatch)
	require.ErrorContains(t, err, "JOBS: storage is Memory, want File")
	require.ErrorContains(t, err, `cannot be changed: empty it, remove it with "nats stream rm JOBS", then run "worker setup"`)
	require.ErrorContains(t, err, `cannot be changed: remove it with "nats consumer rm JOBS purge"`)
	require.NotContains(t, err.Error(), "--update-streams")
}

func TestAStreamThatCannotBeMadeSaysWhatIsInItsWay(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t, natstest.Config{Conf: `accounts {
		APP { jetstream: enabled, users [ { user: u, password: p } ] }
		FEW { jetstream { max_streams: 1 }, users [ { user: f, password: p } ] } }`})
	js := server.JetStream(t, nats.UserInfo("u", "p"))
	_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "EVENTS", Subjects: []string{"dead.letters.>"}})
	require.NoError(t, err)
	_, err = Setup(t.Context(), js, smallAssets(wait))
	require.ErrorContains(t, err, "create stream DEAD: stream EVENTS takes subjects of dead.> already")

	_, err = Setup(t.Context(), server.JetStream(t, nats.UserInfo("f", "p")), smallAssets(wait))
	require.ErrorIs(t, err, ErrAccountFull)
	require.ErrorContains(t, err, "create stream DEAD")
	require.ErrorContains(t, err, "raise the account's limit of streams")
}

func TestAFullStreamIsNamed(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	job := newJob()
	w := b.start(b.q, "w1", 1, does(nil, jobs.Permanentf("no")))
	b.alter("DEAD", func(c *jetstream.StreamConfig) { c.MaxMsgs = 1 })
	b.raw("dead.purge.other", nil, nil)
	b.enqueue(job)
	b.eventually("it says so", func() bool { return strings.Contains(w.log.String(), "stream is full: DEAD (") })
	require.Contains(t, w.log.String(), "raise the limit of DEAD or remove what is old")
}
