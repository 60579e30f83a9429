package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"deckhand/internal/broker"
	"deckhand/internal/command"
	"deckhand/internal/config"
	"deckhand/internal/queue"
	"deckhand/internal/scan"
	"deckhand/internal/telemetry"
)

// leaseKey is held by the producer that scans. The keys of tables have dots.
const leaseKey = "producer"

// standBy is how often a producer that does not scan looks whether it may.
const standBy = 5 * time.Second

// releaseTimeout is how long NATS may take to answer a producer that stops.
const releaseTimeout = 5 * time.Second

func newRun() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Look through the catalogs again and again and queue what is due",
		Long: `Looks through the catalogs that have a rest section, at an interval or at the times
of --cron, and queues a job for each table that a policy wants maintained now, until
SIGTERM or SIGINT. Of several producers one scans; another takes over when it is gone.

Between scans it keeps what it needs to know of each table, so that an unchanged table
costs the catalog one request without a body.

Exit codes: 0 told to stop; 1 the queue is of no use, and waiting does not help; 2 bad
input.`,
		Example: `  producer run --config deckhand.yaml
  producer run --config deckhand.yaml --interval 15m
  producer run --config deckhand.yaml --cron 'CRON_TZ=Europe/Berlin 0 1-5 * * *'`,
		Args: cobra.NoArgs,
		RunE: command.Action(func(cmd *cobra.Command, s *command.Session, _ []string) error {
			return runProducer(cmd.Context(), s)
		}, config.Producing),
	}
	cmd.Flags().SortFlags = false
	config.Bind(cmd.Flags(), config.Producing)
	return cmd
}

func runProducer(ctx context.Context, s *command.Session) (err error) {
	name, metrics := producerName(s.Config), telemetry.NewMetrics(telemetry.ReadBuild(version))
	log := s.Log.With(slog.String("producer", name))
	clients, err := openClients(s, "", metrics)
	if err != nil {
		return command.Exit(command.BadInput, err)
	}
	defer func() { err = errors.Join(err, clients.close()) }()
	state := &producerHealth{}
	if s.Config.Producer.HTTP != config.HTTPOff {
		web, err := telemetry.Serve(telemetry.ServerConfig{
			Address: s.Config.Producer.HTTP, Live: func() error { return nil }, Ready: state.ready, Metrics: metrics, Logger: log,
		})
		if err != nil {
			return command.Exit(command.BadInput, fmt.Errorf("%w; choose another address with --http, or off", err))
		}
		defer func() { err = errors.Join(err, web.CloseSoon()) }()
	}

	nc, err := broker.ConnectRetrying(ctx, s.Config.NATS, "producer/"+name, log)
	if errors.Is(err, broker.ErrSettings) {
		return command.Exit(command.BadInput, err)
	}
	if err != nil {
		return stopped(ctx, err)
	}
	defer nc.Close()
	js, err := broker.JetStream(nc, s.Config.NATS)
	if err != nil {
		return err
	}
	q, err := queue.OpenWhenReady(ctx, js, queue.Config{}, log)
	if err != nil {
		return stopped(ctx, err)
	}
	cfg := clients.scanConfig(s.Config, log)
	cfg.Queue, cfg.Publish = q, publisher(js)
	scanner, err := scan.New(cfg)
	if err != nil {
		return command.Exit(command.BadInput, err)
	}
	state.connected(nc)
	log.InfoContext(ctx, "connected to the queue", slog.String("url", nc.ConnectedUrlRedacted()), slog.Int("catalogs", len(clients.catalogs)))
	r := &runner{queue: q, scanner: scanner, name: name, cfg: s.Config.Producer, metrics: metrics, log: log}
	return r.runAndWatch(ctx, nc)
}

// runner scans whenever it is time, as long as it holds the lease.
type runner struct {
	queue   *queue.Queue
	scanner *scan.Scanner
	name    string
	cfg     config.Producer
	metrics *telemetry.Metrics
	log     *slog.Logger
}

func (r *runner) runAndWatch(ctx context.Context, nc *nats.Conn) error {
	watch, end := context.WithCancel(context.WithoutCancel(ctx))
	var group errgroup.Group
	group.Go(func() error {
		broker.Watch(watch, nc, r.log)
		return nil
	})
	group.Go(func() error {
		defer end()
		return r.run(ctx)
	})
	if err := group.Wait(); err != nil {
		return fmt.Errorf("look through catalogs: %w", err)
	}
	return nil
}

// run takes the lease, and takes it again when it was lost, until ctx ends.
func (r *runner) run(ctx context.Context) error {
	said := ""
	for {
		lease, err := r.queue.Acquire(ctx, leaseKey, queue.Holder{Worker: r.name})
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			if text := err.Error(); text != said {
				said = text
				r.log.InfoContext(ctx, "not scanning for now", slog.Any("reason", err))
			}
			if !wait(ctx, standBy) {
				return nil
			}
			continue
		}
		said = ""
		r.log.InfoContext(ctx, "scanning from now on")
		r.lead(ctx, lease)
		r.release(ctx, lease)
		if ctx.Err() != nil {
			return nil
		}
	}
}

// release gives the lease back, also after a signal: another producer should be
// able to take over at once.
func (r *runner) release(ctx context.Context, lease *queue.Lease) {
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	if err := lease.Release(end); err != nil && ctx.Err() == nil {
		r.log.WarnContext(ctx, "another producer may scan now", slog.Any("error", err))
	}
}

// lead scans until ctx ends or the lease is lost.
func (r *runner) lead(ctx context.Context, lease *queue.Lease) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(lease.Context(), func() { cancel(context.Cause(lease.Context())) })
	defer stop()
	for begin := r.first(time.Now()); ; begin = r.next(begin, time.Now()) {
		jitter := time.Duration(0)
		if r.cfg.Jitter > 0 {
			jitter = rand.N(r.cfg.Jitter)
		}
		if !wait(ctx, time.Until(begin)+jitter) {
			return
		}
		started := time.Now()
		summary, err := r.scanner.Scan(ctx)
		if err != nil {
			if !errors.Is(err, context.Canceled) {
				r.log.WarnContext(ctx, "scan was cut off", slog.Any("error", err))
			}
			return
		}
		for _, c := range summary.Catalogs {
			r.metrics.Scanned(c.Catalog, c.Tables, c.Failed+c.Problems)
			for kind, counts := range c.Kinds {
				r.metrics.Published(c.Catalog, kind, counts.Published)
			}
		}
		r.metrics.ScanTook(time.Since(started))
	}
}

// first is when the first scan begins: at once, or at the first of the times.
func (r *runner) first(now time.Time) time.Time {
	if times, _ := r.cfg.Times(); times != nil {
		return times.Next(now)
	}
	return now
}

// next is when a scan begins after one that should have begun at a time. Times
// that have passed meanwhile are left out.
func (r *runner) next(begun, now time.Time) time.Time {
	if times, _ := r.cfg.Times(); times != nil { // Validate has seen it
		return times.Next(now)
	}
	next := begun.Add(r.cfg.Interval)
	if next.Before(now) {
		return now
	}
	return next
}

// wait reports whether the time has passed and ctx has not ended.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// stopped is nil when a signal ended the wait that failed.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// producerHealth is the state that /readyz asks for.
type producerHealth struct {
	mu sync.Mutex
	nc *nats.Conn
}

func (h *producerHealth) connected(nc *nats.Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.nc = nc
}

func (h *producerHealth) ready() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.nc == nil:
		return errors.New("waiting for a connection to NATS and its streams")
	case !h.nc.IsConnected():
		return errors.New("not connected to NATS")
	}
	return nil
}
