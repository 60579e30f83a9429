package storage_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"deckhand/internal/s3test"
	"deckhand/internal/storage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const bucket = s3test.DefaultBucket

// lab is a server with a session on it.
type lab struct {
	*storage.Session
	srv      *s3test.Server
	stores   *storage.Stores
	limiters *storage.Limiters
}

// open makes a session whose guard is s3://warehouse/t; change may alter the
// configuration before.
func open(t testing.TB, opts s3test.Options, change func(*storage.Config, *storage.SessionConfig)) lab {
	t.Helper()
	srv := s3test.Start(t, opts)
	guard, err := storage.NewGuard("s3://warehouse/t")
	require.NoError(t, err)
	cfg := storage.Config{Name: "lake", Locations: []string{"s3://warehouse/"}, S3: srv.StorageConfig()}
	session := storage.SessionConfig{Guard: guard, Logger: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&cfg, &session)
	}
	limiters := storage.NewLimiters()
	stores, err := storage.NewStores(cfg, limiters)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stores.Close()) })
	return lab{Session: stores.Session(session), srv: srv, stores: stores, limiters: limiters}
}

func key(k string) storage.Location {
	return storage.Location{Scheme: "s3", Bucket: bucket, Key: k}
}

func keys(ks ...string) []storage.Location {
	list := make([]storage.Location, len(ks))
	for i, k := range ks {
		list[i] = key(k)
	}
	return list
}

// fill puts n small objects below t/data and gives their locations.
func (l lab) fill(n int) []storage.Location {
	list := make([]storage.Location, n)
	for i := range list {
		list[i] = key(fmt.Sprintf("t/data/p=%d/%05d.parquet", i%7, i))
		l.srv.Put(bucket, list[i].Key, []byte("x"))
	}
	return list
}

func requireDeleted(t testing.TB, results []storage.Deletion, asked []storage.Location) {
	t.Helper()
	require.Len(t, results, len(asked))
	for i, r := range results {
		require.NoError(t, r.Err)
		require.Equal(t, asked[i], r.Location)
		require.EqualValues(t, i, r.Tag)
	}
}

func listed(t testing.TB, s *storage.Session, prefix storage.Location) []string {
	t.Helper()
	var found []string
	for o, err := range s.List(t.Context(), prefix) {
		require.NoError(t, err)
		found = append(found, o.Location.Key)
	}
	return found
}

func readAll(t testing.TB, s *storage.Session, l storage.Location) string {
	t.Helper()
	body, _, err := s.Open(t.Context(), l)
	require.NoError(t, err)
	defer body.Close()
	data, err := io.ReadAll(body)
	require.NoError(t, err)
	return string(data)
}

// always answers every request of one operation with a fault.
func always(op string, f s3test.Fault) s3test.FaultFunc {
	return func(_ int64, got string, _ *http.Request) *s3test.Fault {
		if got != op {
			return nil
		}
		return &f
	}
}

// quick makes retries end soon.
func quick(c *storage.Config, _ *storage.SessionConfig) { c.Retries, c.RetryFor = 2, 5*time.Second }

// counter counts calls by name.
type counter struct {
	mu sync.Mutex
	m  map[string]int
}

func (c *counter) add(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil {
		c.m = map[string]int{}
	}
	c.m[name]++
}

func (c *counter) get(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.m[name]
}
