package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/clitest"
	"deckhand/internal/natstest"
	"deckhand/internal/queue"
	"deckhand/internal/tabletest"
	"deckhand/jobs"
	"deckhand/jobs/purge"
)

func TestExecPurgesATableWithoutAQueue(t *testing.T) {
	t.Parallel()
	y := newYard(t, "")
	table := y.table(t, "db/orders")
	args := []string{"exec", "purge", "--config", y.config, "--catalog", "lake", "--metadata-location", table.MetadataLocation, "--nats-url", nowhere}
	before := y.files(t, "db/orders")

	got := worker(t, append(args, "--dry-run", "--list")...)
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Equal(t, before, y.files(t, "db/orders"))
	require.Contains(t, got.Stdout, "would delete\tmanifest\t")
	require.Contains(t, got.Stdout, table.MetadataLocation)
	require.Empty(t, got.Stderr, "a dry run needs no lock")

	got = worker(t, args...)
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Empty(t, y.files(t, "db/orders"))
	require.Contains(t, got.Stdout, "deleted")
	require.Contains(t, got.Stderr, "worker: not locked: connect to NATS at nats://127.0.0.1:1: no server answers")

	got = worker(t, args...)
	require.Equal(t, 3, got.Code)
	require.Contains(t, got.Stderr, "does not exist")
}

func TestExecPrintsTheSameRecordAsTheQueueWouldHold(t *testing.T) {
	t.Parallel()
	y := newYard(t, "")
	table := y.table(t, "db/orders")
	count := y.tableFiles(t, "db/orders")
	list := y.folder + "/list.jsonl"
	got := worker(t, "exec", "purge", "--config", y.config, "--catalog", "lake", "--metadata-location", table.MetadataLocation,
		"--table", "db.orders", "--table-uuid", table.UUID, "--nats-url", nowhere, "--json", "--list-file", list)
	require.Equal(t, 0, got.Code, got.Stderr)
	result := decode[jobs.Result](t, got.Stdout)
	require.Equal(t, jobs.Completed, result.Outcome)
	require.Equal(t, []string{"db"}, result.Namespace)
	require.Equal(t, "orders", result.Table)
	receipt := decode[purge.Receipt](t, string(result.Receipt))
	require.EqualValues(t, count, receipt.Deleted.Total().Files)

	listed, err := os.ReadFile(list)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(listed)), "\n")
	require.Len(t, lines, count)
	last := decode[purge.PathRecord](t, lines[count-1])
	require.Equal(t, table.MetadataLocation, last.Location)
	require.Equal(t, "deleted", last.Action)
}

func TestExecReadsAWholeJob(t *testing.T) {
	t.Parallel()
	y := newYard(t, "")
	table := y.table(t, "db/orders")
	job := jobs.Job{Version: 1, ID: "j1", Kind: jobs.Purge, Realm: "POLARIS", Catalog: "lake", Namespace: []string{"db"}, Table: "orders",
		TableUUID: "another-uuid", MetadataLocation: table.MetadataLocation}
	body, err := job.Encode()
	require.NoError(t, err)
	got := clitest.Run(t, clitest.Command{Args: []string{"exec", "purge", "--config", y.config, "--nats-url", nowhere, "--file", "-", "--json"}, Stdin: string(body)})
	require.Equal(t, 3, got.Code, "the table's UUID is another")
	result := decode[jobs.Result](t, got.Stdout)
	require.Equal(t, jobs.Dead, result.Outcome)
	require.Equal(t, "j1", result.JobID)
	require.Contains(t, result.Reason, "another-uuid")
	require.NotEmpty(t, y.files(t, "db/orders"))
}

func TestExecDeletesNothingBeforeTheTimeThatTheJobGives(t *testing.T) {
	t.Parallel()
	y := newYard(t, "")
	table := y.table(t, "db/orders")
	before := y.files(t, "db/orders")
	exec := func(notBefore time.Time, args ...string) clitest.Result {
		job := jobs.Job{Version: 1, ID: "j1", Kind: jobs.Purge, Realm: "POLARIS", Catalog: "lake", Namespace: []string{"db"}, Table: "orders",
			TableUUID: table.UUID, MetadataLocation: table.MetadataLocation, NotBefore: jobs.At(notBefore)}
		body, err := job.Encode()
		require.NoError(t, err)
		args = append([]string{"exec", "purge", "--config", y.config, "--nats-url", nowhere, "--file", "-"}, args...)
		return clitest.Run(t, clitest.Command{Args: args, Stdin: string(body)})
	}
	later := time.Now().Add(time.Hour)
	got := exec(later)
	require.Equal(t, 4, got.Code, got.Stdout)
	require.Contains(t, got.Stderr, "worker: not before "+later.UTC().Format(time.RFC3339)+"; give --dry-run, or take not_before out")
	require.Equal(t, 0, exec(later, "--dry-run").Code)
	require.Equal(t, before, y.files(t, "db/orders"))
	require.Equal(t, 0, exec(time.Now().Add(-time.Hour)).Code)
	require.Empty(t, y.files(t, "db/orders"))
}

