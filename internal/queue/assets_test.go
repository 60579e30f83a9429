package queue

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"deckhand/internal/natstest"
	"deckhand/jobs"
)

func TestSetupCreatesWhatIsMissingAndIsRepeatable(t *testing.T) {
	t.Parallel()
	js := natstest.Start(t, natstest.Config{}).JetStream(t)
	_, err := Open(t.Context(), js, Config{})
	require.ErrorIs(t, err, ErrNoAssets)
	require.ErrorContains(t, err, `create them with "worker setup"`)
	_, err = Check(t.Context(), js, AssetsConfig{})
	require.ErrorIs(t, err, ErrNoAssets)

	report, err := Setup(t.Context(), js, AssetsConfig{})
	require.NoError(t, err)
	require.Empty(t, report.Differences)
	require.Equal(t, []string{"JOBS", "DEAD", "RESULTS", "KV_locks", "KV_progress", "KV_shards",
		"JOBS/purge", "JOBS/purge-shard", "JOBS/purge-finish", "JOBS/purge-view", "JOBS/purge-files", "JOBS/expire", "JOBS/orphans", "JOBS/manifests"}, report.Created)
	report, err = Setup(t.Context(), js, AssetsConfig{})
	require.NoError(t, err)
	require.Empty(t, report.Created)
	require.Empty(t, report.Differences)
	differences, err := Check(t.Context(), js, AssetsConfig{})
	require.NoError(t, err)
	require.Empty(t, differences)

	require.NoError(t, js.DeleteConsumer(t.Context(), "JOBS", "purge-view"))
	_, err = Open(t.Context(), js, Config{})
	require.ErrorContains(t, err, "JOBS/purge-view")
	report, err = Setup(t.Context(), js, AssetsConfig{})
	require.NoError(t, err)
	require.Equal(t, []string{"JOBS/purge-view"}, report.Created)

	q, err := Open(t.Context(), js, Config{})
	require.NoError(t, err)
	require.Equal(t, timingsFor(2*time.Minute), q.timings)
	// The buckets are ordinary ones for the nats CLI.
	for _, name := range []string{"locks", "progress", "shards"} {
		bucket, err := js.KeyValue(t.Context(), name)
		require.NoError(t, err)
		_, err = bucket.Put(t.Context(), "a.b", []byte("{}"))
		require.NoError(t, err)
	}
}

func TestTheTimesAreThoseOfTheDesign(t *testing.T) {
	t.Parallel()
	at := timingsFor(2 * time.Minute)
	require.Equal(t, 20*time.Second, at.heartbeat)
	require.Equal(t, 80*time.Second, at.fence)
	require.Equal(t, 5*time.Second, at.call)
	require.Equal(t, 30*time.Second, at.settle)
	require.Equal(t, 15*time.Second, at.retryFirst)
	require.Equal(t, 30*time.Minute, at.retryMax)
	require.Equal(t, time.Second, at.interrupted)
	require.Equal(t, 5*time.Minute, at.newer)
	require.Equal(t, 24*time.Hour, at.newerLimit)
	require.Equal(t, time.Hour, at.notBeforeMax)
	for _, ackWait := range []time.Duration{time.Second, 3 * time.Second, 2 * time.Minute, time.Hour} {
		scaled := timingsFor(ackWait)
		require.Less(t, scaled.fence+scaled.settle, ackWait)
		require.Greater(t, scaled.fence, 2*scaled.heartbeat)
		for range 200 {
			delay := scaled.contendedDelay()
			require.GreaterOrEqual(t, delay, scaled.contended)
			require.LessOrEqual(t, delay, 3*scaled.contended)
			for n, ceiling := range map[int]time.Duration{0: scaled.retryFirst, 2: 4 * scaled.retryFirst, 1000: scaled.retryMax} {
				delay := scaled.retryDelay(n)
				require.Positive(t, delay)
				require.LessOrEqual(t, delay, ceiling+1)
				outage := scaled.outageDelay(n)
				require.GreaterOrEqual(t, outage, scaled.retryFirst)
				require.LessOrEqual(t, outage, scaled.retryMax)
			}
		}
	}
}

