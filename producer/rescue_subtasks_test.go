package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/natstest"
	"deckhand/internal/queue"
	"deckhand/internal/tabletest"
	"deckhand/jobs"
)

// The metadata file is still there, but the stock executor has begun: a list is
// gone that named manifests, and only the sub-tasks know those.
func TestSubTasksWaitForThePurgeOfTheirTable(t *testing.T) {
	t.Parallel()
	w := newWreck(t)
	table := w.strand(t, true)
	w.drop(t, 4711, "t", table.UUID, table.MetadataLocation, 2*time.Hour)
	for _, list := range pathsOf(table, tabletest.KindManifestList) {
		w.remove(t, list)
	}
	rows := w.store.TaskIDs(t)
	for range 2 {
		got := w.rescue(t, "--adopt")
		require.Equal(t, 0, got.Code, got.Stderr)
		require.Contains(t, got.Stdout, "its sub-tasks wait until its purge has completed")
		require.Equal(t, rows, w.store.TaskIDs(t))
		require.Equal(t, []string{"jobs.purge.POLARIS.lake.db.t." + table.UUID}, w.queued(t))
	}
	require.Contains(t, w.rescue(t).Stdout, "would queue  jobs.purge.POLARIS.lake.db.t."+table.UUID)
	w.work(t, false)
	for _, manifest := range pathsOf(table, tabletest.KindManifest) {
		require.Contains(t, w.s3.Locations(), manifest)
	}
	got := w.rescue(t, "--adopt")
	require.Equal(t, 0, got.Code, got.Stdout)
	require.Empty(t, w.store.TaskIDs(t))
	subjects := w.queued(t)
	require.Len(t, subjects, 1)
	require.Equal(t, table.UUID, queuedJob(t, w.js, subjects[0]).TableUUID)
	w.work(t, false)
	require.Equal(t, []string{"db/t2/neighbour"}, w.s3.Keys("warehouse"))
}

func TestSubTasksStayWhileThePurgeOfTheirTableIsDead(t *testing.T) {
	t.Parallel()
	w := newWreck(t)
	table := w.strand(t, true)
	w.drop(t, 4711, "t", "another-uuid", table.MetadataLocation, 2*time.Hour)
	rows := w.store.TaskIDs(t)
	require.Equal(t, 0, w.rescue(t, "--adopt").Code)
	w.work(t, false)
	got := w.rescue(t, "--adopt")
	require.Equal(t, 3, got.Code)
	require.Contains(t, got.Stdout, "the job jobs.purge.POLARIS.lake.db.t.another-uuid is dead: ")
	require.Contains(t, got.Stdout, "belongs to the table with UUID")
	require.Equal(t, rows, w.store.TaskIDs(t))
	require.Empty(t, w.queued(t))
}

// An extension takes the table's own row and leaves those of the sub-tasks.
func TestSubTasksAreKeptApartFromAPurgeThatSomebodyElseQueued(t *testing.T) {
	t.Parallel()
	w := newWreck(t)
	table := w.strand(t, true)
	rows := w.store.TaskIDs(t)
	other := &jobs.Job{Version: 1, ID: "POLARIS.99", Kind: jobs.Purge, Realm: "POLARIS", Catalog: "lake", Namespace: []string{"db"}, Table: "t",
		TableUUID: "another-uuid", MetadataLocation: table.MetadataLocation}
	_, err := jobs.Publish(t.Context(), w.js, other, jobs.PublishOptions{})
	require.NoError(t, err)
	got := w.rescue(t, "--adopt")
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Contains(t, got.Stdout, "rows: a purge of a table of that name is queued (purge.POLARIS.lake.db.t.another-uuid); run rescue again")
	w.work(t, false)
	got = w.rescue(t, "--adopt")
	require.Equal(t, 3, got.Code)
	require.Contains(t, got.Stdout, `rows: a purge of a table of that name is dead (purge.POLARIS.lake.db.t.another-uuid); settle that first: "worker dead requeue`)
	require.Equal(t, rows, w.store.TaskIDs(t))
	require.Empty(t, w.queued(t))

	require.NoError(t, w.open(t).Drop(t.Context(), other.Subject()))
	require.Equal(t, 0, w.rescue(t, "--adopt").Code)
	require.Empty(t, w.store.TaskIDs(t))
	require.Len(t, w.queued(t), 1)
}

