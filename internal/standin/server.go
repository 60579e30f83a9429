package standin

import (
	"errors"
	"time"
)

// TB is the part of testing.TB that [Start] needs.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Server is a running server. Its methods are safe for many goroutines.
type Server struct{}

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
func New(Options) (*Server, error) { return nil, errors.ErrUnsupported }

// Close breaks all connections and waits for the handlers.
func (s *Server) Close() error { return nil }

// URI is the address of the catalog API, http://127.0.0.1:port/api/catalog.
func (s *Server) URI() string { return "" }

// ManagementURI is the address of the management API,
// http://127.0.0.1:port/api/management.
func (s *Server) ManagementURI() string { return "" }

// ExpireTokens makes every token that was handed out so far invalid.
func (s *Server) ExpireTokens() {}

// SetCredentialLifetime changes how long keys last that are vended from now on.
func (s *Server) SetCredentialLifetime(time.Duration) {}
