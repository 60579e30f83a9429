package main

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"syscall"

	"github.com/nats-io/nats.go"

	"deckhand/internal/command"
	"deckhand/internal/config"
	"deckhand/internal/queue"
	"deckhand/internal/telemetry"
)

// health is the state that /livez and /readyz ask for, from the start of the
// process on.
type health struct {
	mu     sync.Mutex
	what   string
	nc     *nats.Conn
	worker *queue.Worker
}

func (h *health) waitFor(what string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.what = what
}

func (h *health) connected(nc *nats.Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.nc, h.what = nc, "the streams"
}

func (h *health) working(worker *queue.Worker) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.worker = worker
}

// live does not depend on NATS: restarting a worker does not bring NATS back.
func (h *health) live() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.worker == nil {
		return nil
	}
	return h.worker.Healthy()
}

func (h *health) ready() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.nc != nil && !h.nc.IsConnected():
		return errors.New("not connected to NATS")
	case h.worker == nil:
		return fmt.Errorf("waiting for %s", h.what)
	}
	return h.worker.Ready()
}

// healthServer is the HTTP server, or none.
type healthServer struct{ server *telemetry.Server }

func serveHealth(cfg config.Worker, state *health, metrics *telemetry.Metrics, log *slog.Logger) (healthServer, error) {
	if cfg.HTTP == config.HTTPOff {
		return healthServer{}, nil
	}
	server, err := telemetry.Serve(telemetry.ServerConfig{
		Address: cmp.Or(cfg.HTTP, config.DefaultHTTP), Live: state.live, Ready: state.ready, Metrics: metrics, PProf: cfg.PProf, Logger: log,
	})
	if errors.Is(err, syscall.EADDRINUSE) && cfg.HTTP == "" {
		// A second worker on a machine should simply run; an address that was asked
		// for is another matter.
		log.Warn("no health and metrics: the default address is in use; choose one with --http, or off",
			slog.String(telemetry.KeyAddress, config.DefaultHTTP))
		return healthServer{}, nil
	}
	if err != nil {
		return healthServer{}, command.Exit(command.BadInput, fmt.Errorf("%w; choose another address with --http, or off", err))
	}
	return healthServer{server}, nil
}

func (h healthServer) address() string {
	if h.server == nil {
		return config.HTTPOff
	}
	return h.server.Address()
}

func (h healthServer) close() error {
	if h.server == nil {
		return nil
	}
	return h.server.CloseSoon()
}