func TestADifferenceIsReportedAndNotOverwrittenUnlessAsked(t *testing.T) {
	t.Parallel()
	js := natstest.Start(t, natstest.Config{}).JetStream(t)
	_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "JOBS", Subjects: []string{"jobs.>"},
		Retention: jetstream.WorkQueuePolicy, MaxBytes: 5 << 20})
	require.NoError(t, err)
	report, err := Setup(t.Context(), js, AssetsConfig{})
	require.NoError(t, err)
	byField := map[string]Difference{}
	for _, d := range report.Differences {
		byField[d.Field] = d
	}
	require.Equal(t, Difference{Asset: "JOBS", Field: "discard", Found: "DiscardOld", Want: "DiscardNew", Fatal: true}, byField["discard"])
	require.True(t, byField["max_msgs_per_subject"].Fatal)
	require.NotContains(t, byField, "max_bytes", "limits are the operator's")

	_, err = Open(t.Context(), js, Config{})
	require.ErrorIs(t, err, ErrMismatch)
	require.ErrorContains(t, err, "JOBS: discard is DiscardOld, want DiscardNew")
	require.ErrorContains(t, err, "--update-streams")

	report, err = Setup(t.Context(), js, AssetsConfig{Update: true})
	require.NoError(t, err)
	require.Empty(t, report.Differences)
	_, err = Open(t.Context(), js, Config{})
	require.NoError(t, err)
}

func TestAShortLeaseAndAnAgeingQueueAreFatal(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	for _, c := range []struct {
		stream jetstream.Stream
		change func(*jetstream.StreamConfig)
		want   string
	}{
		{b.q.locks.stream, func(c *jetstream.StreamConfig) { c.MaxAge = time.Second; c.Duplicates = time.Second }, "KV_locks: max_age is 1s"},
		{b.q.jobs, func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour }, "JOBS: max_age is 1h0m0s, want unlimited"},
		{b.q.shards.stream, func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour }, "KV_shards: max_age is 1h0m0s, want unlimited"},
		{b.q.shards.stream, func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardOld }, "KV_shards: discard is DiscardOld"},
		{b.q.dead, func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardOld }, "DEAD: discard is DiscardOld"},
		{b.q.dead, func(c *jetstream.StreamConfig) { c.MaxMsgSize = 1000 }, "DEAD: max_msg_size is 1000"},
	} {
		old := c.stream.CachedInfo().Config
		changed := old
		c.change(&changed)
		_, err := b.js.UpdateStream(t.Context(), changed)
		require.NoError(t, err)
		_, err = Open(t.Context(), b.js, Config{})
		require.ErrorIs(t, err, ErrMismatch)
		require.ErrorContains(t, err, c.want)
		_, err = b.js.UpdateStream(t.Context(), old)
		require.NoError(t, err)
	}
	_, err := Open(t.Context(), b.js, Config{})
	require.NoError(t, err)
}

