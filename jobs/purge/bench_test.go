package purge_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/apache/iceberg-go"
	_ "github.com/apache/iceberg-go/io/gocloud/s3" // S3 for the rival
	"github.com/apache/iceberg-go/table"
	"github.com/stretchr/testify/require"

	iceio "github.com/apache/iceberg-go/io"

	"deckhand/internal/jobtest"
	"deckhand/internal/s3test"
	"deckhand/internal/tabletest"
	"deckhand/jobs/purge"
)

// BenchmarkPurge deletes 20,000 files in 20 snapshots from an S3 server that adds a
// latency to each request. The rival is iceberg-go's PurgeFiles.
func BenchmarkPurge(b *testing.B) {
	const files, snapshots = 20_000, 20
	server, made := newPurgeable(b, tabletest.SyntheticOptions{Files: files, Manifests: snapshots, Snapshots: snapshots})
	full := server.Snapshot()
	y := newYardOn(b, server, "s3://warehouse/")
	for name, latency := range map[string]time.Duration{"20ms": 20 * time.Millisecond, "0ms": 0} {
		reset := func() {
			server.SetLatency(0)
			server.Restore(full)
			server.SetLatency(latency)
			server.ResetCounts()
		}
		b.Run(name+"/deckhand", func(b *testing.B) {
			surplus := int64(0)
			for range b.N {
				b.StopTimer()
				reset()
				b.StartTimer()
				receipt, err := run(b, y.tables(purge.Policy{}), jobFor(made.UUID, made.MetadataLocation), &jobtest.Progress{})
				b.StopTimer()
				require.NoError(b, err)
				require.Empty(b, server.Keys("warehouse"))
				require.EqualValues(b, files, receipt.Deleted[purge.Data].Files)
				surplus = max(surplus, server.Total()-files/1000-metadataRequests(made))
				b.StartTimer()
			}
			b.ReportMetric(float64(surplus), "surplus-requests")
			b.ReportMetric(float64(files*b.N)/b.Elapsed().Seconds(), "files/s")
		})
		b.Run(name+"/iceberg-go", func(b *testing.B) {
			ctx := context.Background()
			props := iceberg.Properties{
				iceio.S3EndpointURL: server.Endpoint(), iceio.S3AccessKeyID: s3test.AccessKeyID,
				iceio.S3SecretAccessKey: s3test.SecretAccessKey, iceio.S3Region: "us-east-1",
			}
			for range b.N {
				b.StopTimer()
				reset()
				tbl, err := table.NewFromLocation(ctx, table.Identifier{"db", "t"}, made.MetadataLocation,
					iceio.LoadFSFunc(props, made.MetadataLocation), nil)
				require.NoError(b, err)
				b.StartTimer()
				require.NoError(b, tbl.PurgeFiles(ctx))
				b.StopTimer()
				require.Empty(b, server.Keys("warehouse"))
				b.StartTimer()
			}
			b.ReportMetric(float64(files*b.N)/b.Elapsed().Seconds(), "files/s")
		})
		b.Run(name+"/iceberg-java", func(b *testing.B) { benchJava(b, server, made.MetadataLocation, files, reset) })
		if latency > 0 {
			b.Run(name+"/pyiceberg", func(b *testing.B) { benchPyIceberg(b, latency) })
		}
	}
}

// metadataRequests is one request for each of a table's metadata objects, and one for
// the final listing.
func metadataRequests(made *tabletest.SyntheticTable) int64 {
	return int64(len(made.ManifestPaths) + len(made.ManifestLists) + len(made.EarlierMetadata) + 1 + 1)
}

// purgeOnDisk purges a table whose metadata lies on the local disk and whose
// data files do not exist, so that the heap is the purge's alone.
func purgeOnDisk(tb testing.TB, o tabletest.SyntheticOptions) (peakMiB float64) {
	warehouse := tb.TempDir()
	o.Location = "file://" + warehouse + "/t"
	made, err := tabletest.Synthetic(o, tabletest.ToFolder())
	require.NoError(tb, err)
	y := newYardOn(tb, nil, "file://"+warehouse)
	handler := y.tables(purge.Policy{})
	return jobtest.PeakHeap(func() {
		receipt, err := run(tb, handler, jobFor(made.UUID, made.MetadataLocation), &jobtest.Progress{})
		require.NoError(tb, err)
		require.EqualValues(tb, o.Files, receipt.Deleted[purge.Data].Files)
	})
}

func TestAHundredThousandEntriesArePurgedInLittleMemory(t *testing.T) {
	// Not beside others, whose memory would count.
	peak := purgeOnDisk(t, tabletest.SyntheticOptions{Files: 100_000, Manifests: 20, Snapshots: 2, Columns: 20, Stored: true})
	require.Less(t, peak, 64.0, "MiB")
	fmt.Printf("peak heap %.1f MiB\n", peak)
}
