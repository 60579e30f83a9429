package purge_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	"deckhand/internal/s3test"
	"deckhand/internal/storage"
	"deckhand/internal/tabletest"
	"deckhand/jobs"
	"deckhand/jobs/purge"
)

// million is a table of a million files in 200 manifests on a server that says of
// each file that it is deleted.
func million(b *testing.B, latency time.Duration) (*yard, *tabletest.SyntheticTable) {
	server := s3test.Start(b, s3test.Options{Buckets: []string{"warehouse"}, DeleteAlwaysOK: true})
	made, err := tabletest.Synthetic(tabletest.SyntheticOptions{
		Location: "s3://warehouse/db/t", Files: 1_000_000, Manifests: 200, Snapshots: 10,
	}, tabletest.ToBucket(server))
	require.NoError(b, err)
	server.SetLatency(latency)
	return newYardOn(b, server, "s3://warehouse/"), made
}

// BenchmarkPurgeMillion purges it, and sets the time beside that of its DeleteObjects
// requests alone, as many at once.
func BenchmarkPurgeMillion(b *testing.B) {
	y, made := million(b, 20*time.Millisecond)
	b.Run("20ms", func(b *testing.B) {
		var requests, alone float64
		for range b.N {
			b.StopTimer()
			alone += deletesAlone(b, y, made).Seconds()
			y.server.ResetCounts()
			b.StartTimer()
			receipt, err := run(b, y.tables(purge.Policy{}), jobFor(made.UUID, made.MetadataLocation), &jobtest.Progress{})
			b.StopTimer()
			require.NoError(b, err)
			require.EqualValues(b, made.Files, receipt.Deleted[purge.Data].Files)
			requests = max(requests, float64(y.server.Total()-metadataRequests(made))/float64(made.Files/1000))
			b.StartTimer()
		}
		b.ReportMetric(requests, "requests/1000-files")
		b.ReportMetric(alone*1e9/float64(b.N), "deletes-alone-ns")
		b.ReportMetric(b.Elapsed().Seconds()/alone, "x-deletes-alone")
		b.ReportMetric(float64(made.Files*b.N)/b.Elapsed().Seconds(), "files/s")
	})
}

func deletesAlone(b *testing.B, y *yard, made *tabletest.SyntheticTable) time.Duration {
	guard, err := storage.NewGuard(made.Location)
	require.NoError(b, err)
	locations := make([]storage.Location, 0, made.Files)
	for path := range made.Paths() {
		l, err := storage.Parse(path)
		require.NoError(b, err)
		locations = append(locations, l)
	}
	start := time.Now()
	var failed error
	deleter := y.stores.Session(storage.SessionConfig{Guard: guard}).NewDeleter(b.Context(), storage.DeleterConfig{
		OnResult: func(d storage.Deletion) { failed = errors.Join(failed, d.Err) },
	})
	for _, l := range locations {
		require.NoError(b, deleter.Add(l, 0))
	}
	require.NoError(b, deleter.Close())
	require.NoError(b, failed)
	return time.Since(start)
}

// BenchmarkPurgeResume kills a purge of a million files when nine tenths of them are
// deleted: nothing is stored from then on, and what was sent is carried out. It
// reports which part of all deletes the resumed run repeats.
func BenchmarkPurgeResume(b *testing.B) {
	y, made := million(b, 20*time.Millisecond)
	for range b.N {
		var repeated int64
		var mu sync.Mutex
		deleted := make(map[string]struct{}, made.Files)
		killed := &mortal{}
		ctx, kill := context.WithCancelCause(b.Context())
		defer kill(nil)
		y.server.Fault(func(int64, string, *http.Request) *s3test.Fault {
			return &s3test.Fault{Key: func(key string) string {
				mu.Lock()
				defer mu.Unlock()
				if _, again := deleted[key]; again {
					repeated++
				}
				deleted[key] = struct{}{}
				if len(deleted) == made.Files*9/10 {
					killed.dead.Store(true)
					kill(errKilled)
				}
				return ""
			}}
		})
		_, err := y.tables(purge.Policy{}).Run(ctx, jobFor(made.UUID, made.MetadataLocation), killed)
		require.ErrorIs(b, err, errKilled)
		y.server.Settle()
		require.Zero(b, repeated)
		receipt, err := run(b, y.tables(purge.Policy{}), jobFor(made.UUID, made.MetadataLocation), jobtest.After(slices.Clone(killed.Checkpoint())))
		require.NoError(b, err)
		require.EqualValues(b, made.Files, receipt.Deleted[purge.Data].Files)
		y.server.Fault(nil)
		for path := range made.Paths() {
			if _, found := deleted[strings.TrimPrefix(path, "s3://warehouse/")]; !found {
				b.Fatal("never deleted: " + path)
			}
		}
		b.ReportMetric(100*float64(repeated)/float64(made.Files), "%-repeated")
	}
}

// mortal is the progress of a run that dies: nothing is stored any more.
type mortal struct {
	jobtest.Progress
	dead atomic.Bool
}

func (m *mortal) Save(ctx context.Context, checkpoint any, counters jobs.Counters) error {
	if m.dead.Load() {
		return errKilled
	}
	return m.Progress.Save(ctx, checkpoint, counters)
}

// BenchmarkPurgeMemory reports the peak heap of purging a million entries.
func BenchmarkPurgeMemory(b *testing.B) {
	for name, o := range map[string]tabletest.SyntheticOptions{
		"many-manifests": {Files: 1_000_000, Manifests: 200, Snapshots: 10, Columns: 20},
		"one-manifest":   {Files: 1_000_000, Manifests: 1, Columns: 20},
	} {
		b.Run(name, func(b *testing.B) {
			var peaks []float64
			for range b.N {
				peaks = append(peaks, purgeOnDisk(b, o))
			}
			b.ReportMetric(slices.Max(peaks), "peak-MiB")
		})
	}
}
