package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/natstest"
	"deckhand/internal/queue"
	"deckhand/jobs"
	"deckhand/jobs/purge"
)

func TestAWorkerSharesLargePurgesOutIfItHasSlotsForTheParts(t *testing.T) {
	t.Parallel()
	y := newYard(t, "worker: { purge: { shard_above: 5, shard_files: 1 } }\n")
	address := "nats://" + freeAddress(t)
	for name, run := range map[string]struct {
		slots  string
		shards int
	}{
		"all kinds":      {"purge=1,purge-shard=2,purge-finish=1", 2},
		"purges only":    {"purge=1", 0},
		"without finish": {"purge=1,purge-shard=1", 0},
	} {
		table := y.table(t, "db/orders")
		count := y.tableFiles(t, "db/orders")
		process, health := startWorker(t, y, "--embedded", "--nats-url", address, "--slots", run.slots)
		waitReady(t, process, health)
		js := natstest.JetStream(t, natstest.Connect(t, address))
		job := &jobs.Job{
			Version: jobs.Version, ID: jobs.NewID(), Kind: jobs.Purge, Realm: "POLARIS", Catalog: "lake", Namespace: []string{"db"},
			Table: "orders", TableUUID: table.UUID, MetadataLocation: table.MetadataLocation,
		}
		publication, err := jobs.Publish(t.Context(), js, job, jobs.PublishOptions{})
		require.NoError(t, err)
		patience, cancel := context.WithTimeout(t.Context(), time.Minute)
		result, err := queue.WaitResult(patience, js, job, publication)
		cancel()
		require.NoError(t, err, name)
		require.Equal(t, jobs.Completed, result.Outcome, "%s: %s", name, result.Reason)
		var receipt purge.Receipt
		require.NoError(t, json.Unmarshal(result.Receipt, &receipt))
		require.Equal(t, run.shards, receipt.Shards, name)
		require.EqualValues(t, count, receipt.Deleted.Total().Files, name)
		require.Empty(t, y.files(t, "db"), name)
		process.Signal(t, os.Interrupt)
		require.Equal(t, 0, process.Wait(t), process.Output())
	}
}

func TestPartsOfPurgesAreNotRunByHand(t *testing.T) {
	t.Parallel()
	y := newYard(t, "")
	file := filepath.Join(y.folder, "shard.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"v":1,"id":"x","kind":"purge-shard","realm":"POLARIS","catalog":"lake","namespace":["db"],
		"table":"orders","table_uuid":"u","shard":1,"metadata_location":"file:///m.json","params":{"plan":"p","manifests":[{"path":"m","length":1}]}}`), 0o600))
	got := worker(t, "exec", "purge-shard", "--config", y.config, "--file", file, "--nats-url", nowhere)
	require.Equal(t, 2, got.Code, got.Stdout)
	require.Contains(t, got.Stderr, "part of a purge that the queue shares out; run the purge itself")
}
