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
	running  atomic.Bool

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
		log: cfg.Logger.With(slog.String("worker", cfg.Name)), changed: make(chan struct{}),
	}
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
	if nc.IsClosed() {
		return fmt.Errorf("run worker: %w", nats.ErrConnectionClosed)
	}
	w.log.LogAttrs(ctx, slog.LevelInfo, "worker stopped")
	return nil
}

// supervise looks at the assets again and again. A job must not be pulled under
// times that are not those of the consumers, or into a stream that is gone.
func (w *Worker) supervise(ctx context.Context) {
	for pause := w.q.timings.refresh; sleep(ctx, pause); {
		err := w.q.recheck(ctx)
		if ctx.Err() != nil {
			return
		}
		w.block(err)
		if err != nil {
			w.waiting.say(ctx, err)
		} else {
			w.waiting.over(ctx)
		}
	}
}

// recheck reports what has become wrong with the assets since they were opened.
func (q *Queue) recheck(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, max(4*q.timings.call, q.timings.refresh))
	defer cancel()
	if err := checkServer(q.js.Conn()); err != nil {
		return err
	}
	found, err := find(ctx, q.js)
	if err != nil {
		return err
	}
	ackWait, err := found.check(q.config.AckWait)
	if err != nil {
		return err
	}
	if ackWait != q.timings.ackWait {
		return fmt.Errorf("%w: the consumers' ack wait was %s and is %s now; start the worker again",
			ErrMismatch, q.timings.ackWait, ackWait)
	}
	q.setCreated(found.streams[jobs.StreamName].CachedInfo().Created)
	return nil
}

func (w *Worker) block(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if (err == nil) != (w.blocked == nil) {
		close(w.changed)
		w.changed = make(chan struct{})
	}
	w.blocked = err
}

// unblocked waits until jobs may be pulled, and reports whether ctx still lives.
func (w *Worker) unblocked(ctx context.Context) bool {
	for {
		w.mu.Lock()
		blocked, changed := w.blocked, w.changed
		w.mu.Unlock()
		// While NATS is away nothing arrives anyhow, and it shall at once when it is
		// back.
		if blocked == nil || errors.Is(blocked, ErrUnreachable) {
			return ctx.Err() == nil
		}
		select {
		case <-ctx.Done():
			return false
		case <-changed:
		}
	}
}

type ignore struct{}

func (ignore) JobStarted(jobs.Kind, time.Duration)              {}
func (ignore) JobSettled(jobs.Kind, Ending, time.Duration, int) {}
func (ignore) Heartbeat(time.Duration)                          {}
func (ignore) LeaseLost()                                       {}
