package purge_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/queue"
	"deckhand/internal/s3test"
	"deckhand/internal/storage"
	"deckhand/internal/tabletest"
	"deckhand/jobs"
	"deckhand/jobs/purge"
)

// BenchmarkPurgeShards purges 480,000 files in 96 shards with 1 to 8 workers, each of
// which may have two requests under way, on a server that needs 400 ms for a
// DeleteObjects: so it is not the processors that limit them. It reports the speed-up
// as a part of what so many workers could bring.
func BenchmarkPurgeShards(b *testing.B) {
	const files, shardFiles = 480_000, 5_000
	server := s3test.Start(b, s3test.Options{Buckets: []string{"warehouse"}, DeleteAlwaysOK: true})
	made, err := tabletest.Synthetic(tabletest.SyntheticOptions{
		Location: "s3://warehouse/db/t", Files: files, Manifests: files / shardFiles, Snapshots: 2,
	}, tabletest.ToBucket(server))
	require.NoError(b, err)
	full := server.Snapshot()
	alone := 0.0
	for _, workers := range []int{1, 2, 4, 8} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			y := newYardOn(b, server, "s3://warehouse/")
			for range b.N {
				b.StopTimer()
				server.Fault(nil)
				server.Restore(full)
				server.Fault(func(_ int64, op string, _ *http.Request) *s3test.Fault {
					if op == "DeleteObjects" {
						<-time.After(400 * time.Millisecond)
					}
					return nil
				})
				l := newLine(y, purge.Policy{}, shardFiles)
				stop := l.start(limitedWorkers(l, workers), 2, func(handler jobs.Handler) jobs.Handler { return handler })
				job := jobFor(made.UUID, made.MetadataLocation)
				b.StartTimer()
				published, err := jobs.Publish(b.Context(), l.js, job, jobs.PublishOptions{})
				require.NoError(b, err)
				result, err := queue.WaitResult(b.Context(), l.js, job, published)
				b.StopTimer()
				require.NoError(b, err)
				receipt := receiptOf(b, result)
				require.EqualValues(b, files, receipt.Deleted[purge.Data].Files)
				require.Equal(b, files/shardFiles, receipt.Shards)
				stop()
				b.StartTimer()
			}
			seconds := b.Elapsed().Seconds() / float64(b.N)
			if workers == 1 {
				alone = seconds
			}
			b.ReportMetric(files/seconds, "files/s")
			if alone > 0 {
				b.ReportMetric(100*alone/seconds/float64(workers), "%-of-linear")
			}
		})
	}
}

// limitedWorkers have stores of their own, with two requests under way.
func limitedWorkers(l *line, workers int) []purge.Config {
	var cfgs []purge.Config
	for i := range workers {
		stores, err := storage.NewStores(storage.Config{
			Name: "lake", Locations: l.locations, S3: l.server.StorageConfig(), MaxInFlight: 2,
		}, storage.NewLimiters())
		require.NoError(l.t, err)
		l.t.Cleanup(func() { _ = stores.Close() })
		cfg := l.config(purge.Policy{})
		cfg.Worker, cfg.ShardAbove, cfg.ShardFiles = fmt.Sprintf("w%d", i), 1, l.cfg.ShardFiles
		cfg.Catalogs[0].Stores = stores
		cfgs = append(cfgs, cfg)
	}
	return cfgs
}