func TestEachTroubleWithNATSHasItsSentence(t *testing.T) {
	t.Parallel()
	short := func() context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		t.Cleanup(cancel)
		return ctx
	}
	t.Run("JetStream off", func(t *testing.T) {
		js := natstest.Start(t, natstest.Config{NoJetStream: true}).JetStream(t)
		_, err := Open(short(), js, Config{})
		require.ErrorIs(t, err, ErrJetStreamOff)
		require.ErrorContains(t, err, "start the server with JetStream")
		_, err = Setup(short(), js, AssetsConfig{})
		require.ErrorIs(t, err, ErrJetStreamOff)
	})
	t.Run("JetStream off for the account", func(t *testing.T) {
		server := natstest.Start(t, natstest.Config{Conf: `accounts { APP { users [ { user: u, password: p } ] }, JS { jetstream: enabled } }`})
		_, err := Open(short(), server.JetStream(t, nats.UserInfo("u", "p")), Config{})
		require.ErrorIs(t, err, ErrJetStreamOff)
		require.ErrorContains(t, err, "for this account")
	})
	t.Run("server stopped", func(t *testing.T) {
		server := natstest.Start(t, natstest.Config{})
		js := server.JetStream(t)
		server.Stop()
		eventually(t, "the client notices", func() bool { return !js.Conn().IsConnected() })
		_, err := Open(short(), js, Config{})
		require.ErrorIs(t, err, ErrUnreachable)
		require.ErrorContains(t, err, "127.0.0.1")
	})
	t.Run("server silent", func(t *testing.T) {
		server := natstest.Start(t, natstest.Config{})
		proxy := natstest.NewProxy(t, server.Addr())
		js := natstest.JetStream(t, natstest.Connect(t, proxy.URL()))
		proxy.Stall()
		_, err := Open(short(), js, Config{})
		require.ErrorIs(t, err, ErrUnreachable)
	})
	t.Run("old server", func(t *testing.T) {
		server := natstest.Start(t, natstest.Config{})
		proxy := natstest.NewProxy(t, server.Addr())
		proxy.Replace(`"version":"2.15.2"`, `"version":"2.10.9"`)
		js := natstest.JetStream(t, natstest.Connect(t, proxy.URL()))
		_, err := Open(short(), js, Config{})
		require.ErrorIs(t, err, ErrServerTooOld)
		require.ErrorContains(t, err, "runs version 2.10.9, and 2.11 or newer is needed")
	})
	t.Run("full account", func(t *testing.T) {
		server := natstest.Start(t, natstest.Config{Conf: `accounts { APP { jetstream { max_file: 100MB }, users [ { user: u, password: p } ] } }`})
		_, err := Setup(short(), server.JetStream(t, nats.UserInfo("u", "p")), AssetsConfig{})
		require.ErrorIs(t, err, ErrAccountFull)
		require.ErrorContains(t, err, "create stream JOBS")
		require.ErrorContains(t, err, "lower the streams' limits")
	})
	t.Run("denied", func(t *testing.T) {
		server := natstest.Start(t, natstest.Config{Conf: `authorization { users [ { user: u, password: p, permissions {
			publish { deny: ["$JS.API.STREAM.INFO.DEAD", "jobs.>"] } } }, { user: a, password: a } ] }`})
		_, err := Setup(t.Context(), server.JetStream(t, nats.UserInfo("a", "a")), smallAssets(wait))
		require.NoError(t, err)
		js := server.JetStream(t, nats.UserInfo("u", "p"))
		_, err = Open(short(), js, Config{})
		require.ErrorIs(t, err, ErrDenied)
		require.ErrorContains(t, err, `allow this user to publish to "$JS.API.STREAM.INFO.DEAD"`)
		_, err = jobs.Publish(short(), js, newJob(), jobs.PublishOptions{})
		require.ErrorIs(t, err, jobs.ErrPublishDenied)
	})
	t.Run("closed", func(t *testing.T) {
		js := natstest.Start(t, natstest.Config{}).JetStream(t)
		js.Conn().Close()
		_, err := Open(short(), js, Config{})
		require.ErrorIs(t, err, nats.ErrConnectionClosed)
		_, err = OpenWhenReady(short(), js, Config{}, slog.New(slog.DiscardHandler))
		require.ErrorIs(t, err, nats.ErrConnectionClosed, "nothing to wait for")
	})
	t.Run("secrets", func(t *testing.T) {
		require.Equal(t, []string{"nats://host:4222", "nats://other"}, redacted([]string{"nats://me:secret@host:4222", "nats://other"}))
	})
}

func TestOpeningWaitsForWhatMayComeAndSaysSoOnce(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t, natstest.Config{})
	js := server.JetStream(t)
	log := &logBuffer{}
	opened := make(chan error, 1)
	go func() {
		_, err := OpenWhenReady(t.Context(), js, Config{}, slog.New(slog.NewTextHandler(log, nil)))
		opened <- err
	}()
	eventually(t, "it says what it waits for", func() bool { return strings.Contains(log.String(), "worker setup") })
	_, err := Setup(t.Context(), js, smallAssets(wait))
	require.NoError(t, err)
	require.NoError(t, waitFor(t, "the queue", opened))
	require.Equal(t, 1, strings.Count(log.String(), "waiting for the streams"))
	require.Contains(t, log.String(), "wait is over")

	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("told to stop"))
	_, err = OpenWhenReady(ctx, js, Config{}, nil)
	require.ErrorContains(t, err, "told to stop")
}

func TestAConfigurationThatCannotWorkIsRefused(t *testing.T) {
	t.Parallel()
	require.ErrorContains(t, AssetsConfig{AckWait: time.Millisecond}.Validate(), "under 1s")
	require.ErrorContains(t, AssetsConfig{Replicas: 7}.Validate(), "7 is not 1 to 5")
	require.ErrorContains(t, AssetsConfig{DeadMaxBytes: 7}.Validate(), "limit of DEAD")
	require.NoError(t, AssetsConfig{}.Validate())
	h := map[jobs.Kind]jobs.Handler{jobs.Purge: does(nil, nil)}
	for want, c := range map[string]WorkerConfig{
		"no name":        {Slots: map[jobs.Kind]int{jobs.Purge: 1}, Handlers: h},
		"no slots":       {Name: "w", Handlers: h},
		"cannot run it":  {Name: "w", Slots: map[jobs.Kind]int{jobs.PurgeView: 1}, Handlers: h},
		"is not known":   {Name: "w", Slots: map[jobs.Kind]int{"purgee": 1}, Handlers: h},
		"-1 is negative": {Name: "w", Slots: map[jobs.Kind]int{jobs.Purge: -1}, Handlers: h},
	} {
		_, err := NewWorker(&Queue{}, c)
		require.ErrorContains(t, err, want)
	}
}