func TestExecPurgesByManifestPathsWhatHasNoMetadata(t *testing.T) {
	t.Parallel()
	y := newYard(t, "")
	table := y.table(t, "db/orders")
	for _, location := range append(table.EarlierMetadata, table.MetadataLocation) {
		path, err := tabletest.LocalPath(location)
		require.NoError(t, err)
		require.NoError(t, os.Remove(path))
	}
	job := jobs.Job{Version: 1, ID: "j1", Realm: "POLARIS", Catalog: "lake", Namespace: []string{"db"}, Table: "orders", Locations: []string{table.Location}}
	require.NoError(t, job.SetFiles("17", jobs.FilesParams{Manifests: table.ManifestPaths, Files: table.ManifestLists}))
	body, err := job.Encode()
	require.NoError(t, err)
	got := clitest.Run(t, clitest.Command{Args: []string{"exec", "purge-files", "--config", y.config, "--nats-url", nowhere, "--file", "-"}, Stdin: string(body)})
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Contains(t, got.Stdout, "UUID could not be compared")
	require.Empty(t, y.files(t, "db/orders"))
}

func TestExecOutsideTheAllowedLocationsFailsForGood(t *testing.T) {
	t.Parallel()
	y := newYard(t, "")
	got := worker(t, "exec", "purge", "--config", y.config, "--catalog", "lake", "--nats-url", nowhere,
		"--metadata-location", "file://"+y.folder+"/warehouse2/x.metadata.json")
	require.Equal(t, 3, got.Code)
	require.Contains(t, got.Stderr, "is outside the allowed locations")
}

func TestExecWaitsForNobodyWhoHoldsTheTable(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t, natstest.Config{})
	js := server.JetStream(t)
	_, err := queue.Setup(t.Context(), js, queue.AssetsConfig{})
	require.NoError(t, err)
	q, err := queue.Open(t.Context(), js, queue.Config{})
	require.NoError(t, err)
	y := newYard(t, "")
	table := y.table(t, "db/orders")
	job := jobs.Job{Kind: jobs.Purge, Realm: "POLARIS", Catalog: "lake", Namespace: []string{"db"}, Table: "orders", TableUUID: table.UUID}
	lease, err := q.Acquire(t.Context(), job.LockKey(), queue.Holder{Worker: "w-1", Job: "j-1", Kind: jobs.Purge})
	require.NoError(t, err)

	args := []string{"exec", "purge", "--config", y.config, "--catalog", "lake", "--metadata-location", table.MetadataLocation,
		"--table", "db.orders", "--table-uuid", table.UUID, "--nats-url", server.URL()}
	got := worker(t, args...)
	require.Equal(t, 4, got.Code, got.Stderr)
	require.Contains(t, got.Stderr, "held by worker w-1")
	require.NotEmpty(t, y.files(t, "db/orders"))
	got = worker(t, append(args, "--json")...)
	require.Equal(t, 4, got.Code, got.Stderr)
	failure := decode[map[string]string](t, got.Stdout)
	require.Equal(t, "held", failure["outcome"])
	require.Equal(t, "worker: "+failure["error"]+"\n", got.Stderr)
	got = worker(t, "exec", "purge", "--json", "--config", y.config, "--catalog", "sea", "--metadata-location", "/x")
	require.Equal(t, 2, got.Code)
	require.Equal(t, "bad input", decode[map[string]string](t, got.Stdout)["outcome"])

	require.NoError(t, lease.Release(t.Context()))
	got = worker(t, args...)
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Empty(t, got.Stderr, "it was locked")
	require.Empty(t, y.files(t, "db/orders"))
	lease, err = q.Acquire(t.Context(), job.LockKey(), queue.Holder{Worker: "w-2"})
	require.NoError(t, err, "the lease was given back")
	require.NoError(t, lease.Release(t.Context()))
}

func TestExecOnAnUnnamedTableSaysWhatItIsLockedAgainst(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t, natstest.Config{})
	_, err := queue.Setup(t.Context(), server.JetStream(t), queue.AssetsConfig{})
	require.NoError(t, err)
	y := newYard(t, "")
	for i, args := range [][]string{nil, {"--table=db.orders"}} {
		table := y.table(t, fmt.Sprintf("db/orders%d", i))
		got := worker(t, append([]string{"exec", "purge", "--config", y.config, "--catalog", "lake", "--metadata-location", table.MetadataLocation, "--nats-url", server.URL()}, args...)...)
		require.Equal(t, 0, got.Code, got.Stderr)
		require.Equal(t, "worker: locked only against other exec runs; give --table and --table-uuid to lock the table itself\n", got.Stderr)
	}
}

func TestExecWithoutStreamsSaysThatNothingIsLocked(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t, natstest.Config{NoJetStream: true})
	y := newYard(t, "")
	table := y.table(t, "db/orders")
	got := worker(t, "exec", "purge", "--config", y.config, "--catalog", "lake", "--metadata-location", table.MetadataLocation, "--nats-url", server.URL())
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Contains(t, got.Stderr, "worker: not locked: ")
	require.Contains(t, got.Stderr, "JetStream is off")
}

func TestExecPrintsItsReceiptAlsoWhenTheListCannotBeWritten(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("this system has no full disk to write to")
	}
	y := newYard(t, "")
	table := y.table(t, "db/orders")
	count := y.tableFiles(t, "db/orders")
	got := worker(t, "exec", "purge", "--config", y.config, "--catalog", "lake", "--metadata-location", table.MetadataLocation,
		"--nats-url", nowhere, "--list-file", "/dev/full")
	require.Equal(t, 1, got.Code)
	require.Contains(t, got.Stderr, "worker: write list: ")
	require.Contains(t, got.Stdout, fmt.Sprintf(" %d files", count))
}
