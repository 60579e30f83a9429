package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"deckhand/jobs"
)

// supervise looks at the assets again and again, and at once after a reconnect.
// A job must not be pulled under times that are not those of the consumers, or
// into a stream that is gone.
func (w *Worker) supervise(ctx context.Context) {
	nc := w.q.js.Conn()
	connected := nc.StatusChanged(nats.CONNECTED)
	defer nc.RemoveStatusListener(connected)
	mayCreate := true
	for {
		pause := w.q.timings.refresh
		if nc.Stats().Reconnects != w.checked.Load() {
			pause = w.q.timings.retryBeat
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-connected:
			timer.Stop()
			mayCreate = true
		case <-timer.C:
		}
		reconnects := nc.Stats().Reconnects
		err := w.q.recheck(ctx)
		if errors.Is(err, ErrNoAssets) && reconnects != w.checked.Load() && mayCreate {
			w.block(err)
			w.waiting.say(ctx, err)
			if err = w.restore(ctx, err); err == nil {
				err = w.q.recheck(ctx)
			}
			mayCreate = !errors.Is(err, ErrDenied)
		}
		if ctx.Err() != nil {
			return
		}
		w.block(err)
		if err != nil {
			w.waiting.say(ctx, err)
			continue
		}
		w.checked.Store(reconnects)
		w.waiting.over(ctx)
	}
}

// restore creates the assets that a server has lost, as they were when they were
// opened, if this connection may. It is not done without a reconnect: who removes
// a stream from a running server means to do something about it.
func (w *Worker) restore(ctx context.Context, missing error) error {
	call, cancel := context.WithTimeout(ctx, 2*w.q.timings.call)
	defer cancel()
	report, err := Setup(call, w.q.js, w.q.assets)
	if len(report.Created) > 0 {
		w.log.LogAttrs(ctx, slog.LevelWarn, "server had lost its streams, created them again",
			slog.String("names", strings.Join(report.Created, ", ")))
	}
	if err != nil {
		return fmt.Errorf("%w (not created by this worker: %w)", missing, err)
	}
	return nil
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
