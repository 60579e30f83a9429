package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"
)

// ServerConfig says what is served over HTTP.
type ServerConfig struct {
	// Address to listen on, host:port. Required.
	Address string
	// Live is nil while the process works; it must not depend on other systems.
	Live func() error
	// Ready is nil while the process can take work.
	Ready func() error
	// Metrics to serve on /metrics.
	Metrics *Metrics
	// PProf serves /debug/pprof; use it on loopback addresses only.
	PProf bool
	// Logger of the server's own errors. Default slog.Default().
	Logger *slog.Logger
}

// Server serves /livez, /readyz and /metrics.
type Server struct {
	http     *http.Server
	listener net.Listener
	done     chan error
}

// headerTimeout ends connections that send nothing.
const headerTimeout = 10 * time.Second

// Serve listens, and serves until Close. The error says that the address cannot
// be listened on; errors.Is finds syscall.EADDRINUSE in it.
func Serve(cfg ServerConfig) (*Server, error) {
	listener, err := net.Listen("tcp", cfg.Address)
	if err != nil {
		return nil, fmt.Errorf("serve health and metrics: %w", err)
	}
	log := cfg.Logger
	if log == nil {
		log = slog.Default()
	}
	s := &Server{
		http: &http.Server{
			Handler: cfg.mux(), ReadHeaderTimeout: headerTimeout,
			ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		},
		listener: listener, done: make(chan error, 1),
	}
	go func() { s.done <- s.http.Serve(listener) }()
	return s, nil
}

func (c ServerConfig) mux() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", check(c.Live))
	mux.HandleFunc("GET /readyz", check(c.Ready))
	mux.Handle("GET /metrics", c.Metrics.Handler())
	if c.PProf {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	return mux
}

// check answers 200 "ok", or 503 and the reason.
func check(probe func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		text := "ok\n"
		if err := probe(); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			text = err.Error() + "\n"
		}
		_, _ = io.WriteString(w, text) // nobody is left to tell
	}
}

// Address is where the server listens, with the port that was chosen for 0.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Close answers what has been asked until ctx ends, then stops.
func (s *Server) Close(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = s.http.Close()
	}
	if served := <-s.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	if err != nil {
		return fmt.Errorf("close health and metrics: %w", err)
	}
	return nil
}

// closeTimeout is how long requests for health and metrics may take at the end.
const closeTimeout = 2 * time.Second

// CloseSoon is Close for a process that ends.
func (s *Server) CloseSoon() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	return s.Close(ctx)
}
