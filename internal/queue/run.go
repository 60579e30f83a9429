package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"time"
)

// outcome is what came of a run.
type outcome struct {
	receipt any
	err     error
	// cause says why the run was stopped; nil if it ended by itself.
	cause error
	// outage: the lease was lost since NATS did not answer, and the handler did
	// nothing wrong.
	outage bool
}

// execute runs the handler while heartbeats renew the lease and watchdogs look
// on. When it returns, none of the three runs any more.
func (w *Worker) execute(work context.Context, s *slot, r *run) outcome {
	ctx, cancel := context.WithCancelCause(work)
	loops, stop := context.WithCancel(context.WithoutCancel(work))
	// Nothing is due before the first heartbeat, and most jobs are short.
	first := min(r.q.timings.heartbeat, r.q.config.StallTimeout) - time.Since(r.lease.confirmed)
	var owned sync.WaitGroup
	owned.Add(1)
	loopsLater := time.AfterFunc(first, func() {
		defer owned.Done()
		owned.Go(func() { r.heartbeat(loops, s, cancel) })
		owned.Go(func() { r.lease.watch(loops, cancel) })
		owned.Go(func() { watchStall(loops, r.q.config.StallTimeout, r.progress.lastAlive, cancel) })
	})

	r.started = time.Now()
	s.begin(ctx, r)
	w.observer.JobStarted(r.job.Kind, max(0, r.started.Sub(r.d.stored)))
	r.log().LogAttrs(ctx, slog.LevelDebug, "job begins", slog.Int("attempt", r.progress.attempt))
	var out outcome
	out.err = protect(func() (err error) {
		out.receipt, err = r.handler.Run(ctx, r.job, r.progress)
		return err
	})
	r.ran = time.Since(r.started)
	stop()
	if loopsLater.Stop() {
		owned.Done()
	}
	owned.Wait()
	s.end()
	// Asked after the loops have ended, so that none can find the lease lost
	// behind our back.
	out.cause = context.Cause(ctx)
	out.outage = r.lease.unheard() && !out.failed()
	if r.lease.fenced() <= 0 {
		out.cause = ErrLeaseLost
	}
	cancel(nil)
	return out
}

// failed reports an end that is the handler's own: it crashed, hung, or had an
// error before anybody told it to stop.
func (o outcome) failed() bool {
	var panicked *panicError
	switch {
	case errors.As(o.err, &panicked):
		return true
	case o.cause == nil:
		return o.err != nil
	}
	return !errors.Is(o.cause, ErrLeaseLost) && !errors.Is(o.cause, ErrShutdown)
}

// panicError is a handler's panic, an ordinary failure for its job.
type panicError struct {
	value any
	stack string
}

func (e *panicError) Error() string { return fmt.Sprintf("handler panicked: %v", e.value) }

// protect turns a panic into an error.
func protect(call func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &panicError{value: value, stack: shortStack(debug.Stack())}
		}
	}()
	return call()
}

// shortStack keeps the frames of the panic, without those of the recovery above
// and of this package below them.
func shortStack(stack []byte) string {
	const limit = 2 << 10
	text := string(stack)
	if _, below, found := strings.Cut(text, "\npanic("); found {
		text = "panic(" + below
	}
	text, _, _ = strings.Cut(text, "\ndeckhand/internal/queue.protect(")
	return text[:min(len(text), limit)]
}

// stackOf is the stack of a panic, as log attributes.
func stackOf(err error) []slog.Attr {
	var panicked *panicError
	if errors.As(err, &panicked) {
		return []slog.Attr{slog.String("stack", panicked.stack)}
	}
	return nil
}
