package expire_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"deckhand/internal/jobtest"
	"deckhand/internal/maintenance"
	"deckhand/internal/manifest"
	"deckhand/internal/s3test"
	"deckhand/internal/storage"
	"deckhand/internal/table"
	"deckhand/internal/tabletest"
	"deckhand/internal/tabletest/icebergtable"
	"deckhand/jobs"
	"deckhand/jobs/expire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// yard is a store with a catalog of one table over it.
type yard struct {
	t       testing.TB
	server  *s3test.Server
	ledger  *ledger
	cfg     maintenance.Config
	storage storage.Config
	// large tables have this many files; 0: as always.
	large int64
}

func newYard(t testing.TB) *yard {
	t.Helper()
	return newYardOn(t, s3test.Start(t, s3test.Options{Buckets: []string{"warehouse", "other"}}))
}

func newYardOn(t testing.TB, server *s3test.Server) *yard {
	t.Helper()
	y := &yard{t: t, server: server, storage: storage.Config{
		Name: "lake", Locations: []string{"s3://warehouse/", "s3://other/"}, Retries: 1, S3: server.StorageConfig(),
	}}
	y.ledger = &ledger{yard: y}
	y.cfg = maintenance.Config{Worker: "tester", RetryWait: time.Millisecond}
	return y
}

// open makes the metadata file that of the catalog's table.
func (y *yard) open(metadataLocation string) { y.ledger.location = metadataLocation }

func (y *yard) handler() *expire.Handler {
	cfg := y.cfg
	cfg.Catalogs = []maintenance.Catalog{{Realm: "POLARIS", Name: "lake", Client: y.ledger, Storage: y.storage}}
	handler, err := expire.New(cfg)
	require.NoError(y.t, err)
	if y.large != 0 {
		handler.TakeForLarge(y.large)
	}
	return handler
}

// expireAll keeps only what refs need.
const expireAll = `{"older-than":"0s","retain-last":1}`

func jobWith(params string) *jobs.Job {
	return &jobs.Job{
		Version: 1, ID: "01TESTJOB", Kind: jobs.Expire, Realm: "POLARIS", Catalog: "lake",
		Namespace: []string{"zoo"}, Table: "t", Params: json.RawMessage(params),
	}
}

func (y *yard) expire(params string) (*expire.Receipt, error) {
	y.t.Helper()
	return y.run(y.t.Context(), params, &jobtest.Progress{})
}

func (y *yard) run(ctx context.Context, params string, progress *jobtest.Progress) (*expire.Receipt, error) {
	y.t.Helper()
	return jobtest.Run[expire.Receipt](ctx, y.t, y.handler(), jobWith(params), progress)
}

// load puts objects into the store, or onto the disk.
func (y *yard) load(objects tabletest.Objects) {
	for location := range objects {
		if strings.HasPrefix(location, "file:") {
			require.NoError(y.t, objects.WriteFolder())
			return
		}
	}
	require.NoError(y.t, objects.Load(y.server))
}

func (y *yard) get(location string) []byte {
	if strings.HasPrefix(location, "file:") {
		path, err := tabletest.LocalPath(location)
		require.NoError(y.t, err)
		data, err := os.ReadFile(path)
		require.NoError(y.t, err)
		return data
	}
	bucket, key, err := tabletest.SplitS3(location)
	require.NoError(y.t, err)
	data, found := y.server.Get(bucket, key)
	require.True(y.t, found, location)
	return data
}

func (y *yard) put(location string, data []byte) {
	y.load(tabletest.Objects{location: data})
}

func (y *yard) remove(location string) {
	bucket, key, err := tabletest.SplitS3(location)
	require.NoError(y.t, err)
	y.server.Remove(bucket, key)
}

// keys are all objects of all buckets as s3:// locations.
func (y *yard) keys() []string { return y.server.Locations() }

// metadata of the table as it stands.
func (y *yard) metadata() *table.Metadata {
	y.ledger.mu.Lock()
	defer y.ledger.mu.Unlock()
	loaded, err := y.ledger.loaded()
	require.NoError(y.t, err)
	return loaded.Metadata
}

// reader reads past the faults that a test has set.
func (y *yard) reader() *storage.Session {
	stores, err := storage.NewStores(y.storage, storage.NewLimiters())
	require.NoError(y.t, err)
	y.t.Cleanup(func() { _ = stores.Close() })
	return stores.Session(storage.SessionConfig{})
}

// reach is what each snapshot of a table reaches, by location: lists, manifests
// and what live entries name.
type reach map[int64]map[string]bool

func (y *yard) reach(m *table.Metadata) reach {
	from := y.reader()
	all := reach{}
	for _, s := range m.Snapshots {
		one := *m
		one.Snapshots = []table.Snapshot{s}
		tree, err := table.ReadTree(y.t.Context(), from, &one, 4)
		require.NoError(y.t, err)
		v := &liveEntries{files: map[string]bool{}}
		for _, list := range tree.Lists {
			require.Equal(y.t, table.Read, list.State, list.Path)
			v.files[table.Identity(list.Path)] = true
		}
		for _, f := range tree.Manifests {
			v.files[table.Identity(f.Path)] = true
		}
		require.NoError(y.t, table.Walk(y.t.Context(), from, tree.Manifests, func(int) bool { return true }, 1, v))
		all[s.ID] = v.files
	}
	return all
}

// union of what the snapshots reach, and the statistics of m.
func (r reach) union(m *table.Metadata) map[string]bool {
	all := map[string]bool{}
	for _, s := range m.Snapshots {
		for file := range r[s.ID] {
			all[file] = true
		}
	}
	for _, of := range [][]table.StatisticsFile{m.Statistics, m.PartitionStatistics} {
		for _, f := range of {
			all[table.Identity(f.Path)] = true
		}
	}
	return all
}

type liveEntries struct{ files map[string]bool }

func (v *liveEntries) Entry(_ int, e *manifest.Entry) error {
	if e.Status != manifest.StatusDeleted {
		v.files[table.Identity(string(e.Path))] = true
	}
	return nil
}

func (v *liveEntries) End(i int, state table.State, err error) error {
	if state != table.Read {
		return fmt.Errorf("manifest %d: %w", i, err)
	}
	return nil
}

// isMetadata knows metadata files and records, which expiries leave to others.
func isMetadata(key string) bool { return strings.Contains(key, ".metadata.json") }

// wantAfter is what must lie in the store after an expiry: all that was there but
// what only removed snapshots reached, and no record.
func wantAfter(keys []string, before map[string]bool, after map[string]bool) []string {
	return slices.DeleteFunc(slices.Clone(keys), func(key string) bool {
		return isMetadata(key) || before[key] && !after[key]
	})
}

// files are the keys that are no metadata files.
func (y *yard) files() []string { return slices.DeleteFunc(y.keys(), isMetadata) }

// write makes a table with iceberg-go and neighbours around it.
func (y *yard) write(o icebergtable.Options) *icebergtable.Table {
	if o.Location == "" {
		o.Location = "s3://warehouse/db/t"
	}
	made, err := icebergtable.Write(y.t.Context(), o)
	require.NoError(y.t, err)
	y.load(tabletest.Neighbours(o.Location))
	y.load(made.Objects)
	y.open(made.MetadataLocation)
	return made
}

func fileCounts(r *expire.Receipt) map[string]int64 {
	counts := map[string]int64{}
	for kind, count := range r.Deleted {
		counts[string(kind)] = count.Files
	}
	return counts
}
