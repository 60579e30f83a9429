package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"deckhand/jobs"
)

// Worker pulls jobs for its free slots and runs them.
type Worker struct {
	q        *Queue
	name     string
	handlers map[jobs.Kind]jobs.Handler
	log      *slog.Logger
	observer Observer
	slots    []*slot
	waiting  *waiting
	refunds  *refunds
	running  atomic.Bool
	draining atomic.Bool
	// checked is the number of reconnects that the last good look at the assets
	// came after: a server that comes back may have lost them.
	checked atomic.Uint64

	mu sync.Mutex
	// blocked says why nothing is pulled; nil while all is well. changed is
	// closed and replaced whenever that changes.
	blocked error
	changed chan struct{}
}

// NewWorker makes a worker. Its configuration is checked here.
func NewWorker(q *Queue, cfg WorkerConfig) (*Worker, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("check worker's configuration: %w", err)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Observer == nil {
		cfg.Observer = ignore{}
	}
	w := &Worker{
		q: q, name: cfg.Name, handlers: cfg.Handlers, observer: cfg.Observer,
		log: cfg.Logger.With(slog.String("worker", cfg.Name)), changed: make(chan struct{}), refunds: newRefunds(),
	}
	w.checked.Store(q.reconnects)
	w.waiting = newWaiting(w.log, time.Minute)
	for _, kind := range jobs.Kinds() {
		for range cfg.Slots[kind] {
			w.slots = append(w.slots, newSlot(kind))
		}
	}
	return w, nil
}

// Run pulls and runs jobs until ctx ends or the connection is closed for good.
//
// When ctx ends the worker drains: it pulls no more, lets running jobs go on for
// the drain time, then cancels them with [ErrShutdown], settles them, and
// returns nil. It returns nats.ErrConnectionClosed, wrapped, when the connection
// was closed. Run must be called once.
func (w *Worker) Run(ctx context.Context) error {
	nc := w.q.js.Conn()
	closed := nc.StatusChanged(nats.CLOSED)
	defer nc.RemoveStatusListener(closed)
	// Two contexts: the end of pulling is not the end of work.
	fetch, stopFetch := context.WithCancelCause(ctx)
	defer stopFetch(nil)
	work, stopWork := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stopWork(nil)

	w.running.Store(true)
	defer w.running.Store(false)
	var pulling sync.WaitGroup
	for _, s := range w.slots {
		pulling.Go(func() { w.pull(fetch, work, s) })
	}
	idle := make(chan struct{})
	var owned sync.WaitGroup
	owned.Go(func() { w.supervise(fetch) })
	owned.Go(func() { pulling.Wait(); close(idle) })
	defer owned.Wait()

	w.log.LogAttrs(ctx, slog.LevelInfo, "worker runs", slog.Int("slots", len(w.slots)))
	if nc.IsClosed() {
		stopFetch(nats.ErrConnectionClosed)
	}
	select {
	case <-ctx.Done():
		w.log.LogAttrs(ctx, slog.LevelInfo, "worker drains", slog.Duration("drain", w.q.config.Drain))
	case <-closed:
		stopFetch(nats.ErrConnectionClosed)
	case <-fetch.Done():
	}
	w.draining.Store(true)
	drain := time.NewTimer(w.q.config.Drain)
	defer drain.Stop()
	if errors.Is(context.Cause(fetch), nats.ErrConnectionClosed) {
		drain.Reset(0) // what cannot be settled need not go on
	}
	select {
	case <-idle:
	case <-drain.C:
		stopWork(ErrShutdown)
		<-idle
	}
	grace := w.q.timings.call
	if !nc.IsConnected() {
		grace = 0
	}
	w.refunds.end(grace)
	if nc.IsClosed() {
		return fmt.Errorf("run worker: %w", nats.ErrConnectionClosed)
	}
	w.log.LogAttrs(ctx, slog.LevelInfo, "worker stopped")
	return nil
}

type ignore struct{}

func (ignore) JobStarted(jobs.Kind, time.Duration)              {}
func (ignore) JobSettled(jobs.Kind, Ending, time.Duration, int) {}
func (ignore) Heartbeat(time.Duration)                          {}
func (ignore) LeaseLost()                                       {}
