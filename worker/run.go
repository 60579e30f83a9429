package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"deckhand/internal/broker"
	"deckhand/internal/command"
	"deckhand/internal/config"
	"deckhand/internal/queue"
	"deckhand/internal/receipt"
	"deckhand/internal/telemetry"
)

func newRun() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run jobs until told to stop",
		Long: `Takes jobs from the queue and runs them, until SIGTERM or SIGINT: then it takes
no more, lets the running ones go on for --drain, and gives the rest back; they
resume elsewhere. A second signal ends it at once, which is harmless too.

It creates the streams and buckets that are missing, if it may, and waits, saying
for what, while NATS cannot be reached.

Exit codes: 0 told to stop; 1 the streams or the connection are of no use, and
waiting does not help; 2 bad input.`,
		Example: `  worker run --config deckhand.yaml
  worker run --config deckhand.yaml --slots purge=8,purge-shard=4,purge-finish=2,purge-view=2
  worker run --config deckhand.yaml --embedded --embedded-store ./queue
  curl -s localhost:9464/readyz`,
		Args: cobra.NoArgs,
		RunE: command.Action(func(cmd *cobra.Command, s *command.Session, _ []string) error {
			return runWorker(cmd.Context(), s)
		}, config.Running, config.Timing),
	}
	cmd.Flags().SortFlags = false
	config.Bind(cmd.Flags(), config.Running, config.Timing)
	return cmd
}

func runWorker(ctx context.Context, s *command.Session) (err error) {
	if len(s.Config.Catalogs) == 0 {
		return command.Exit(command.BadInput, errors.New("no catalog is configured, so every job would be refused; name one under catalogs: in the file of --config"))
	}
	name, metrics := workerName(s), telemetry.NewMetrics(telemetry.ReadBuild(version))
	log := s.Log.With(slog.String(telemetry.KeyWorker, name))
	box, err := openCatalogs(s.Config.CatalogsNamed(""), metrics, log)
	if err != nil {
		return command.Exit(command.BadInput, err)
	}
	defer func() { err = errors.Join(err, box.close()) }()
	fleet := &lateFleet{}
	handlers, err := box.handlers(handlerConfig{
		worker: name, dryRun: s.Config.Worker.DryRun, log: log, list: countFiles(metrics),
		fleet: fleet, sharing: s.Config.Worker.Purge, slots: s.Config.Worker.Slots,
	})
	if err != nil {
		return command.Exit(command.BadInput, err)
	}

	slots, err := box.usableSlots(s.Config.Worker.Slots, handlers)
	if err != nil {
		return command.Exit(command.BadInput, err)
	}

	if s.Config.Worker.Embedded.Enabled {
		embedded, err := startEmbedded(s, log)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, embedded.Close()) }()
	}
	state := &health{}
	web, err := serveHealth(s.Config.Worker, state, metrics, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, web.close()) }()

	state.waitFor("a connection to NATS")
	nc, err := broker.ConnectRetrying(ctx, s.Config.NATS, connectionName(), log)
	if err != nil {
		return stopped(ctx, connectFailed(err))
	}
	defer nc.Close()
	state.connected(nc)
	q, err := prepareQueue(ctx, nc, s.Config, log)
	if err != nil {
		return stopped(ctx, err)
	}
	fleet.Fleet = q.Shards()
	worker, err := queue.NewWorker(q, queue.WorkerConfig{
		Name: name, Slots: slots, Handlers: handlers, Logger: s.Log, Observer: metrics,
	})
	if err != nil {
		return command.Exit(command.BadInput, err)
	}
	for kind, count := range slots {
		metrics.Slots(kind, count)
	}
	metrics.Watch(worker, slices.Sorted(maps.Keys(slots)))
	state.working(worker)
	log.InfoContext(ctx, "connected to the queue", slog.String("url", nc.ConnectedUrlRedacted()), slog.String("http", web.address()))
	sweeper, err := newSweeper(q, s.Config.Worker, name, metrics, s.Log)
	if err != nil {
		return command.Exit(command.BadInput, err)
	}
	return work(ctx, worker, sweeper, nc, metrics.WatchQueue(q.Counts, log), log)
}

// newSweeper makes what sweeps the queue; nil where that is switched off, and in
// a worker that only shows what it would do.
func newSweeper(q *queue.Queue, cfg config.Worker, name string, metrics *telemetry.Metrics, log *slog.Logger) (*queue.Sweeper, error) {
	if cfg.SweepEvery == 0 || cfg.DryRun {
		return nil, nil
	}
	sweeper, err := queue.NewSweeper(q, queue.SweeperConfig{Worker: name, Every: cfg.SweepEvery, Logger: log, OnSweep: metrics.Swept})
	if err != nil {
		return nil, fmt.Errorf("prepare sweeps: %w", err)
	}
	return sweeper, nil
}

// work runs the worker, and for as long watches over its connection, looks at the
// queue for the metrics and, with a sweeper, sweeps it.
func work(ctx context.Context, worker *queue.Worker, sweeper *queue.Sweeper, nc *nats.Conn, gauges *telemetry.QueueWatch, log *slog.Logger) error {
	watch, end := context.WithCancel(context.WithoutCancel(ctx))
	var group errgroup.Group
	group.Go(func() error {
		broker.Watch(watch, nc, log)
		return nil
	})
	group.Go(func() error {
		gauges.Run(watch)
		return nil
	})
	sweeps, endSweeps := context.WithCancel(ctx)
	if sweeper != nil {
		group.Go(func() error {
			sweeper.Run(sweeps)
			return nil
		})
	}
	group.Go(func() error {
		defer end()
		defer endSweeps()
		return worker.Run(ctx)
	})
	if err := group.Wait(); err != nil {
		return fmt.Errorf("run jobs: %w", err)
	}
	return nil
}

// stopped is nil when a signal ended the wait that failed.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// countFiles counts what becomes of files.
func countFiles(metrics *telemetry.Metrics) func(receipt.PathRecord) {
	return func(path receipt.PathRecord) {
		switch path.Action {
		case "deleted":
			metrics.FileDeleted(path.Bytes)
		case "moved":
			metrics.FileMoved()
		}
	}
}

// startEmbedded starts the NATS server in this process and points the
// configuration at it.
func startEmbedded(s *command.Session, log *slog.Logger) (*broker.Embedded, error) {
	port, err := embeddedPort(s.Config.NATS.URL)
	if err != nil {
		return nil, command.Exit(command.BadInput, err)
	}
	settings := s.Config.Worker.Embedded
	embedded, err := broker.StartEmbedded(broker.EmbeddedConfig{
		Port: port, StoreDir: settings.StoreDir, SyncAlways: settings.SyncAlways, Logger: log,
	})
	if err != nil {
		return nil, err
	}
	folder, err := filepath.Abs(settings.StoreDir)
	if err != nil {
		folder = settings.StoreDir
	}
	log.Info("embedded NATS server runs", slog.String("url", embedded.URL()), slog.String("store", folder))
	s.Config.NATS = broker.Config{URL: embedded.URL()}
	return embedded, nil
}

// embeddedPort reads the port of a loaded address. Port 0 asks for any free one.
func embeddedPort(address string) (int, error) {
	parsed, err := url.Parse(address)
	if err != nil {
		return 0, errors.New("nats.url: is not an address")
	}
	port, err := strconv.Atoi(parsed.Port())
	if err != nil {
		return 0, fmt.Errorf("nats.url: %q is not a port", parsed.Port())
	}
	if port == 0 {
		port = -1
	}
	return port, nil
}
