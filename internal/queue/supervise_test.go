package queue

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"deckhand/internal/natstest"
	"deckhand/jobs"
)

func TestAWorkerMakesAnewWhatTheServerLost(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	w := b.start(b.open(b.server.JetStream(t)), "w1", 1, does(nil, nil))
	b.eventually("it is ready", func() bool { return w.Ready() == nil })
	b.server.RestartEmpty(t)
	b.eventually("the test is connected", b.js.Conn().IsConnected)
	b.eventually("the streams are there", func() bool { _, err := b.js.Consumer(t.Context(), "JOBS", "purge-view"); return err == nil })
	require.EqualValues(t, 64<<20, b.streamConfig(jobs.StreamName).MaxBytes, "as it was, not the default")
	require.Equal(t, wait, b.streamConfig(locksStream).MaxAge)
	b.eventually("it is ready again, and has said what it waited for", func() bool {
		log := w.log.String()
		return w.Ready() == nil && strings.Contains(log, "waiting for the streams") && strings.Contains(log, "wait is over")
	})
	job := newJob()
	require.Equal(t, jobs.Completed, b.result(job, b.enqueue(job)).Outcome)
}

func TestAWorkerThatMayNotCreateStreamsWaitsForThem(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t, natstest.Config{Conf: `authorization { users [ { user: a, password: a },
		{ user: w, password: p, permissions { publish { deny: ["$JS.API.STREAM.CREATE.*", "$JS.API.CONSUMER.CREATE.>"] } } } ] }`})
	b := &bundle{t: t, server: server, js: server.JetStream(t, nats.UserInfo("a", "a")), config: Config{Drain: time.Second}}
	_, err := Setup(t.Context(), b.js, smallAssets(wait))
	require.NoError(t, err)
	var w *runner
	started, atReconnect := make(chan struct{}), make(chan error, 1)
	nc := server.Connect(t, nats.UserInfo("w", "p"), nats.ReconnectHandler(func(*nats.Conn) {
		<-started
		select {
		case atReconnect <- w.Ready():
		default:
		}
	}))
	b.q = b.open(natstest.JetStream(t, nc))
	w = b.start(b.q, "w1", 1, does(nil, nil))
	close(started)
	b.eventually("it is ready", func() bool { return w.Ready() == nil })
	server.RestartEmpty(t)
	require.Error(t, waitFor(t, "the reconnect", atReconnect), "not ready from the first moment on")
	b.eventually("it says what is missing, and why it is not made", func() bool {
		err := w.Ready()
		return errors.Is(err, ErrNoAssets) && errors.Is(err, ErrDenied)
	})
	_, err = Setup(t.Context(), b.js, smallAssets(wait))
	require.NoError(t, err)
	b.eventually("it is ready again", func() bool { return w.Ready() == nil })
	job := newJob()
	require.Equal(t, jobs.Completed, b.result(job, b.enqueue(job)).Outcome)
}

func TestAWorkerThatDrainsIsNotReady(t *testing.T) {
	t.Parallel()
	b := setup(t, wait)
	b.config.Drain = patience
	began, release := make(chan *jobs.Job, 1), make(chan struct{})
	w := b.start(b.open(b.js), "w1", 1, handlerFunc(func(_ context.Context, j *jobs.Job, _ jobs.Progress) (any, error) {
		began <- j
		<-release
		return nil, nil
	}))
	job := newJob()
	sequence := b.enqueue(job)
	waitFor(t, "the run", began)
	b.eventually("it is ready", func() bool { return w.Ready() == nil })
	w.stop()
	b.eventually("it drains", func() bool { err := w.Ready(); return err != nil && err.Error() == "worker drains" })
	close(release)
	require.Equal(t, jobs.Completed, b.result(job, sequence).Outcome)
	require.NoError(t, w.halt())
	require.ErrorContains(t, w.Ready(), "does not run")
}
