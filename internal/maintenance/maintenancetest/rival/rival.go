// Package rival is iceberg-go's own maintenance, for benchmarks to compare with: its
// tables over the same S3 server, in a catalog that commits in memory.
package rival

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/apache/iceberg-go"
	_ "github.com/apache/iceberg-go/io/gocloud/s3" // S3
	"github.com/apache/iceberg-go/table"
	"github.com/stretchr/testify/require"

	iceio "github.com/apache/iceberg-go/io"

	"deckhand/internal/s3test"
)

type catalog struct {
	files    table.FSysF
	metadata table.Metadata
	location string
}

var _ table.CatalogIO = (*catalog)(nil)

// LoadTable implements [table.CatalogIO].
func (c *catalog) LoadTable(_ context.Context, name table.Identifier) (*table.Table, error) {
	return table.New(name, c.metadata, c.location, c.files, c), nil
}

// CommitTable implements [table.CatalogIO].
func (c *catalog) CommitTable(_ context.Context, _ table.Identifier, requirements []table.Requirement, updates []table.Update) (table.Metadata, string, error) {
	for _, requirement := range requirements {
		if err := requirement.Validate(c.metadata); err != nil {
			return nil, "", err
		}
	}
	metadata, err := table.UpdateTableMetadata(c.metadata, updates, c.location)
	if err != nil {
		return nil, "", err
	}
	c.metadata = metadata
	return metadata, c.location, nil
}

// Commit does something to the table with a metadata file on the server, and commits
// it.
func Commit(tb testing.TB, server *s3test.Server, location string, work func(ctx context.Context, tx *table.Transaction) error) {
	tb.Helper()
	ctx := context.Background()
	files := iceio.LoadFSFunc(iceberg.Properties{
		iceio.S3EndpointURL: server.Endpoint(), iceio.S3AccessKeyID: s3test.AccessKeyID,
		iceio.S3SecretAccessKey: s3test.SecretAccessKey, iceio.S3Region: "us-east-1",
	}, location)
	name := table.Identifier{"db", "t"}
	loaded, err := table.NewFromLocation(ctx, name, location, files, nil)
	require.NoError(tb, err)
	c := &catalog{files: files, metadata: loaded.Metadata(), location: location}
	t, err := c.LoadTable(ctx, name)
	require.NoError(tb, err)
	tx := t.NewTransaction()
	require.NoError(tb, work(ctx, tx))
	_, err = tx.Commit(ctx)
	require.NoError(tb, err)
}

// Measure times work on a server that is each time as it is now and adds latency to
// each request. check looks at what is left. CPU seconds are those of the process, the
// server's too.
func Measure(b *testing.B, server *s3test.Server, latency time.Duration, work func(), check func()) {
	full := server.Snapshot()
	var cpu time.Duration
	for b.Loop() {
		b.StopTimer()
		server.SetLatency(0)
		server.Restore(full)
		server.SetLatency(latency)
		server.ResetCounts()
		began := cpuTime()
		b.StartTimer()
		work()
		b.StopTimer()
		cpu += cpuTime() - began
		server.SetLatency(0)
		check()
		b.StartTimer()
	}
	b.ReportMetric(float64(server.Total()), "requests")
	b.ReportMetric(cpu.Seconds()/float64(b.N), "cpu-s/op")
}

// cpuTime that the process has taken.
func cpuTime() time.Duration {
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &used) != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
