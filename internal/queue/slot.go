package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"deckhand/jobs"
)

// slot is room for one running job.
type slot struct {
	kind jobs.Kind
	// rests takes the end of a job, which goes on beside the next pull.
	rests chan func()

	mu      sync.Mutex
	touched time.Time
	run     *run
	// ctx of the handler that runs, and since when it has been told to stop.
	ctx     context.Context
	stopped time.Time
}

func newSlot(kind jobs.Kind) *slot {
	return &slot{kind: kind, touched: time.Now(), rests: make(chan func())}
}

// work runs what is sent to rests until that is closed.
func (s *slot) work() {
	for rest := range s.rests {
		rest()
	}
}

// touch says that the slot's loops are alive.
func (s *slot) touch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.touched = time.Now()
}

func (s *slot) begin(ctx context.Context, r *run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.touched, s.run, s.ctx, s.stopped = time.Now(), r, ctx, time.Time{}
}

func (s *slot) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.touched, s.run, s.ctx = time.Now(), nil, nil
}

// healthy reports a loop that does not turn, or a handler that does not stop.
func (s *slot) healthy(limit time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if still := time.Since(s.touched); still > limit {
		return fmt.Errorf("a slot of kind %s has not moved for %s", s.kind, still.Round(time.Second))
	}
	if s.run == nil || s.ctx.Err() == nil {
		return nil
	}
	if s.stopped.IsZero() {
		s.stopped = time.Now()
	}
	if late := time.Since(s.stopped); late > limit {
		return fmt.Errorf("job %s was told to stop (%w) and has not for %s", s.run.job.ID, context.Cause(s.ctx), late.Round(time.Second))
	}
	return nil
}

// Healthy reports loops that stand still and handlers that do not stop when they
// are told to. It does not depend on NATS. For /livez.
func (w *Worker) Healthy() error {
	if !w.running.Load() {
		return nil
	}
	for _, s := range w.slots {
		if err := s.healthy(max(time.Minute, w.q.timings.ackWait)); err != nil {
			return err
		}
	}
	return nil
}

// Ready reports why the worker takes no jobs: it does not run, it drains, it is
// not connected, or the assets are not as they must be. For /readyz.
func (w *Worker) Ready() error {
	switch {
	case !w.running.Load():
		return errors.New("worker does not run")
	case w.draining.Load():
		return errors.New("worker drains")
	}
	if !w.q.js.Conn().IsConnected() {
		return fmt.Errorf("%w at %s: not connected", ErrUnreachable, serverName(w.q.js.Conn()))
	}
	if err := w.isBlocked(); err != nil {
		return err
	}
	if w.q.js.Conn().Stats().Reconnects != w.checked.Load() {
		return errors.New("worker waits for the streams after a reconnect")
	}
	return nil
}

func (w *Worker) isBlocked() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.blocked
}

// Running counts the jobs that run now, by kind.
func (w *Worker) Running() map[jobs.Kind]int {
	counts := map[jobs.Kind]int{}
	w.eachRun(func(r *run) { counts[r.job.Kind]++ })
	return counts
}

// ProgressAge is, by kind, the longest time since a running job last saved a
// checkpoint or said that it is alive.
func (w *Worker) ProgressAge() map[jobs.Kind]time.Duration {
	ages := map[jobs.Kind]time.Duration{}
	w.eachRun(func(r *run) { ages[r.job.Kind] = max(ages[r.job.Kind], time.Since(r.progress.lastAlive())) })
	return ages
}

func (w *Worker) eachRun(visit func(*run)) {
	for _, s := range w.slots {
		s.mu.Lock()
		r := s.run
		s.mu.Unlock()
		if r != nil {
			visit(r)
		}
	}
}
