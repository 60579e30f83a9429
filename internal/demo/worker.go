package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// start runs the worker with its embedded NATS and waits until it is ready.
func (s *stage) start(ctx context.Context) error {
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	defer log.Close() // the process has its own descriptor
	args := []string{"run", "--embedded", "--slots", "purge=4,expire=2,orphans=1,manifests=1", "--config", s.config}
	worker := exec.Command(filepath.Join(s.bin, "worker"), args...) //nolint:gosec // stopped by stop and kill
	worker.Stdout, worker.Stderr = log, log
	// Ctrl-C must reach the demo alone, which then stops the worker.
	worker.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	started := time.Now()
	if err := worker.Start(); err != nil {
		return fmt.Errorf("start worker: %w", err)
	}
	s.worker, s.exited = worker, make(chan struct{})
	go func(exited chan struct{}) {
		_ = worker.Wait()
		close(exited)
	}(s.exited)
	command("worker " + strings.Join(args, " ") + " &")
	for {
		if ready(ctx, s.http) {
			detail("process %d, ready after %s; NATS at %s, metrics at http://%s/metrics", worker.Process.Pid, brief(time.Since(started)), s.nats, s.http)
			return nil
		}
		if time.Since(started) > 30*time.Second || s.hasExited() {
			return fmt.Errorf("the worker did not get ready; its log ends with:\n%s", s.lastLog(15))
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

func ready(ctx context.Context, address string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", http.NoBody)
	if err != nil {
		return false
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

func (s *stage) hasExited() bool {
	select {
	case <-s.exited:
		return true
	default:
		return false
	}
}

// stop ends the worker as an operator would, with SIGTERM, and waits.
func (s *stage) stop() {
	if s.worker == nil {
		return
	}
	_ = s.worker.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.exited:
	case <-time.After(40 * time.Second):
		_ = s.worker.Process.Kill()
		<-s.exited
	}
	s.worker = nil
}

// kill ends the worker, and the NATS inside it, with SIGKILL. It gives the id that
// the process had.
func (s *stage) kill() (pid int) {
	pid = s.worker.Process.Pid
	_ = s.worker.Process.Kill()
	<-s.exited
	s.worker = nil
	return pid
}

// lastLog gives the end of the worker's log.
func (s *stage) lastLog(lines int) string {
	data, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// pause waits, or ends with the context.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
