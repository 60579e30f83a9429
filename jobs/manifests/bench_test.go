package manifests_test

import (
	"context"
	"testing"
	"time"

	"github.com/apache/iceberg-go/table"
	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	"deckhand/internal/maintenance/maintenancetest/rival"
	"deckhand/internal/s3test"
	"deckhand/internal/tabletest"
)

func synthetic(tb testing.TB, server *s3test.Server, o tabletest.SyntheticOptions) *tabletest.SyntheticTable {
	tb.Helper()
	o.Location = "s3://warehouse/db/t"
	made, err := tabletest.Synthetic(o, tabletest.ToBucket(server))
	require.NoError(tb, err)
	return made
}

func startServer(tb testing.TB) *s3test.Server {
	tb.Helper()
	return s3test.Start(tb, s3test.Options{Buckets: []string{"warehouse", "other"}})
}

// Each manifest holds files of all 16 partitions. Java's rewriteManifests took 4.5 s
// for a table of the same size without latency and 14.9 s with 20 ms, Spark 10.4 and
// 33.3 s.
func BenchmarkManifests(b *testing.B) {
	for name, latency := range map[string]time.Duration{"many-manifests": 0, "many-manifests-20ms": 20 * time.Millisecond} {
		b.Run(name, func(b *testing.B) {
			server := startServer(b)
			made := synthetic(b, server, tabletest.SyntheticOptions{Files: 50_000, Manifests: 1_000, Columns: 20})
			full := server.Snapshot()
			b.Run("deckhand", func(b *testing.B) {
				y := newYardOn(b, server)
				rival.Measure(b, server, latency, func() {
					y.Open(made.MetadataLocation)
					r, err := y.rewrite(`{}`)
					require.NoError(b, err)
					require.EqualValues(b, 1_000, r.Replaced.Files)
					require.EqualValues(b, 50_000, r.Entries)
				}, func() {})
			})
			server.Restore(full)
			b.Run("iceberg-go", func(b *testing.B) {
				rival.Measure(b, server, latency, func() {
					rival.Commit(b, server, made.MetadataLocation, func(ctx context.Context, tx *table.Transaction) error {
						r, err := tx.RewriteManifests(ctx)
						require.Len(b, r.RewrittenManifests, 1_000)
						return err
					})
				}, func() {})
			})
		})
	}
}

// rewriteOnDisk rewrites the manifests of a table whose metadata lies on the local
// disk, so that the heap is the job's alone.
func rewriteOnDisk(tb testing.TB, o tabletest.SyntheticOptions, memory int64) (peakMiB float64, y *yard) {
	tb.Helper()
	warehouse := tb.TempDir()
	o.Location = "file://" + warehouse + "/t"
	made, err := tabletest.Synthetic(o, tabletest.ToFolder())
	require.NoError(tb, err)
	y = newYardOn(tb, startServer(tb))
	y.Storage.Locations, y.memory = append(y.Storage.Locations, "file://"+warehouse), memory
	if o.Stored { // quick to write, too
		y.Edit(made.MetadataLocation, func(m object) { m["properties"] = object{"write.manifest.compression-codec": "snappy"} })
	}
	y.Open(made.MetadataLocation)
	before := jobtest.PeakHeap(func() {})
	peak := jobtest.PeakHeap(func() {
		r, err := y.rewrite(`{}`)
		require.NoError(tb, err)
		require.EqualValues(tb, o.Files, r.Entries)
		require.EqualValues(tb, o.Manifests, r.Replaced.Files)
	})
	return peak - before, y
}

// Each manifest holds files of all 16 partitions.
func BenchmarkManifestsMemory(b *testing.B) {
	b.Run("many-entries/deckhand", func(b *testing.B) {
		peak := 0.0
		for range b.N {
			one, _ := rewriteOnDisk(b, tabletest.SyntheticOptions{Files: 1_000_000, Manifests: 1_000, Columns: 20}, 0)
			peak = max(peak, one)
		}
		b.ReportMetric(peak, "peak-MiB")
	})
}
