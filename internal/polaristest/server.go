package polaristest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"deckhand/internal/natstest"
)

// The root principal that every started server has, and its realm.
const (
	Credential = "root:s3cr3t"
	Realm      = "POLARIS"
)

// readyTimeout is how long a server may take to start: 4 to 25 s were seen.
const readyTimeout = 3 * time.Minute

// Options of a server.
type Options struct {
	// Home is the folder with quarkus-run.jar.
	Home string
	// NATS is the URL to publish to; it need not be reachable.
	NATS string
	// Database is a PostgreSQL, host:port/name; "" keeps everything in memory.
	Database string
	// Stock switches the extension off.
	Stock bool
	// PurgeRefused leaves DROP_WITH_PURGE_ENABLED as it is by default, off.
	PurgeRefused bool
	// Properties are further settings of the server.
	Properties map[string]string
	// Log is the file that the server's output is added to.
	Log string
}

// Server is a running Polaris.
type Server struct {
	// URL of the API, without a path.
	URL string
	// Management is the URL of health and metrics.
	Management string
	cmd        *exec.Cmd
	exited     chan struct{}
}

// Start runs a server and waits until it is ready.
func Start(ctx context.Context, o Options) (*Server, error) {
	ports, err := natstest.FreePorts(2)
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(o.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	defer log.Close() // the process has its own descriptor
	s := &Server{URL: fmt.Sprintf("http://127.0.0.1:%d", ports[0]), Management: fmt.Sprintf("http://127.0.0.1:%d", ports[1]), exited: make(chan struct{})}
	s.cmd = exec.Command(java(), o.arguments(ports)...) //nolint:gosec // stopped by Stop and Kill
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = o.Home, log, log
	s.cmd.Env = append(os.Environ(), "POLARIS_BOOTSTRAP_CREDENTIALS="+Realm+","+strings.ReplaceAll(Credential, ":", ","))
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for us alone
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start Polaris: %w", err)
	}
	go func() {
		defer close(s.exited)
		_ = s.cmd.Wait()
	}()
	if err := s.waitReady(ctx); err != nil {
		s.Kill()
		return nil, fmt.Errorf("start Polaris (its log is %s): %w", o.Log, err)
	}
	return s, nil
}

func (o Options) arguments(ports []int) []string {
	properties := map[string]string{
		"quarkus.http.host": "127.0.0.1", "quarkus.http.port": fmt.Sprint(ports[0]),
		"quarkus.management.host": "127.0.0.1", "quarkus.management.port": fmt.Sprint(ports[1]),
		`polaris.features."SUPPORTED_CATALOG_STORAGE_TYPES"`: `["FILE","S3"]`,
		`polaris.features."ALLOW_INSECURE_STORAGE_TYPES"`:    "true",
		`polaris.features."DROP_WITH_PURGE_ENABLED"`:         fmt.Sprint(!o.PurgeRefused),
		"polaris.readiness.ignore-severe-issues":             "true",
		"deckhand.purge.enabled":                             fmt.Sprint(!o.Stock),
		"deckhand.nats.servers":                              o.NATS,
	}
	if o.Database != "" {
		properties["polaris.persistence.type"] = "relational-jdbc"
		properties["polaris.persistence.auto-bootstrap-types"] = "relational-jdbc"
		properties["quarkus.datasource.jdbc.url"] = "jdbc:postgresql://" + o.Database
		properties["quarkus.datasource.username"] = "postgres"
		properties["quarkus.datasource.password"] = "unused"
	}
	for key, value := range o.Properties {
		properties[key] = value
	}
	args := []string{"-Xmx1g"}
	for key, value := range properties {
		args = append(args, "-D"+key+"="+value)
	}
	return append(args, "-jar", filepath.Join(o.Home, jarName))
}

func (s *Server) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, readyTimeout, fmt.Errorf("it was not ready after %s", readyTimeout))
	defer cancel()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Management+"/q/health/ready", http.NoBody)
		if err != nil {
			return err
		}
		if answer, err := http.DefaultClient.Do(request); err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-s.exited:
			return errors.New("it ended before it was ready")
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Kill ends the server with SIGKILL and waits. Killing twice is fine.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill()
	<-s.exited
}

// Stop ends the server in good order and waits.
func (s *Server) Stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.exited:
	case <-time.After(30 * time.Second):
		s.Kill()
	}
}
