package clitest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// childVariable, when set, makes the test binary the command. It does not begin
// like Deckhand's own variables, of which the command refuses unknown ones.
const childVariable = "CLITEST_CHILD"

// RunIfChild turns the process into the command if a test started it, and then
// does not return. Call it first in TestMain.
func RunIfChild(main func()) {
	if os.Getenv(childVariable) != "" {
		main()
		os.Exit(0)
	}
}

// Isolate keeps commands that run inside of the test process from what a
// developer's environment says: variables of NATS and Deckhand, and contexts of
// the nats tool. Call it in TestMain.
func Isolate() {
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "NATS_") || strings.HasPrefix(name, "DECKHAND_") {
			_ = os.Unsetenv(name) // only of a name that is none
		}
	}
	_ = os.Setenv("XDG_CONFIG_HOME", filepath.Join(os.TempDir(), "deckhand-no-contexts"))
}

// Script writes a script that runs this test binary as the command, for what a
// shell is to type.
func Script(t testing.TB, path string) {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	text := "#!/bin/sh\nexec env " + childVariable + "=1 '" + program + "' \"$@\"\n"
	require.NoError(t, os.WriteFile(path, []byte(text), 0o700)) //nolint:gosec // it is to be run
}

// runTimeout is how long a command may take before its test fails.
const runTimeout = time.Minute

// Command is what to run.
type Command struct {
	// Program to run; "" is this test binary as the command.
	Program string
	Args    []string
	// Env is added to a clean environment, which has neither a home with contexts
	// of the nats tool nor variables of NATS or Deckhand.
	Env []string
	// Dir to run in. Default: an empty one.
	Dir   string
	Stdin string
}

// Result is how a command ended.
type Result struct {
	Stdout, Stderr string
	Code           int
}

// Run runs a command to its end.
func Run(t testing.TB, command Command) Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), runTimeout)
	defer cancel()
	cmd := command.build(ctx, t)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	require.NoError(t, ctx.Err(), "%v did not end: %s", command.Args, stderr.String())
	return Result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

func (c Command) build(ctx context.Context, t testing.TB) *exec.Cmd {
	t.Helper()
	program := c.Program
	if program == "" {
		var err error
		program, err = os.Executable()
		require.NoError(t, err)
	}
	dir := c.Dir
	if dir == "" {
		dir = t.TempDir()
	}
	cmd := exec.CommandContext(ctx, program, c.Args...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(c.Stdin)
	cmd.Env = append([]string{childVariable + "=1", "HOME=" + dir, "PATH=" + os.Getenv("PATH")}, c.Env...)
	return cmd
}

// Process is a command that runs beside the test.
type Process struct {
	cmd  *exec.Cmd
	log  Buffer
	done chan struct{}
}

// Start starts a command. It is killed when the test ends.
func Start(t testing.TB, command Command) *Process {
	t.Helper()
	p := &Process{done: make(chan struct{})}
	p.cmd = command.build(context.Background(), t)
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	require.NoError(t, p.cmd.Start())
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // its code is looked at in Wait
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it may have ended already
		<-p.done
		if t.Failed() {
			t.Logf("%v said:\n%s", command.Args, p.log.String())
		}
	})
	return p
}

// Signal sends a signal.
func (p *Process) Signal(t testing.TB, signal os.Signal) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(signal))
}

// Wait waits for the end and returns the exit code, -1 if a signal ended it.
func (p *Process) Wait(t testing.TB) int {
	t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(runTimeout):
		require.Fail(t, "the process did not end", p.log.String())
		return 0
	}
}

// Output is what the process has written so far.
func (p *Process) Output() string { return p.log.String() }

// WaitFor waits until the process has written a text.
func (p *Process) WaitFor(t testing.TB, text string) {
	t.Helper()
	Eventually(t, func() bool { return strings.Contains(p.log.String(), text) }, "output has no %q: %s", text, &p.log)
}

// Eventually polls until a condition holds.
func Eventually(t testing.TB, condition func() bool, format string, args ...any) {
	t.Helper()
	for deadline := time.Now().Add(runTimeout); !condition(); {
		if time.Now().After(deadline) {
			require.Failf(t, "waited in vain", format, args...)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Buffer may be read while others write to it.
type Buffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

// Write implements [io.Writer].
func (b *Buffer) Write(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(data)
}

// String is what was written so far.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
