package deploy_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/queue"
	"deckhand/jobs"
)

func TestAScannerMayQueueMaintenanceAndNothingElse(t *testing.T) {
	s := serve(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	admin, _ := login(t, s, "admin", "secret-ADMIN")
	_, err := queue.Setup(ctx, admin, queue.AssetsConfig{AckWait: 2 * time.Second})
	require.NoError(t, err)

	scanner, denied := login(t, s, "scanner", "secret-SCANNER")
	opened, err := queue.Open(ctx, scanner, queue.Config{})
	require.NoError(t, err)
	lease, err := opened.Acquire(ctx, "producer", queue.Holder{Worker: "p1"})
	require.NoError(t, err)
	other, deniedToOther := login(t, s, "scanner", "secret-SCANNER")
	another, err := queue.Open(ctx, other, queue.Config{})
	require.NoError(t, err)
	_, err = another.Acquire(ctx, "producer", queue.Holder{Worker: "p2"})
	require.ErrorIs(t, err, queue.ErrHeld)
	require.ErrorContains(t, err, "p1")
	require.Empty(t, deniedToOther())

	expiry := job("orders")
	expiry.Kind, expiry.MetadataLocation = jobs.Expire, ""
	published, err := jobs.Publish(ctx, scanner, expiry, jobs.PublishOptions{})
	require.NoError(t, err)
	require.Equal(t, jobs.Queued, published.State)
	queued, err := opened.QueuedTails(ctx, jobs.Expire, "POLARIS", "lake")
	require.NoError(t, err)
	require.Len(t, queued, 1)
	_, err = admin.Publish(ctx, jobs.ResultSubjectPrefix+expiry.Tail(), []byte(`{"v":1}`))
	require.NoError(t, err)
	read := 0
	for _, err := range opened.Results(ctx, queue.CatalogTails(jobs.Expire, "POLARIS", "lake"), 0) {
		require.NoError(t, err)
		read++
	}
	require.Equal(t, 1, read)
	_, err = opened.LastResultSequence(ctx)
	require.NoError(t, err)
	_, err = opened.DeadTails(ctx, jobs.Expire, "POLARIS", "lake")
	require.NoError(t, err)
	for _, kind := range []jobs.Kind{jobs.Orphans, jobs.Manifests} {
		job := *expiry
		job.Kind, job.ID = kind, jobs.NewID()
		_, err = jobs.Publish(ctx, scanner, &job, jobs.PublishOptions{})
		require.NoError(t, err)
		queued, err = opened.QueuedTails(ctx, kind, "POLARIS", "lake")
		require.NoError(t, err)
		require.Len(t, queued, 1)
	}
	// Longer than the lease lasts without being renewed.
	select {
	case <-lease.Context().Done():
		require.NoError(t, context.Cause(lease.Context()))
	case <-time.After(3 * time.Second):
	}
	require.NoError(t, lease.Release(ctx))
	require.Empty(t, denied())

	for i, subject := range []string{"jobs.purge.x", "results.expire.x", "$KV.locks.table.x", "dead.expire.x", "$JS.API.STREAM.PURGE.JOBS"} {
		short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
		_, err := scanner.Publish(short, subject, nil)
		cancel()
		require.Error(t, err, subject)
		require.Len(t, denied(), i+1, subject)
	}
}
