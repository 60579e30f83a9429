package queue

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
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
	_, err = Open(briefly(t), server.JetStream(t, nats.UserInfo("c", "p")), Config{})
	require.ErrorIs(t, err, ErrDenied)
	require.ErrorContains(t, err, `allow this user to publish to "$JS.API.CONSUMER.INFO.JOBS.*"`)

	var asked sync.WaitGroup
	for i, attempt := range []func(q *Queue) error{
		func(q *Queue) error { return q.Cancel(briefly(t), job.Tail(), "alice") },
		func(q *Queue) error { _, _, err := q.LastResult(briefly(t), job.Tail()); return err },
		func(q *Queue) error { _, err := q.Acquire(briefly(t), job.LockKey(), Holder{Worker: "w"}); return err },
		func(q *Queue) error { return q.newProgress(job.Tail(), slog.New(slog.DiscardHandler)).load(briefly(t)) },
		func(q *Queue) error {
			return q.newProgress(job.Tail(), slog.New(slog.DiscardHandler)).claim(briefly(t), job, 1, "w")
		},
		func(q *Queue) error { return q.Pause(briefly(t), jobs.Purge, time.Now().Add(time.Hour)) },
		func(q *Queue) error {
			for _, err := range q.DeadLetters(briefly(t), "") {
				return err
			}
			return nil
		},
		func(q *Queue) error { _, err := jobs.Publish(briefly(t), q.js, job, jobs.PublishOptions{}); return err },
		func(q *Queue) error {
			_, err := q.recordResult(briefly(t), job.Tail(), identity{}, &jobs.Result{}, 0)
			return err
		},
	} {
		// Each on a connection of its own, which remembers one denial.
		q, err := Open(t.Context(), server.JetStream(t, nats.UserInfo("w", "p")), Config{})
		require.NoError(t, err)
		asked.Go(func() { assert.ErrorContains(t, attempt(q), fmt.Sprintf("allow this user to publish to %q", deny[i])) })
	}
	asked.Wait()
	require.NoError(t, server.JetStream(t, nats.UserInfo("a", "a")).DeleteConsumer(t.Context(), jobs.StreamName, "purge"))
	_, err = Setup(briefly(t), server.JetStream(t, nats.UserInfo("w", "p")), smallAssets(wait))
	require.ErrorContains(t, err, `allow this user to publish to "$JS.API.CONSUMER.CREATE.JOBS.>"`)
}

func TestAUserThatMayNotReceiveRepliesIsToldSo(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t, natstest.Config{Conf: `authorization { users [
		{ user: w, password: p, permissions { publish: ">", subscribe: "_INBOX_worker.>" } } ] }`})
	var asked sync.WaitGroup
	for prefix, options := range map[string][]nats.Option{
		"_INBOX": nil, "_INBOX_other": {nats.CustomInboxPrefix("_INBOX_other")},
	} {
		js := server.JetStream(t, append(options, nats.UserInfo("w", "p"))...)
		advice := fmt.Sprintf(`allow this user to subscribe to "%s.>", or set nats.inbox_prefix`, prefix)
		asked.Go(func() {
			_, err := Open(briefly(t), js, Config{})
			assert.ErrorIs(t, err, ErrDenied)
			assert.ErrorContains(t, err, advice)
			_, err = jobs.Publish(briefly(t), js, newJob(), jobs.PublishOptions{})
			assert.ErrorIs(t, err, jobs.ErrPublishDenied)
			assert.ErrorContains(t, err, advice)
		})
	}
	asked.Wait()
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
		// The denial is there already, so how long the silence is does not matter.
		brief, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		_, err = Open(brief, js, Config{})
		cancel()
		require.ErrorIs(t, err, ErrUnreachable)
		brief, cancel = context.WithTimeout(t.Context(), 200*time.Millisecond)
		_, err = jobs.Publish(brief, js, job, jobs.PublishOptions{})
		cancel()
		require.ErrorIs(t, err, jobs.ErrPublishUnknown)
		proxy.Resume()
		require.NoError(t, nc.FlushTimeout(patience))
	}
}