func TestTheSecondDropOfATableThatWasRegisteredAgainWaitsForThePurgeOfTheFirst(t *testing.T) {
	t.Parallel()
	w := newWreck(t)
	for i := 1; i <= 2; i++ {
		w.s3.Put("warehouse", fmt.Sprintf("db/t/metadata/%d.metadata.json", i), []byte("{}"))
	}
	w.drop(t, 10, "t", "uuid-t", "s3://warehouse/db/t/metadata/1.metadata.json", 2*time.Hour)
	second := w.drop(t, 11, "t", "uuid-t", "s3://warehouse/db/t/metadata/2.metadata.json", 2*time.Hour)
	got := w.rescue(t, "--adopt")
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Contains(t, got.Stdout, "kept  db.t  realm POLARIS, row 2: an earlier purge of the same table, with another metadata file, is still queued")
	require.Contains(t, got.Stdout, "2 task rows: 1 adopted, 1 kept")
	require.Equal(t, []int64{int64(second)}, w.store.TaskIDs(t))

	const subject = "jobs.purge.POLARIS.lake.db.t.uuid-t"
	require.NoError(t, w.open(t).Cancel(t.Context(), subject, "ann"))
	got = w.rescue(t, "--adopt")
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Equal(t, "s3://warehouse/db/t/metadata/2.metadata.json", queuedJob(t, w.js, subject).MetadataLocation)
	require.Empty(t, w.store.TaskIDs(t))
}

// The rights are those that CONTRACT.md gives to an operator with rescue.
func TestRescueNeedsNoMoreRightsThanTheContractSays(t *testing.T) {
	t.Parallel()
	w := newWreck(t)
	server := natstest.Start(t, natstest.Config{Conf: `
authorization { users: [ {user: all, password: a}, {user: rescue, password: r, permissions: {
	publish: ["jobs.purge.>", "jobs.purge-view.>", "jobs.purge-files.>", "$JS.API.STREAM.INFO.*",
		"$JS.API.DIRECT.GET.JOBS", "$JS.API.DIRECT.GET.JOBS.>", "$JS.API.DIRECT.GET.DEAD", "$JS.API.DIRECT.GET.DEAD.>", "$JS.API.DIRECT.GET.RESULTS.>"],
	subscribe: ["_INBOX.>"]}} ] }
no_auth_user: all`})
	w.js = server.JetStream(t)
	_, err := queue.Setup(t.Context(), w.js, queue.AssetsConfig{})
	require.NoError(t, err)
	w.url = strings.Replace(server.URL(), "://", "://rescue:r@", 1)
	table := w.strand(t, true)
	w.drop(t, 4711, "t", table.UUID, table.MetadataLocation, 2*time.Hour)
	w.s3.Put("warehouse", "db/u/metadata/1.metadata.json", []byte("{}"))
	for range 2 { // the second is already queued
		w.drop(t, 12, "u", "uuid-u", "s3://warehouse/db/u/metadata/1.metadata.json", 2*time.Hour)
		got := w.rescue(t, "--adopt")
		require.Equal(t, 0, got.Code, "%s%s", got.Stdout, got.Stderr)
		require.NotContains(t, got.Stderr, "denies")
	}
	require.Len(t, w.queued(t), 2)
	w.work(t, false)
	w.store.Exec(t, `DELETE FROM polaris_schema.entities WHERE name = 'entityCleanup_4711'`) // so that dead letters are looked at
	got := w.rescue(t, "--adopt")
	require.Equal(t, 0, got.Code, "%s%s", got.Stdout, got.Stderr)
	require.NotContains(t, got.Stderr, "denies")
}
