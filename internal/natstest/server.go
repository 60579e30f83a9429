package natstest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// readyTimeout is how long a server may take to accept connections. It usually
// takes 30 ms; a busy machine with the race detector takes far longer.
const readyTimeout = 30 * time.Second

// Config of a server. The zero value is a server with JetStream that anyone may
// use.
type Config struct {
	// NoJetStream leaves JetStream off.
	NoJetStream bool
	// Conf is text in the server's own configuration language that is added to
	// the generated file: accounts with limits, users with permissions.
	Conf string
	// Folder keeps the server's files, its store in store/jetstream. Default: one of
	// the test's own.
	Folder string
}

func (c Config) folder(t testing.TB) string {
	t.Helper()
	if c.Folder != "" {
		return c.Folder
	}
	return t.TempDir()
}

// Server is a NATS server inside the test process.
type Server struct {
	config Config
	dir    string
	port   int
	mu     sync.Mutex
	server *server.Server
}

// Start runs a server until the test ends.
func Start(t testing.TB, config Config) *Server {
	t.Helper()
	s := &Server{config: config, dir: config.folder(t), port: server.RANDOM_PORT}
	s.Restart(t)
	t.Cleanup(s.Stop)
	return s
}

// Restart starts the server on its old port and store, after stopping it in good
// order if it runs.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Stop()
	running, err := run(s.config, s.dir, s.port)
	require.NoError(t, err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.server, s.port = running, running.Addr().(*net.TCPAddr).Port
}

// RestartEmpty starts the server on its old port with nothing in its store, as
// one that lost its disk.
func (s *Server) RestartEmpty(t testing.TB) {
	t.Helper()
	s.Stop()
	require.NoError(t, os.RemoveAll(filepath.Join(s.dir, "store")))
	s.Restart(t)
}

// Stop ends the server in good order and waits for it. Stopping twice is fine.
func (s *Server) Stop() {
	s.mu.Lock()
	running := s.server
	s.server = nil
	s.mu.Unlock()
	if running != nil {
		running.Shutdown()
		running.WaitForShutdown()
	}
}

// URL to connect to.
func (s *Server) URL() string { return fmt.Sprintf("nats://%s", s.Addr()) }

// Addr is the host and port.
func (s *Server) Addr() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// Connect opens a connection that ends with the test.
func (s *Server) Connect(t testing.TB, options ...nats.Option) *nats.Conn {
	t.Helper()
	return Connect(t, s.URL(), options...)
}

// JetStream opens a connection of its own for a JetStream context.
func (s *Server) JetStream(t testing.TB, options ...nats.Option) jetstream.JetStream {
	t.Helper()
	return JetStream(t, s.Connect(t, options...))
}

// Connect opens a connection that reconnects for ever, quickly, and ends with
// the test.
func Connect(t testing.TB, url string, options ...nats.Option) *nats.Conn {
	t.Helper()
	options = append([]nats.Option{
		nats.MaxReconnects(-1),
		nats.ReconnectWait(20 * time.Millisecond),
		nats.ReconnectJitter(10*time.Millisecond, 10*time.Millisecond),
		nats.Timeout(10 * time.Second),
		nats.PermissionErrOnSubscribe(true),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}),
	}, options...)
	nc, err := nats.Connect(url, options...)
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	return nc
}

// JetStream is a JetStream context on a connection.
func JetStream(t testing.TB, nc *nats.Conn) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	return js
}

// run starts a server and waits until it takes connections.
func run(config Config, dir string, port int) (*server.Server, error) {
	path := filepath.Join(dir, "server.conf")
	if err := os.WriteFile(path, []byte(config.Conf), 0o600); err != nil {
		return nil, fmt.Errorf("write configuration: %w", err)
	}
	options, err := server.ProcessConfigFile(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	options.Host, options.Port = "127.0.0.1", port
	options.NoLog, options.NoSigs = true, true
	options.JetStream = !config.NoJetStream
	options.StoreDir = filepath.Join(dir, "store")
	s, err := server.NewServer(options)
	if err != nil {
		return nil, fmt.Errorf("make server: %w", err)
	}
	s.Start()
	if !s.ReadyForConnections(readyTimeout) {
		s.Shutdown()
		return nil, fmt.Errorf("server took no connection for %s", readyTimeout)
	}
	return s, nil
}
