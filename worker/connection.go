package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"deckhand/internal/broker"
	"deckhand/internal/command"
	"deckhand/internal/queue"
)

// connection is what the commands that look into the queue need.
type connection struct {
	nc    *nats.Conn
	js    jetstream.JetStream
	queue *queue.Queue // nil from connect
}

// connect connects once; a command that a person waits for does not wait itself.
func connect(ctx context.Context, s *command.Session) (*connection, error) {
	nc, err := broker.Connect(ctx, s.Config.NATS, connectionName(), s.Log)
	if err != nil {
		return nil, connectFailed(err)
	}
	if err := broker.CheckInbox(ctx, nc); err != nil {
		nc.Close()
		return nil, err
	}
	js, err := broker.JetStream(nc, s.Config.NATS)
	if err != nil {
		nc.Close()
		return nil, err
	}
	return &connection{nc: nc, js: js}, nil
}

// openQueue connects and opens the queue.
func openQueue(ctx context.Context, s *command.Session) (*connection, error) {
	c, err := connect(ctx, s)
	if err != nil {
		return nil, err
	}
	if c.queue, err = queue.Open(ctx, c.js, queue.Config{}); err != nil {
		c.nc.Close()
		return nil, err
	}
	return c, nil
}

func (c *connection) close() { c.nc.Close() }

func hostname() string {
	if name, err := os.Hostname(); err == nil {
		return name
	}
	return "unknown-host"
}

// connectionName is what "nats server report connections" shows.
func connectionName() string { return "worker/" + hostname() }

// workerName tells the workers of a fleet apart, also two on one host.
func workerName(s *command.Session) string {
	if s.Config.Worker.Name != "" {
		return s.Config.Worker.Name
	}
	return fmt.Sprintf("%s-%d", hostname(), os.Getpid())
}

// connectFailed gives a connection that cannot be had its exit code.
func connectFailed(err error) error {
	if errors.Is(err, broker.ErrSettings) {
		return command.Exit(command.BadInput, err)
	}
	return err
}
