package s3test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"golang.org/x/time/rate"

	"deckhand/internal/storage"
)

// The credentials that [Server.StorageConfig] carries and that
// [Options.CheckAuth] asks for.
const (
	AccessKeyID     = "s3test"
	SecretAccessKey = "s3test-secret"
)

// DefaultBucket is made when [Options.Buckets] names none.
const DefaultBucket = "warehouse"

// Options of a server; the zero value is a quick server with one bucket.
type Options struct {
	// Latency is added to each request before it is looked at.
	Latency time.Duration
	// Buckets to make at the start. Default: DefaultBucket.
	Buckets []string
	// CheckAuth answers 403 to requests without or with another access key.
	CheckAuth bool
	// IgnoreQuiet answers DeleteObjects with every key, as versitygw does.
	IgnoreQuiet bool
	// DeleteAlwaysOK answers every DeleteObjects with success without looking,
	// for benchmarks with keys that were never put.
	DeleteAlwaysOK bool
	// IgnoreConditions is a store that does not look at If-Match and If-None-Match
	// of copies and deletes; those on a copy's source it knows.
	IgnoreConditions bool
	// RequestsPerSecond is how many requests are served, those of all clients
	// together; others are asked to slow down (503 SlowDown). 0: all.
	RequestsPerSecond float64
	// Burst is how many requests that were not made may be made up for. Default: a
	// second's.
	Burst int
	// PageKeys is how many keys one answer to a listing has at most. Default 1,000, as S3.
	PageKeys int
	// Address to listen on. Default 127.0.0.1:0, a free port.
	Address string
}

// TB is the part of testing.TB that [Start] needs.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Server is a running S3 server. Its methods are safe for many goroutines.
type Server struct {
	opts    Options
	http    *http.Server
	address string
	done    chan struct{} // closed by Close, releases hanging requests
	closing sync.Once
	served  sync.WaitGroup

	latency   atomic.Int64
	throttle  atomic.Pointer[rate.Limiter] // nil: none
	slowed    atomic.Int64
	store     atomic.Pointer[store]
	faults    atomic.Pointer[faulter]
	times     atomic.Pointer[TimesFunc]
	etags     atomic.Pointer[ETagsFunc]
	meter     meter
	requestID atomic.Int64
}

// store is the content; Restore replaces it as a whole.
type store struct {
	backend *s3mem.Backend
	handler http.Handler
}

func newStore() *store { return storeOf(s3mem.New()) }

// storeOf has no open uploads.
func storeOf(backend *s3mem.Backend) *store {
	return &store{backend: backend, handler: gofakes3.New(backend, gofakes3.WithTimeSkewLimit(0)).Server()}
}

// Start runs a server until the test ends.
func Start(t TB, opts ...Options) *Server {
	t.Helper()
	var o Options
	if len(opts) > 0 {
		o = opts[0]
	}
	s, err := New(o)
	if err != nil {
		t.Fatalf("start s3test: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// New runs a server until [Server.Close].
func New(opts Options) (*Server, error) {
	if len(opts.Buckets) == 0 {
		opts.Buckets = []string{DefaultBucket}
	}
	if opts.Address == "" {
		opts.Address = "127.0.0.1:0"
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", opts.Address)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	s := &Server{opts: opts, address: listener.Addr().String(), done: make(chan struct{})}
	s.latency.Store(int64(opts.Latency))
	s.Throttle(opts.RequestsPerSecond, opts.Burst)
	s.store.Store(newStore())
	for _, b := range opts.Buckets {
		if err := s.CreateBucket(b); err != nil {
			_ = listener.Close()
			return nil, err
		}
	}
	s.http = &http.Server{Handler: s, ReadHeaderTimeout: time.Minute, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	s.served.Add(1)
	go func() {
		defer s.served.Done()
		_ = s.http.Serve(listener)
	}()
	return s, nil
}

// Close breaks all connections and waits for the handlers.
func (s *Server) Close() error {
	s.closing.Do(func() { close(s.done) })
	err := s.http.Close()
	s.served.Wait()
	s.meter.close()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Endpoint is the server's address, http://127.0.0.1:port.
func (s *Server) Endpoint() string { return "http://" + s.address }

// StorageConfig is ready for [storage.Config].
func (s *Server) StorageConfig() storage.S3Config {
	return storage.S3Config{
		Endpoint: s.Endpoint(), Region: "us-east-1", PathStyle: true,
		AccessKeyID: AccessKeyID, SecretAccessKey: SecretAccessKey,
	}
}

// SetLatency changes the time added to each request from now on.
func (s *Server) SetLatency(d time.Duration) { s.latency.Store(int64(d)) }

// wait sleeps the latency; it is false when the request or the server ended.
func (s *Server) wait(ctx context.Context) bool {
	d := time.Duration(s.latency.Load())
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-s.done:
	}
	return false
}
