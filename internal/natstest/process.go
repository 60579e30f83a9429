package natstest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"
)

// childVariable, when set, makes the test binary a NATS server.
const childVariable = "DECKHAND_NATSTEST_CHILD"

type child struct {
	Config Config
	Dir    string
	Port   int
}

// RunIfChild turns the process into a server if [StartProcess] started it, and
// then does not return. Call it first in TestMain.
func RunIfChild() {
	encoded := os.Getenv(childVariable)
	if encoded == "" {
		return
	}
	var c child
	if err := json.Unmarshal([]byte(encoded), &c); err != nil {
		fmt.Fprintln(os.Stderr, "read child's configuration:", err)
		os.Exit(2)
	}
	s, err := run(c.Config, c.Dir, c.Port)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(s.ClientURL())
	// The parent never writes; the end of its pipe means that it is gone.
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// Process is a NATS server in a process of its own, which can be killed.
type Process struct {
	config  Config
	dir     string
	url     string
	port    int
	command *exec.Cmd
	stdin   io.Closer
}

// StartProcess runs a server as a child process until the test ends. The test
// binary must call [RunIfChild].
func StartProcess(t testing.TB, config Config) *Process {
	t.Helper()
	p := &Process{config: config, dir: config.folder(t), port: server.RANDOM_PORT}
	p.Start(t)
	t.Cleanup(p.Kill)
	return p
}

// Start runs the server again, on its old port and store.
func (p *Process) Start(t testing.TB) {
	t.Helper()
	encoded, err := json.Marshal(child{Config: p.config, Dir: p.dir, Port: p.port})
	require.NoError(t, err)
	p.command = exec.Command(os.Args[0])
	p.command.Env = append(os.Environ(), childVariable+"="+string(encoded))
	p.command.Stderr = os.Stderr
	p.stdin, err = p.command.StdinPipe()
	require.NoError(t, err)
	out, err := p.command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.command.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err, "the server's process ended before it was ready")
	p.url = strings.TrimSpace(line)
	_, err = fmt.Sscanf(p.url[strings.LastIndex(p.url, ":")+1:], "%d", &p.port)
	require.NoError(t, err)
}

// Kill ends the process with SIGKILL and waits for it. Killing twice is fine.
func (p *Process) Kill() {
	if p.command == nil {
		return
	}
	_ = p.command.Process.Kill()
	_ = p.command.Wait()
	_ = p.stdin.Close()
	p.command = nil
}

// URL to connect to.
func (p *Process) URL() string { return p.url }
