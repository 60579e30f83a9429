package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// produce runs the producer and gives what it printed.
func (s *stage) produce(ctx context.Context, args ...string) (string, error) {
	p, err := s.startProducer(ctx, args...)
	if err != nil {
		return "", err
	}
	rest, err := p.rest()
	return p.first + rest, err
}

// producing is a producer at work. What it prints on both outputs comes as one
// text, as on a terminal.
type producing struct {
	first  string // the first line
	output *bufio.Reader
	ended  chan error
}

// startProducer runs the producer until it has printed its first line, which says
// what became of the publication.
func (s *stage) startProducer(ctx context.Context, args ...string) (*producing, error) {
	output, input := io.Pipe()
	producer := exec.CommandContext(ctx, filepath.Join(s.bin, "producer"), args...) //nolint:gosec // fixed arguments
	producer.Env = append(os.Environ(), "DECKHAND_NATS_URL="+s.nats, "DECKHAND_LOG_LEVEL=warn")
	producer.Stdout, producer.Stderr = input, input
	if err := producer.Start(); err != nil {
		return nil, fmt.Errorf("run producer: %w", err)
	}
	p := &producing{output: bufio.NewReader(output), ended: make(chan error, 1)}
	go func() {
		p.ended <- producer.Wait()
		_ = input.Close()
	}()
	var err error
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
	if err := <-p.ended; err != nil {
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			return "", fmt.Errorf("producer ended with exit code %d: %s%s", exit.ExitCode(), p.first, rest)
		}
		return "", fmt.Errorf("run producer: %w", err)
	}
	return string(rest), readErr
}
