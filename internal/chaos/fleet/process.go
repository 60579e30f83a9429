package fleet

import (
	"fmt"
	"io"
	"os/exec"
	"syscall"
	"time"
)

// process is a child that can be killed.
type process struct {
	command *exec.Cmd
	exited  chan struct{}
}

// spawn starts a program; consume reads its standard error to the end.
func spawn(program string, args []string, consume func(io.Reader)) (*process, error) {
	command := exec.Command(program, args...) //nolint:gosec // a binary of this project, ended by kill or terminate
	// Ctrl-C must reach the chaos run alone, which then ends its children.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	output, err := command.StderrPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	p := &process{command: command, exited: make(chan struct{})}
	go func() {
		consume(output) // before Wait, which closes the pipe
		_ = command.Wait()
		close(p.exited)
	}()
	return p, nil
}

func (p *process) running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

func (p *process) signal(s syscall.Signal) { _ = p.command.Process.Signal(s) }

// kill ends it with SIGKILL and waits.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.exited
}

// terminate ends it with SIGTERM, and after a while with SIGKILL.
func (p *process) terminate(patience time.Duration) {
	p.signal(syscall.SIGCONT)
	p.signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.kill()
	}
}
