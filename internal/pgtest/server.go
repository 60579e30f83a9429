package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// readyTimeout is how long a server may take to accept connections; usually a
// second.
const readyTimeout = time.Minute

// errNoPostgres says that nothing can be run.
var errNoPostgres = errors.New("no PostgreSQL is installed (apt-get install postgresql)")

// server is the one server of the test process.
var server struct {
	once   sync.Once
	err    error
	folder string
	port   int
	cmd    *exec.Cmd
	exited chan struct{} // closed when cmd has ended
	log    bytes.Buffer
	next   atomic.Int64
}

// Database makes an empty database on a server that all tests of the process
// share, and gives its URL. The test is skipped where PostgreSQL is not
// installed. TestMain has to call [Stop].
func Database(t testing.TB) string {
	t.Helper()
	server.once.Do(func() { server.err = start() })
	if errors.Is(server.err, errNoPostgres) && os.Getenv("REQUIRE_POSTGRES") != "1" {
		t.Skip(server.err)
	}
	require.NoError(t, server.err)
	name := fmt.Sprintf("test%d", server.next.Add(1))
	conn := Connect(t, databaseURL("postgres"))
	_, err := conn.Exec(t.Context(), "CREATE DATABASE "+name)
	require.NoError(t, err)
	return databaseURL(name)
}

// Connect opens a connection that ends with the test.
func Connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// Stop ends the server, if there is one, and removes its files.
func Stop() {
	if server.cmd != nil {
		_ = server.cmd.Process.Signal(syscall.SIGQUIT) // at once: nothing need be kept
		<-server.exited
	}
	if server.folder != "" {
		_ = os.RemoveAll(server.folder)
	}
}

func databaseURL(name string) string {
	return (&url.URL{Scheme: "postgres", User: url.User("postgres"), Host: fmt.Sprintf("127.0.0.1:%d", server.port), Path: "/" + name}).String()
}

func start() error {
	bin, err := binaries()
	if err != nil {
		return err
	}
	if server.folder, err = os.MkdirTemp("", "pgtest"); err != nil {
		return err
	}
	credential, err := unprivileged(server.folder)
	if err != nil {
		return err
	}
	command := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(bin, name), args...)
		cmd.Dir, cmd.Stdout, cmd.Stderr = server.folder, &server.log, &server.log
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential}
		return cmd
	}
	data := filepath.Join(server.folder, "data")
	if err := command("initdb", "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale", "--no-sync").Run(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, &server.log)
	}
	if server.port, err = freePort(); err != nil {
		return err
	}
	cmd := command("postgres", "-D", data, "-p", strconv.Itoa(server.port), "-F", "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=", "-c", "max_connections=100")
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start postgres: %w", err)
	}
	server.cmd, server.exited = cmd, make(chan struct{})
	go func() {
		defer close(server.exited)
		_ = cmd.Wait()
	}()
	return waitReady()
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

func waitReady() error {
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, databaseURL("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-server.exited:
			return fmt.Errorf("postgres ended: %s", &server.log)
		case <-ctx.Done():
			return fmt.Errorf("postgres took no connection for %s: %w", readyTimeout, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// binaries is the folder of the newest installed version.
func binaries() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errNoPostgres
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		return n
	}
	newest := slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(newest), nil
}

// unprivileged gives the folder to the user postgres, and who that is, when the
// tests run as root.
func unprivileged(folder string) (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	postgres, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL refuses root: %w", err)
	}
	uid, uidErr := strconv.Atoi(postgres.Uid)
	gid, gidErr := strconv.Atoi(postgres.Gid)
	if err := errors.Join(uidErr, gidErr, os.Chown(folder, uid, gid)); err != nil {
		return nil, fmt.Errorf("give the folder to postgres: %w", err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}
