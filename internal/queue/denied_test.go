package queue

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"deckhand/internal/natstest"
	"deckhand/jobs"
)

func briefly(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestADeniedRightNamesTheSubjectThatGrantsIt(t *testing.T) {
	t.Parallel()
	job := newJob()
	deny := []string{"$JS.API.DIRECT.GET.JOBS.>", "$JS.API.DIRECT.GET.RESULTS.>", "$KV.locks.>", "$JS.API.DIRECT.GET.KV_progress.>",
		"$KV.progress.>", "$JS.API.CONSUMER.PAUSE.JOBS.*", "$JS.API.DIRECT.GET.DEAD", "jobs.purge.>", "results.>", "$JS.API.CONSUMER.CREATE.JOBS.>"}
	quoted := ""
	for _, subject := range deny {
		quoted += fmt.Sprintf("%q, ", subject)
	}
	server := natstest.Start(t, natstest.Config{Conf: `authorization { users [ { user: a, password: a },
		{ user: w, password: p, permissions { publish { deny: [` + quoted + `] } } },
		{ user: c, password: p, permissions { publish { deny: ["$JS.API.CONSUMER.INFO.JOBS.*"] } } } ] }`})
	_, err := Setup(t.Context(), server.JetStream(t, nats.UserInfo("a", "a")), smallAssets(wait))
	require.NoError(t, err)
	js := server.JetStream(t, nats.UserInfo("w", "p"))
	q, err := Open(t.Context(), js, Config{})
	require.NoError(t, err)
	_, err = Open(briefly(t), server.JetStream(t, nats.UserInfo("c", "p")), Config{})
	require.ErrorIs(t, err, ErrDenied)
	require.ErrorContains(t, err, `allow this user to publish to "$JS.API.CONSUMER.INFO.JOBS.*"`)

	for i, attempt := range []func() error{
		func() error { return q.Cancel(briefly(t), job.Tail(), "alice") },
		func() error { _, _, err := q.LastResult(briefly(t), job.Tail()); return err },
		func() error { _, err := q.Acquire(briefly(t), job.LockKey(), Holder{Worker: "w"}); return err },
		func() error { return q.newProgress(job.Tail(), slog.New(slog.DiscardHandler)).load(briefly(t)) },
		func() error {
			return q.newProgress(job.Tail(), slog.New(slog.DiscardHandler)).claim(briefly(t), job, 1, "w")
		},
		func() error { return q.Pause(briefly(t), jobs.Purge, time.Now().Add(time.Hour)) },
		func() error {
			for _, err := range q.DeadLetters(briefly(t), "") {
				return err
			}
			return nil
		},
		func() error { _, err := jobs.Publish(briefly(t), js, job, jobs.PublishOptions{}); return err },
		func() error {
			_, err := q.recordResult(briefly(t), job.Tail(), identity{}, &jobs.Result{}, 0)
			return err
		},
		func() error {
			require.NoError(t, server.JetStream(t, nats.UserInfo("a", "a")).DeleteConsumer(t.Context(), jobs.StreamName, "purge"))
			_, err := Setup(briefly(t), js, smallAssets(wait))
			return err
		},
	} {
		require.ErrorContains(t, attempt(), fmt.Sprintf("allow this user to publish to %q", deny[i]))
	}
}

func TestAUserThatMayNotReceiveRepliesIsToldSo(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t, natstest.Config{Conf: `authorization { users [
		{ user: w, password: p, permissions { publish: ">", subscribe: "_INBOX_worker.>" } } ] }`})
	for prefix, options := range map[string][]nats.Option{
		"_INBOX": nil, "_INBOX_other": {nats.CustomInboxPrefix("_INBOX_other")},
	} {
		js := server.JetStream(t, append(options, nats.UserInfo("w", "p"))...)
		_, err := Open(briefly(t), js, Config{})
		require.ErrorIs(t, err, ErrDenied)
		require.ErrorContains(t, err, fmt.Sprintf(`allow this user to subscribe to "%s.>", or set nats.inbox_prefix`, prefix))
		_, err = jobs.Publish(briefly(t), js, newJob(), jobs.PublishOptions{})
		require.ErrorIs(t, err, jobs.ErrPublishDenied)
		require.ErrorContains(t, err, fmt.Sprintf(`allow this user to subscribe to "%s.>", or set nats.inbox_prefix`, prefix))
	}
	js := server.JetStream(t, nats.UserInfo("w", "p"), nats.CustomInboxPrefix("_INBOX_worker"))
	_, err := Setup(t.Context(), js, smallAssets(wait))
	require.NoError(t, err)
}

func TestAnOldDenialOfAnotherSubjectExplainsNoSilence(t *testing.T) {
	t.Parallel()
	job := newJob()
	server := natstest.Start(t, natstest.Config{Conf: fmt.Sprintf(`authorization { users [
		{ user: w, password: p, permissions { publish { deny: [%q, "$JS.API.STREAM.INFO.JOBS.more"] }, subscribe { deny: "others.>" } } } ] }`, job.Subject()+".more")})
	proxy := natstest.NewProxy(t, server.Addr())
	nc := natstest.Connect(t, proxy.URL(), nats.UserInfo("w", "p"))
	js := natstest.JetStream(t, nc)
	_, err := Setup(t.Context(), js, smallAssets(wait))
	require.NoError(t, err)
	for _, provoke := range []func() error{
		func() error { return nc.Publish(job.Subject()+".more", nil) },
		func() error { return nc.Publish("$JS.API.STREAM.INFO.JOBS.more", nil) },
		func() error { _, err := nc.SubscribeSync("others.x"); return err },
	} {
		require.NoError(t, provoke())
		require.NoError(t, nc.FlushTimeout(patience))
		require.ErrorIs(t, nc.LastError(), nats.ErrPermissionViolation)
		proxy.Stall()
		_, err = Open(briefly(t), js, Config{})
		require.ErrorIs(t, err, ErrUnreachable)
		_, err = jobs.Publish(briefly(t), js, job, jobs.PublishOptions{})
		require.ErrorIs(t, err, jobs.ErrPublishUnknown)
		proxy.Resume()
		require.NoError(t, nc.FlushTimeout(patience))
	}
}
