package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// produce runs the producer and gives what it printed. It prints the command.
func (s *stage) produce(ctx context.Context, args ...string) (string, error) {
	p, err := s.startProducer(ctx, args...)
	if err != nil {
		return "", err
	}
	rest, err := p.rest()
	return p.first + rest, err
}

// producing is a producer at work.
type producing struct {
	first    string // the first line of its output
	cmd      *exec.Cmd
	output   *bufio.Reader
	problems bytes.Buffer
}

// startProducer runs the producer until it has printed its first line, which says
// what became of the publication. It prints the command.
func (s *stage) startProducer(ctx context.Context, args ...string) (*producing, error) {
	command("producer " + strings.Join(args, " "))
	p := &producing{cmd: exec.CommandContext(ctx, filepath.Join(s.bin, "producer"), args...)} //nolint:gosec // fixed arguments
	p.cmd.Env = append(os.Environ(), "DECKHAND_NATS_URL="+s.nats)
	p.cmd.Stderr = &p.problems
	output, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("run producer: %w", err)
	}
	p.output = bufio.NewReader(output)
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("run producer: %w", err)
	}
	if p.first, err = p.output.ReadString('\n'); err != nil {
		_, err := p.rest()
		return p, err
	}
	return p, nil
}

// rest waits for the producer's end and gives what it printed after the first
// line.
func (p *producing) rest() (string, error) {
	rest, readErr := io.ReadAll(p.output)
	if err := p.cmd.Wait(); err != nil {
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			return "", fmt.Errorf("producer ended with exit code %d: %s%s%s", exit.ExitCode(), p.first, rest, p.problems.String())
		}
		return "", fmt.Errorf("run producer: %w", err)
	}
	return string(rest), readErr
}
