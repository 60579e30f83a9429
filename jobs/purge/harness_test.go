package purge_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"deckhand/internal/jobtest"
	"deckhand/internal/ownership"
	"deckhand/internal/s3test"
	"deckhand/internal/storage"
	"deckhand/internal/tabletest"
	"deckhand/internal/tabletest/icebergtable"
	"deckhand/jobs"
	"deckhand/jobs/purge"
)

func TestMain(m *testing.M) {
	// What an in-process NATS server leaves behind for a while after its end.
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.(*Server).startGoRoutine.func1"),
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.(*fileStore).flushLoop"),
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server/ats.Register.func1"))
}

// yard is a store with one catalog, lake, over the buckets warehouse and other.
type yard struct {
	t         testing.TB
	server    *s3test.Server
	stores    *storage.Stores
	locations []string
}

func newYard(t testing.TB) *yard {
	t.Helper()
	server := s3test.Start(t, s3test.Options{Buckets: []string{"warehouse", "other"}})
	return newYardOn(t, server, "s3://warehouse/", "s3://other/")
}

func newYardOn(t testing.TB, server *s3test.Server, locations ...string) *yard {
	t.Helper()
	cfg := storage.Config{Name: "lake", Locations: locations, Retries: 1}
	if server != nil {
		cfg.S3 = server.StorageConfig()
	}
	stores, err := storage.NewStores(cfg, storage.NewLimiters())
	require.NoError(t, err)
	t.Cleanup(func() { _ = stores.Close() })
	return &yard{t: t, server: server, stores: stores, locations: locations}
}

func (y *yard) config(policy purge.Policy) purge.Config {
	policy.Verify = ownership.Off
	return purge.Config{
		Worker: "tester",
		Catalogs: []purge.Catalog{{
			Realm: "POLARIS", Name: "lake", Stores: y.stores, Locations: y.locations, Policy: policy,
		}},
	}
}

func (y *yard) tables(policy purge.Policy) *purge.Tables {
	handler, err := purge.New(y.config(policy))
	require.NoError(y.t, err)
	return handler
}

// load puts objects into the store.
func (y *yard) load(objects tabletest.Objects) {
	require.NoError(y.t, objects.Load(y.server))
}

// keys are all objects of all buckets as s3:// locations.
func (y *yard) keys() []string { return y.server.Locations() }

func (y *yard) remove(location string) {
	bucket, key, err := tabletest.SplitS3(location)
	require.NoError(y.t, err)
	y.server.Remove(bucket, key)
}

func jobFor(uuid, metadataLocation string) *jobs.Job {
	return &jobs.Job{
		Version: 1, ID: "01TESTJOB", Kind: jobs.Purge, Realm: "POLARIS", Catalog: "lake",
		Namespace: []string{"zoo"}, Table: "t", TableUUID: uuid, MetadataLocation: metadataLocation,
	}
}

func run(t testing.TB, handler jobs.Handler, job *jobs.Job, progress *jobtest.Progress) (*purge.Receipt, error) {
	t.Helper()
	return runContext(t.Context(), t, handler, job, progress)
}

func runContext(ctx context.Context, t testing.TB, handler jobs.Handler, job *jobs.Job, progress *jobtest.Progress) (*purge.Receipt, error) {
	t.Helper()
	return jobtest.Run[purge.Receipt](ctx, t, handler, job, progress)
}

// write makes a table with iceberg-go below s3://warehouse/db/t, and neighbours
// around it.
func (y *yard) write(o icebergtable.Options) (*icebergtable.Table, []string) {
	if o.Location == "" {
		o.Location = "s3://warehouse/db/t"
	}
	table, err := icebergtable.Write(y.t.Context(), o)
	require.NoError(y.t, err)
	neighbours := tabletest.Neighbours(o.Location)
	y.load(neighbours)
	y.load(table.Objects)
	var kept []string
	for location := range neighbours {
		kept = append(kept, location)
	}
	slices.Sort(kept)
	return table, kept
}

func countsOf(files []tabletest.File) map[purge.Kind]int64 {
	counts := map[purge.Kind]int64{}
	for _, f := range files {
		counts[purge.Kind(f.Kind)]++
	}
	return counts
}

func fileCounts(counts purge.Counts) map[purge.Kind]int64 {
	files := map[purge.Kind]int64{}
	for kind, count := range counts {
		files[kind] = count.Files
	}
	return files
}

func filesOf(table *icebergtable.Table, kind tabletest.FileKind) []string {
	var paths []string
	for _, f := range table.Files {
		if f.Kind == kind {
			paths = append(paths, f.Path)
		}
	}
	return paths
}

// plain writes a location as keys does.
func plain(location string) string {
	for _, scheme := range []string{"s3a://", "s3n://"} {
		if rest, ok := strings.CutPrefix(location, scheme); ok {
			return "s3://" + rest
		}
	}
	return location
}
