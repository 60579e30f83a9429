package main

import (
	"encoding/json"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/natstest"
	"deckhand/internal/pulltest"
	"deckhand/internal/queue"
	"deckhand/jobs"
	"deckhand/jobs/expire"
	"deckhand/jobs/manifests"
	"deckhand/jobs/orphans"
)

func TestJobsOfEveryKindOnOneTableRunOneAfterTheOther(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t, natstest.Config{})
	lake, _ := newLake(t, "")
	orphan := plant(t, lake, "data/old.parquet", 4*24*time.Hour)
	kept := names(t, lake.Warehouse()+"/sales/orders/data")
	kept = slices.DeleteFunc(kept, func(name string) bool { return name == orphan })
	js := server.JetStream(t)
	_, err := queue.Setup(t.Context(), js, queue.AssetsConfig{AckWait: 2 * time.Second})
	require.NoError(t, err)

	queued := map[jobs.Kind]jobs.Publication{}
	work := map[jobs.Kind]*jobs.Job{}
	for kind, params := range map[jobs.Kind]string{jobs.Expire: `{"retain-last":1,"older-than":"0s"}`, jobs.Manifests: `{}`, jobs.Orphans: `{}`} {
		work[kind] = &jobs.Job{
			Version: 1, ID: jobs.NewID(), Kind: kind, Realm: "POLARIS", Catalog: "lake", Namespace: []string{"sales"}, Table: "orders", Params: json.RawMessage(params),
		}
		queued[kind], err = jobs.Publish(t.Context(), js, work[kind], jobs.PublishOptions{})
		require.NoError(t, err)
	}
	process, health := startWorker(t, yard{folder: lake.Folder, config: lake.Config}, "--nats-url", server.URL())
	waitReady(t, process, health)
	var results []*jobs.Result
	for kind, job := range work {
		result, err := queue.WaitResult(t.Context(), js, job, queued[kind])
		require.NoError(t, err)
		require.Equal(t, jobs.Completed, result.Outcome, "%s: %s", kind, result.Reason)
		results = append(results, result)
	}
	slices.SortFunc(results, func(a, b *jobs.Result) int { return a.StartedAt.Compare(b.StartedAt.Time) })
	for i := range results[1:] {
		require.False(t, results[i+1].StartedAt.Before(results[i].FinishedAt.Truncate(time.Millisecond)), "%s began before %s had ended", results[i+1].Kind, results[i].Kind)
	}
	for _, result := range results {
		switch result.Kind {
		case jobs.Expire:
			require.Positive(t, decode[expire.Receipt](t, string(result.Receipt)).Removed.Snapshots)
		case jobs.Manifests:
			require.EqualValues(t, 1, decode[manifests.Receipt](t, string(result.Receipt)).After.Files)
		case jobs.Orphans:
			require.EqualValues(t, 1, decode[orphans.Receipt](t, string(result.Receipt)).Deleted.Total().Files)
		}
	}
	require.Equal(t, kept, names(t, lake.Warehouse()+"/sales/orders/data"))
	require.NotEmpty(t, lake.Server.MetadataLocation(t.Context(), pulltest.In("sales", "orders")))
	process.Signal(t, syscall.SIGTERM)
	require.Equal(t, 0, process.Wait(t), process.Output())
}
