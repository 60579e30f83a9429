package storage_test

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/s3test"
	"deckhand/internal/storage"
)

func TestAThrottleStormSlowsTheLimiterAndDeletesEverything(t *testing.T) {
	t.Parallel()
	var throttles counter
	l := open(t, s3test.Options{}, func(c *storage.Config, _ *storage.SessionConfig) {
		c.OnThrottle = throttles.add
		c.Retries = -1 // "slow down" must not need them
	})
	files := l.fill(4000)
	codes := []s3test.Fault{
		{Status: 503, Code: "SlowDown"}, {Status: 503, Body: []byte("<html>busy")},
		{Status: 429, Code: "Odd"}, {Status: 503, Code: "ServiceUnavailable"},
	}
	l.srv.Fault(func(n int64, _ string, _ *http.Request) *s3test.Fault {
		if n%5 < 2 {
			f := codes[n%4]
			return &f
		}
		return nil
	})
	results := make([]storage.Deletion, len(files))
	d := l.NewDeleter(t.Context(), storage.DeleterConfig{BatchSize: 100, OnResult: func(r storage.Deletion) { results[r.Tag] = r }})
	for i, f := range files {
		require.NoError(t, d.Add(f, int64(i)))
	}
	require.NoError(t, d.Close())
	requireDeleted(t, results, files)
	require.Empty(t, l.srv.Keys(bucket))
	require.Positive(t, l.Usage().Throttled)
	require.EqualValues(t, l.Usage().Throttled, throttles.get(bucket))
	limit := l.limiters.Limits()[0]
	require.Zero(t, limit.InFlight)
	require.Positive(t, limit.Batches.Rate)
	require.Zero(t, limit.Reads.Rate)
	require.EqualValues(t, l.srv.Counts()["DeleteObjects"], limit.Batches.Sent)
	require.EqualValues(t, l.Usage().Throttled, limit.Batches.Refused)
}

func TestOneRefusedKeyInEachBatchIsNoStorm(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, nil)
	files := l.fill(100)
	var asked atomic.Int64
	l.srv.Fault(always("DeleteObjects", s3test.Fault{Key: func(k string) string {
		if k == files[50].Key && asked.Add(1)%2 == 1 {
			return "SlowDown"
		}
		return ""
	}}))
	for range 12 {
		requireDeleted(t, l.Delete(t.Context(), files), files)
	}
	require.EqualValues(t, 12, l.Usage().Throttled)
	require.EqualValues(t, storage.DefaultMaxInFlight, l.limiters.Limits()[0].Window)
}

func TestAStoreThatNeverStopsThrottlingIsUnavailableInTheEnd(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, func(c *storage.Config, _ *storage.SessionConfig) { c.ThrottleFor = 200 * time.Millisecond })
	l.srv.Fault(func(int64, string, *http.Request) *s3test.Fault { return &s3test.Fault{Status: 503, Code: "SlowDown"} })
	_, _, err := l.Open(t.Context(), key("t/x"))
	require.ErrorIs(t, err, storage.ErrUnavailable)
	require.ErrorContains(t, err, "kept asking to slow down")
	r := l.Delete(t.Context(), keys("t/x"))[0]
	require.ErrorIs(t, r.Err, storage.ErrUnavailable)
	require.Greater(t, l.srv.Total(), int64(2))
}

func TestRetryAfterIsHonoured(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, func(c *storage.Config, _ *storage.SessionConfig) { c.ThrottleFor = 30 * time.Second })
	l.srv.Fault(func(int64, string, *http.Request) *s3test.Fault {
		return &s3test.Fault{Status: 503, Code: "SlowDown", Header: http.Header{"Retry-After": {"60"}}}
	})
	// A minute is more than the bound: it is given up at once.
	_, _, err := l.Open(t.Context(), key("t/x"))
	require.ErrorIs(t, err, storage.ErrUnavailable)
	require.EqualValues(t, 1, l.srv.Total())
}

func TestSessionsShareTheBucketsLimiter(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{Latency: 5 * time.Millisecond}, func(c *storage.Config, _ *storage.SessionConfig) { c.MaxInFlight = 3 })
	l.fill(1)
	other, err := storage.NewStores(storage.Config{Locations: []string{"s3://warehouse"}, MaxInFlight: 3, S3: l.srv.StorageConfig()}, l.limiters)
	require.NoError(t, err)
	defer other.Close()
	var wg sync.WaitGroup
	for i := range 20 {
		session := l.Session
		if i%2 == 0 {
			session = other.Session(storage.SessionConfig{})
		}
		wg.Go(func() {
			for _, err := range session.List(t.Context(), key("t")) {
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	require.LessOrEqual(t, l.srv.MostInFlight(), 3)
	require.Greater(t, l.srv.MostInFlight(), 1)
}

func TestAnOpenReaderDoesNotKeepDeletesWaiting(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, func(c *storage.Config, _ *storage.SessionConfig) { c.MaxInFlight = 1 })
	l.srv.Put(bucket, "t/manifest", make([]byte, 10_000_000))
	body, _, err := l.Open(t.Context(), key("t/manifest"))
	require.NoError(t, err)
	defer body.Close()
	require.NoError(t, l.Delete(t.Context(), keys("t/x"))[0].Err)
}

func TestTheCeilingsOfTheConfigurationHoldOnTheWire(t *testing.T) {
	t.Parallel()
	for _, narrow := range []func(*storage.Config, *storage.SessionConfig){
		func(c *storage.Config, _ *storage.SessionConfig) { c.MaxRequestsPerSecond = 40 },
		func(c *storage.Config, _ *storage.SessionConfig) { c.MaxDeletesPerSecond = 4000 },
	} {
		l := open(t, s3test.Options{DeleteAlwaysOK: true}, narrow)
		d := l.NewDeleter(t.Context(), storage.DeleterConfig{BatchSize: 100, OnResult: func(r storage.Deletion) {
			if r.Err != nil {
				t.Error(r.Err)
			}
		}})
		began := time.Now()
		for n := range int64(3000) {
			require.NoError(t, d.Add(key(fmt.Sprintf("t/%d", n)), n))
		}
		require.NoError(t, d.Close())
		require.EqualValues(t, 30, l.srv.Total())
		// A thousand keys, or two requests, may go at once.
		require.Greater(t, time.Since(began), 490*time.Millisecond)
	}
}
