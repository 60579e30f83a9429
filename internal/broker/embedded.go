package broker

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// embeddedStart is how long the server may take to read its store and listen.
const embeddedStart = 30 * time.Second

// EmbeddedConfig describes a NATS server in this process.
type EmbeddedConfig struct {
	// Host to listen on. Default 127.0.0.1. The server asks nobody to log in, and
	// whoever reaches it can have files deleted.
	Host string
	// Port to listen on. Default 4222; -1 is any free one.
	Port int
	// StoreDir keeps the streams; it is made when it does not exist. Required.
	StoreDir string
	// SyncAlways writes to the disk before each acknowledgement, so that a power
	// failure loses nothing; it makes a queue on a slow disk slow.
	SyncAlways bool
	// Logger of the server's warnings and errors. Default slog.Default().
	Logger *slog.Logger
}

// WithDefaults fills in the documented defaults.
func (c EmbeddedConfig) WithDefaults() EmbeddedConfig {
	c.Host = cmp.Or(c.Host, "127.0.0.1")
	c.Port = cmp.Or(c.Port, 4222)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

// Validate names the field that is wrong.
func (c EmbeddedConfig) Validate() error {
	if c.StoreDir == "" {
		return errors.New("store folder: name one, the queue is kept there")
	}
	if c.Port < -1 || c.Port > 65535 {
		return fmt.Errorf("port: %d is not a port", c.Port)
	}
	return nil
}

// Embedded is a NATS server with JetStream in this process. It takes no signals;
// its owner closes it.
type Embedded struct {
	server *server.Server
	lock   *folderLock
	close  sync.Once
}

// StartEmbedded starts a server and waits until it takes connections. A port or
// a folder that another process uses is an error that says so.
func StartEmbedded(cfg EmbeddedConfig) (*Embedded, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("embedded NATS: %w", err)
	}
	folder, err := filepath.Abs(cfg.StoreDir)
	if err != nil {
		return nil, fmt.Errorf("embedded NATS: find store folder: %w", err)
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("embedded NATS: make store folder: %w", err)
	}
	lock, err := lockFolder(folder)
	if err != nil {
		return nil, fmt.Errorf("embedded NATS: %w", err)
	}
	running, err := startServer(cfg, folder)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("embedded NATS: %w", err), lock.release())
	}
	return &Embedded{server: running, lock: lock}, nil
}

func startServer(cfg EmbeddedConfig, folder string) (*server.Server, error) {
	if err := checkPort(cfg.Host, cfg.Port); err != nil {
		return nil, err
	}
	srv, err := server.NewServer(&server.Options{
		ServerName: "deckhand-embedded",
		Host:       cfg.Host, Port: cfg.Port,
		JetStream: true, StoreDir: folder, SyncAlways: cfg.SyncAlways,
		NoSigs: true, DisableJetStreamBanner: true,
	})
	if err != nil {
		return nil, fmt.Errorf("configure server: %w", err)
	}
	fatal := make(chan error, 1)
	srv.SetLoggerV2(&serverLog{log: cfg.Logger, fatal: fatal}, false, false, false)
	srv.Start() // reads the store, then listens in goroutines of its own
	if err := awaitReady(srv, fatal, folder); err != nil {
		srv.Shutdown()
		srv.WaitForShutdown()
		return nil, fmt.Errorf("start server: %w", err)
	}
	return srv, nil
}

func awaitReady(srv *server.Server, fatal <-chan error, folder string) error {
	for deadline := time.Now().Add(embeddedStart); time.Now().Before(deadline); {
		select {
		case err := <-fatal:
			return err
		default:
		}
		if srv.ReadyForConnections(100 * time.Millisecond) {
			return nil
		}
	}
	return fmt.Errorf("not ready after %s; a large store takes long to read, look at %s", embeddedStart, folder)
}

// checkPort finds a taken port before the server does, whose own way is to log
// and to go on without listening.
func checkPort(host string, port int) error {
	if port == -1 {
		return nil
	}
	address := net.JoinHostPort(host, strconv.Itoa(port))
	listener, err := net.Listen("tcp", address)
	if err == nil {
		return listener.Close()
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("port %d on %s is in use, perhaps by another NATS server; stop that, or choose another port with --nats-url nats://%s", port, host, net.JoinHostPort(host, strconv.Itoa(port+1)))
	}
	return fmt.Errorf("listen on %s: %w", address, err)
}

// URL is where the server listens.
func (e *Embedded) URL() string { return e.server.ClientURL() }

// Close stops the server, waits until its store is written, and gives the folder
// free. Closing twice is harmless.
func (e *Embedded) Close() error {
	var err error
	e.close.Do(func() {
		e.server.Shutdown()
		e.server.WaitForShutdown()
		err = e.lock.release()
	})
	return err
}

// serverLog passes what the server says on to slog. Its notices are for people
// who run a server, which is not what this one's owner is doing.
type serverLog struct {
	log   *slog.Logger
	fatal chan<- error
}

var _ server.Logger = (*serverLog)(nil)

func (l *serverLog) say(level func(string, ...any), format string, v []any) {
	level("embedded NATS server", slog.String("message", fmt.Sprintf(format, v...)))
}

func (l *serverLog) Noticef(format string, v ...any) { l.say(l.log.Debug, format, v) }
func (l *serverLog) Warnf(format string, v ...any)   { l.say(l.log.Warn, format, v) }
func (l *serverLog) Errorf(format string, v ...any)  { l.say(l.log.Error, format, v) }
func (l *serverLog) Debugf(format string, v ...any)  { l.say(l.log.Debug, format, v) }
func (l *serverLog) Tracef(string, ...any)           {}

// Fatalf does not end the process: StartEmbedded returns the error.
func (l *serverLog) Fatalf(format string, v ...any) {
	select {
	case l.fatal <- fmt.Errorf(format, v...):
	default:
	}
}
