package storage_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/s3test"
	"deckhand/internal/storage"
)

// BenchmarkThrottled deletes from a store that takes 200 requests a second and asks
// to slow down beyond that. Workers share nothing but the store; that they share it
// well is told by how often each is refused, which takes minutes to tell.
func BenchmarkThrottled(b *testing.B) {
	const perSecond = 200
	for _, c := range []struct {
		workers            int
		settling, measured time.Duration
	}{{1, 20 * time.Second, 40 * time.Second}, {8, time.Minute, 4 * time.Minute}} {
		workers, settling, measured := c.workers, c.settling, c.measured
		b.Run(fmt.Sprintf("workers=%d/deckhand", workers), func(b *testing.B) {
			for b.Loop() {
				srv := s3test.Start(b, s3test.Options{Latency: 10 * time.Millisecond, DeleteAlwaysOK: true, RequestsPerSecond: perSecond})
				var stop atomic.Bool
				var running sync.WaitGroup
				limiters := make([]*storage.Limiters, workers)
				for n := range limiters {
					limiters[n] = storage.NewLimiters()
					session := openOn(b, srv, limiters[n])
					running.Go(func() { deleteUntil(b, session, &stop) })
				}
				time.Sleep(settling)
				before := batchesOf(limiters)
				time.Sleep(measured)
				after := batchesOf(limiters)
				stop.Store(true)
				srv.Throttle(0, 0)
				running.Wait()
				report(b, before, after, perSecond*measured.Seconds())
			}
		})
	}
}

func openOn(b *testing.B, srv *s3test.Server, limiters *storage.Limiters) *storage.Session {
	stores, err := storage.NewStores(storage.Config{Name: "lake", Locations: []string{"s3://warehouse"}, S3: srv.StorageConfig()}, limiters)
	require.NoError(b, err)
	b.Cleanup(func() { _ = stores.Close() })
	guard, err := storage.NewGuard("s3://warehouse/t")
	require.NoError(b, err)
	return stores.Session(storage.SessionConfig{Guard: guard})
}

// deleteUntil sends batches of one key, as quickly as it may.
func deleteUntil(b *testing.B, session *storage.Session, stop *atomic.Bool) {
	d := session.NewDeleter(b.Context(), storage.DeleterConfig{BatchSize: 1, InFlight: 32, OnResult: func(r storage.Deletion) {
		if r.Err != nil {
			b.Error(r.Err)
		}
	}})
	for n := int64(0); !stop.Load(); n++ {
		if err := d.Add(key("t/a"), n); err != nil {
			b.Error(err)
			break
		}
	}
	if err := d.Close(); err != nil {
		b.Error(err)
	}
}

func batchesOf(limiters []*storage.Limiters) []storage.Pace {
	paces := make([]storage.Pace, len(limiters))
	for n, l := range limiters {
		if limits := l.Limits(); len(limits) > 0 {
			paces[n] = limits[0].Batches
		}
	}
	return paces
}

func report(b *testing.B, before, after []storage.Pace, possible float64) {
	var accepted, refused, most int64
	least := int64(1) << 62
	for n := range after {
		no := after[n].Refused - before[n].Refused
		yes := after[n].Sent - before[n].Sent - no
		accepted += yes
		refused += no
		least, most = min(least, yes), max(most, yes)
	}
	b.ReportMetric(100*float64(accepted)/possible, "%-of-limit")
	b.ReportMetric(float64(most)/float64(max(1, least)), "most/least")
	b.ReportMetric(100*float64(refused)/float64(accepted+refused), "%-refused")
}
