package purge_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/rivaltest"
	"deckhand/internal/s3test"
	"deckhand/internal/tabletest"
)

// javaPurges are counted after one that warms it up, and their median is reported.
const javaPurges = 5

// benchJava purges the table with Iceberg's CatalogUtil.dropTableData, which leaves
// nothing.
func benchJava(b *testing.B, server *s3test.Server, metadataLocation string, files int, reset func()) {
	b.Helper()
	java := rivaltest.Java(b, server)
	var took []time.Duration
	for range javaPurges + 1 {
		reset()
		took = append(took, java.Purge(metadataLocation))
		require.Empty(b, server.Keys("warehouse"))
	}
	reportRival(b, took[1:], files)
}

// benchPyIceberg purges a table of its own with PyIceberg, once: it deletes one file
// after the other, and 20,000 would take it 25 minutes.
func benchPyIceberg(b *testing.B, latency time.Duration) {
	b.Helper()
	const files = 1000
	server, made := newPurgeable(b, tabletest.SyntheticOptions{Files: files, Manifests: 10, Snapshots: 10})
	python := rivaltest.PyIceberg(b, server)
	server.SetLatency(latency)
	took := python.Purge(made.MetadataLocation)
	for _, key := range server.Keys("warehouse") {
		require.True(b, strings.HasSuffix(key, "/"), "%s is left", key) // pyarrow leaves markers of folders
	}
	reportRival(b, []time.Duration{took}, files)
}

func reportRival(b *testing.B, took []time.Duration, files int) {
	b.Helper()
	slices.Sort(took)
	median := took[len(took)/2]
	b.ReportMetric(float64(median.Nanoseconds()), "ns/op")
	b.ReportMetric(float64(files)/median.Seconds(), "files/s")
}

// newPurgeable makes a server with a table whose files all exist.
func newPurgeable(b *testing.B, o tabletest.SyntheticOptions) (*s3test.Server, *tabletest.SyntheticTable) {
	b.Helper()
	server := s3test.Start(b, s3test.Options{Buckets: []string{"warehouse"}})
	o.Location, o.Columns = "s3://warehouse/db/t", 20
	made, err := tabletest.Synthetic(o, tabletest.ToBucket(server))
	require.NoError(b, err)
	for path := range made.Paths() {
		server.Put("warehouse", strings.TrimPrefix(path, "s3://warehouse/"), []byte("x"))
	}
	return server, made
}
