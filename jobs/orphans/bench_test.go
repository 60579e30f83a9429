package orphans_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/iceberg-go"
	_ "github.com/apache/iceberg-go/io/gocloud/s3" // S3 for the rival
	"github.com/apache/iceberg-go/table"
	"github.com/stretchr/testify/require"

	iceio "github.com/apache/iceberg-go/io"

	"deckhand/internal/jobtest"
	mt "deckhand/internal/maintenance/maintenancetest"
	"deckhand/internal/s3test"
	"deckhand/internal/tabletest"
	"deckhand/jobs/orphans"
)

// cleanByRival runs iceberg-go's DeleteOrphanFiles.
func cleanByRival(b *testing.B, server *s3test.Server, location string) {
	ctx := context.Background()
	files := iceio.LoadFSFunc(iceberg.Properties{
		iceio.S3EndpointURL: server.Endpoint(), iceio.S3AccessKeyID: s3test.AccessKeyID,
		iceio.S3SecretAccessKey: s3test.SecretAccessKey, iceio.S3Region: "us-east-1",
	}, location)
	loaded, err := table.NewFromLocation(ctx, table.Identifier{"db", "t"}, location, files, nil)
	require.NoError(b, err)
	result, err := loaded.DeleteOrphanFiles(ctx)
	require.NoError(b, err)
	require.Len(b, result.DeletedFiles, 10_000)
}

// BenchmarkOrphans is the table of the measurements of Spark: 100,000 files of a
// table, and 10,000 of nobody.
func BenchmarkOrphans(b *testing.B) {
	server := s3test.Start(b, s3test.Options{Buckets: []string{"warehouse", "other"}})
	made, err := tabletest.Synthetic(tabletest.SyntheticOptions{
		Location: mt.Home, Files: 100_000, Manifests: 20, Snapshots: 10, Columns: 20,
	}, tabletest.ToBucket(server))
	require.NoError(b, err)
	for path := range made.Paths() {
		server.Put("warehouse", strings.TrimPrefix(path, "s3://warehouse/"), []byte("x"))
	}
	for n := range 10_000 {
		server.Put("warehouse", fmt.Sprintf("db/t/data/bucket=%d/%05d-7-5a5a5a5a-0000%08x-00001.parquet", n%16, n*10, n), []byte("x"))
	}
	full := server.Snapshot()
	for _, latency := range []time.Duration{0, 20 * time.Millisecond} {
		measure := func(b *testing.B, work func(y *yard)) {
			for range b.N {
				b.StopTimer()
				server.SetLatency(0)
				server.Restore(full)
				y := yardOf(mt.NewYardOn(b, server))
				y.Open(made.MetadataLocation)
				server.SetLatency(latency)
				server.ResetCounts()
				b.StartTimer()
				work(y)
				b.StopTimer()
				require.Len(b, y.Keys(), full.Len()-10_000)
				b.StartTimer()
			}
			b.ReportMetric(float64(server.Total()), "requests")
		}
		b.Run(fmt.Sprintf("%dms/deckhand", latency.Milliseconds()), func(b *testing.B) {
			measure(b, func(y *yard) {
				r, err := y.search(quickly)
				require.NoError(b, err)
				b.ReportMetric(float64(r.Took.ReachMS), "reach-ms")
				b.ReportMetric(float64(r.Took.ListMS), "list-ms")
				b.ReportMetric(float64(r.Took.DeleteMS), "delete-ms")
			})
		})
		b.Run(fmt.Sprintf("%dms/iceberg-go", latency.Milliseconds()), func(b *testing.B) {
			measure(b, func(*yard) { cleanByRival(b, server, made.MetadataLocation) })
		})
	}
}

// BenchmarkOrphansMemory compares 1,000,000 files that a table names with 1,100,000
// that are listed.
func BenchmarkOrphansMemory(b *testing.B) {
	server := s3test.Start(b, s3test.Options{Buckets: []string{"warehouse", "other"}, DeleteAlwaysOK: true})
	// What the job reads lies on the disk, so that the heap is the job's.
	folder, bucket := b.TempDir(), tabletest.ToBucket(server)
	onDisk := func(key string) string { return filepath.Join(folder, url.PathEscape(key)) }
	made, err := tabletest.Synthetic(tabletest.SyntheticOptions{
		Location: mt.Home, Files: 1_000_000, Manifests: 200, Snapshots: 10, Columns: 4,
	}, func(location string, write func(io.Writer) error) error {
		if mt.IsMetadata(location) {
			return bucket(location, write)
		}
		var data bytes.Buffer
		if err := write(&data); err != nil {
			return err
		}
		return os.WriteFile(onDisk(strings.TrimPrefix(location, "s3://warehouse/")), data.Bytes(), 0o600)
	})
	require.NoError(b, err)
	all := newWarehouse(b, func() (keys []string) {
		for path := range made.Paths() {
			keys = append(keys, strings.TrimPrefix(path, "s3://warehouse/"))
		}
		for n := range 100_000 {
			keys = append(keys, fmt.Sprintf("db/t/data/bucket=%d/%05d-7-5a5a5a5a-0000%08x-00001.parquet", n%16, n, n))
		}
		return keys
	}())
	y := &yard{Yard: mt.NewYardOn(b, server)}
	y.Open(made.MetadataLocation)
	server.Fault(func(_ int64, op string, r *http.Request) *s3test.Fault {
		switch op {
		case "ListObjectsV2":
			return all.list(r)
		case "GetObject":
			if data, err := os.ReadFile(onDisk(strings.TrimPrefix(r.URL.Path, "/warehouse/"))); err == nil {
				return &s3test.Fault{Status: http.StatusOK, Body: data}
			}
		}
		return nil
	})
	b.Run("deckhand", func(b *testing.B) {
		for range b.N {
			var r *orphans.Receipt
			before := jobtest.PeakHeap(func() {})
			peak := jobtest.PeakHeap(func() { r, err = y.search(quickly) })
			require.NoError(b, err)
			require.EqualValues(b, 100_000, r.Deleted.Total().Files)
			require.EqualValues(b, 1_100_000, r.Listed.Files)
			b.ReportMetric(peak-before, "peak-MiB")
			b.ReportMetric(before, "held-MiB")
			b.ReportMetric(float64(r.Took.ReachMS), "reach-ms")
			b.ReportMetric(float64(r.Took.ListMS), "list-ms")
			b.ReportMetric(float64(r.Took.DeleteMS), "delete-ms")
		}
	})
}
