package queue

import (
	"context"
	"fmt"
	"time"

	"deckhand/jobs"
)

// Pause stops the deliveries of a kind until a time; NATS has no pause without an
// end. Running jobs go on and can settle; jobs that come back wait too.
func (q *Queue) Pause(ctx context.Context, kind jobs.Kind, until time.Time) error {
	if !kind.Known() {
		return fmt.Errorf("pause %s: kind is not known; kinds are %v", kind, jobs.Kinds())
	}
	if !until.After(time.Now()) {
		return fmt.Errorf("pause %s: %s is not in the future", kind, until.Format(time.RFC3339))
	}
	ctx, cancel := context.WithTimeout(ctx, q.timings.call)
	defer cancel()
	if _, err := q.jobs.PauseConsumer(ctx, string(kind), until); err != nil {
		return explain(q.js.Conn(), "pause "+string(kind), "$JS.API.CONSUMER.PAUSE."+jobs.StreamName+"."+string(kind), err)
	}
	return nil
}

// Resume ends a pause.
func (q *Queue) Resume(ctx context.Context, kind jobs.Kind) error {
	if !kind.Known() {
		return fmt.Errorf("resume %s: kind is not known; kinds are %v", kind, jobs.Kinds())
	}
	ctx, cancel := context.WithTimeout(ctx, q.timings.call)
	defer cancel()
	if _, err := q.jobs.ResumeConsumer(ctx, string(kind)); err != nil {
		return explain(q.js.Conn(), "resume "+string(kind), "$JS.API.CONSUMER.PAUSE."+jobs.StreamName+"."+string(kind), err)
	}
	return nil
}
