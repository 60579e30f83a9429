package standin

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
)

// TB is the part of testing.TB that [Start] needs.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Server is a running server. Its methods are safe for many goroutines.
type Server struct {
	opts    Options
	http    *http.Server
	address string
	done    chan struct{} // closed by Close, releases hanging requests
	closing sync.Once
	served  sync.WaitGroup

	rows      *rows
	tokens    tokens
	meter     meter
	faults    atomic.Pointer[faulter]
	lifetime  atomic.Int64 // of vended credentials
	requestID atomic.Int64

	// mu guards what is kept in memory: catalogs, principals, policies, views.
	mu         sync.RWMutex
	catalogs   map[string]*catalog
	principals map[string]*principal
	roles      map[string]*principalRole
	sessions   map[string]Session
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
		t.Fatalf("start standin: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// New runs a server until [Server.Close].
func New(opts Options) (*Server, error) {
	opts = opts.WithDefaults()
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	store, err := openRows(opts.Folder)
	if err != nil {
		return nil, err
	}
	s := &Server{
		opts: opts, done: make(chan struct{}), rows: store,
		catalogs: map[string]*catalog{}, principals: map[string]*principal{},
		roles: map[string]*principalRole{}, sessions: map[string]Session{},
	}
	s.lifetime.Store(int64(opts.CredentialLifetime))
	s.meter.reset()
	s.addRoot()
	for _, c := range opts.Catalogs {
		if err := s.CreateCatalog(c); err != nil {
			return nil, errors.Join(err, store.close())
		}
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", opts.Address)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen: %w", err), store.close())
	}
	s.address = listener.Addr().String()
	s.http = &http.Server{
		Handler: s, ReadHeaderTimeout: time.Minute,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	s.served.Go(func() { _ = s.http.Serve(listener) })
	return s, nil
}

// Close breaks all connections and waits for the handlers.
func (s *Server) Close() error {
	var err error
	s.closing.Do(func() {
		close(s.done)
		err = s.http.Close()
		s.served.Wait()
		s.meter.close()
		err = errors.Join(err, s.rows.close())
	})
	return err
}

// URI is the address of the catalog API, http://127.0.0.1:port/api/catalog.
func (s *Server) URI() string { return "http://" + s.address + catalogRoot }

// ManagementURI is the address of the management API,
// http://127.0.0.1:port/api/management.
func (s *Server) ManagementURI() string { return "http://" + s.address + managementRoot }

// SetCredentialLifetime changes how long keys last that are vended from now on.
func (s *Server) SetCredentialLifetime(d time.Duration) { s.lifetime.Store(int64(d)) }

func (s *Server) catalog(name string) *catalog {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.catalogs[name]
}
