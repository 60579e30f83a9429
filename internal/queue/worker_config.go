package queue

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"deckhand/jobs"
)

// WorkerConfig says what a [Worker] runs.
type WorkerConfig struct {
	// Name of the worker in leases, results and dead letters. It must differ
	// between the workers of a fleet. Required.
	Name string
	// Slots is how many jobs of a kind run at once. A kind that is absent or has
	// 0 is never pulled.
	Slots map[jobs.Kind]int
	// Handlers by kind; each kind with slots needs one.
	Handlers map[jobs.Kind]jobs.Handler
	// Logger defaults to [slog.Default].
	Logger *slog.Logger
	// Observer is told what happens, for metrics. nil for none.
	Observer Observer
}

// Observer is told what a worker does. Its methods are called from several
// goroutines and must not block.
type Observer interface {
	// JobStarted: a handler begins; queued is the time since the job was stored.
	JobStarted(kind jobs.Kind, queued time.Duration)
	// JobSettled: a delivery ended. ran is the handler's time, 0 if it did not
	// run; attempt is the number of the run, 0 likewise.
	JobSettled(kind jobs.Kind, ending Ending, ran time.Duration, attempt int)
	// Heartbeat: a lease was renewed, and how long that took.
	Heartbeat(took time.Duration)
	// LeaseLost: a run was stopped because its lease could not be renewed.
	LeaseLost()
}

// Ending is how a delivery ended, the label "outcome" of metrics.
type Ending string

const (
	// EndCompleted: the work is done and recorded.
	EndCompleted Ending = "completed"
	// EndPlanned: other jobs go on with the work.
	EndPlanned Ending = "planned"
	// EndRetried: the run failed; the job comes back.
	EndRetried Ending = "retried"
	// EndSnoozed: the job comes back, no attempt spent.
	EndSnoozed Ending = "snoozed"
	// EndDead: the job went to the dead letters.
	EndDead Ending = "dead"
	// EndCanceled: someone removed the job.
	EndCanceled Ending = "canceled"
	// EndLeaseLost: another worker may have the job; nothing was settled.
	EndLeaseLost Ending = "lease_lost"
	// EndInterrupted: the worker shuts down; the job comes back.
	EndInterrupted Ending = "interrupted"
)

// Validate reports a configuration that cannot run.
func (c WorkerConfig) Validate() error {
	if c.Name == "" {
		return errors.New("worker has no name; leases and results need one")
	}
	any := false
	for kind, slots := range c.Slots {
		switch {
		case !kind.Known():
			return fmt.Errorf("slots of kind %q: the kind is not known; kinds are %v", kind, jobs.Kinds())
		case slots < 0:
			return fmt.Errorf("slots of kind %q: %d is negative; 0 means not to pull it", kind, slots)
		case slots > 0 && c.Handlers[kind] == nil:
			return fmt.Errorf("slots of kind %q: this worker cannot run it; give it 0 slots", kind)
		}
		any = any || slots > 0
	}
	if !any {
		return errors.New("worker has no slots; give at least one kind a slot, as in purge=4")
	}
	return nil
}
