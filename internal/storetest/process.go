package storetest

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/natstest"
)

// startTimeout is how long a server may take until it answers; the slowest one
// needs some five seconds of a machine that has nothing else to do.
const startTimeout = time.Minute

// Process says how a server is started.
type Process struct {
	// Name is that of its binary in build/bin, or a path below build.
	Name string
	// Args gives its arguments by the port to listen on, of 127.0.0.1, and an empty
	// folder, which is its working directory too.
	Args func(port int, folder string) []string
	// Env is added to the environment ("KEY=value").
	Env []string
	// Ready is the path that it answers, with a status below 500, once it is ready.
	// Default: /.
	Ready string
}

// Start runs a server until the test ends and gives its address, http://host:port.
// The test is skipped where the package's doc says so.
func Start(t testing.TB, p Process) (endpoint string) {
	t.Helper()
	binary := find(t, p.Name)
	const attempts = 3 // another process may take the port first
	for attempt := 1; ; attempt++ {
		endpoint, err := start(t, p, binary)
		if err == nil {
			return endpoint
		}
		if attempt == attempts {
			require.NoError(t, err)
		}
		t.Log(err)
	}
}

// find gives the server's path.
func find(t testing.TB, name string) string {
	t.Helper()
	if os.Getenv("TEST_STORES") != "1" {
		t.Skip("make test-stores runs it against servers that are processes of their own")
	}
	build, err := filepath.Abs(filepath.Join("..", "..", "build"))
	require.NoError(t, err)
	for _, path := range []string{filepath.Join(build, "bin", name), filepath.Join(build, name)} {
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return path
		}
	}
	missing := name + " is not in build/bin: it could not be installed here, see make test-stores"
	if os.Getenv("REQUIRE_STORES") == "1" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

func start(t testing.TB, p Process, binary string) (endpoint string, err error) {
	ports, err := natstest.FreePorts(1)
	if err != nil {
		return "", err
	}
	endpoint = fmt.Sprintf("http://127.0.0.1:%d", ports[0])
	folder := t.TempDir()
	var log logBuffer
	cmd := exec.Command(binary, p.Args(ports[0], folder)...) //nolint:gosec // killed below
	cmd.Dir, cmd.Stdout, cmd.Stderr = folder, &log, &log
	cmd.Env = append(os.Environ(), p.Env...)
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("start %s: %w", p.Name, err)
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait()
	}()
	kill := sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		<-exited
	})
	t.Cleanup(func() {
		kill()
		if t.Failed() {
			t.Logf("%s said: %s", p.Name, log.tail())
		}
	})
	if err := answers(endpoint+p.Ready, exited); err != nil {
		kill()
		return "", fmt.Errorf("start %s: %w: %s", p.Name, err, log.tail())
	}
	return endpoint, nil
}

// answers waits until the server does.
func answers(address string, exited <-chan struct{}) error {
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for deadline := time.Now().Add(startTimeout); ; {
		response, err := get(client, address)
		if err == nil {
			_ = response.Body.Close()
			if response.StatusCode < http.StatusInternalServerError {
				return nil
			}
			err = fmt.Errorf("it answers with status %d", response.StatusCode)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("it was not ready within %s: %w", startTimeout, err)
		}
		select {
		case <-exited:
			return fmt.Errorf("it ended: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func get(client *http.Client, address string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	return client.Do(request)
}

// logBuffer keeps what a process says.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) tail() string {
	const most = 4 << 10
	b.mu.Lock()
	defer b.mu.Unlock()
	text := b.text.Bytes()
	return string(text[max(0, len(text)-most):])
}
