package queue

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"deckhand/jobs"
)

// heartbeat tells the server that the job is worked on, renews the lease and
// looks whether the job was taken away, at once and then at each heartbeat, until
// ctx ends or the lease is lost.
func (r *run) heartbeat(ctx context.Context, s *slot, cancel context.CancelCauseFunc) {
	for pause := time.Duration(0); sleep(ctx, pause); {
		s.touch()
		pause = r.q.timings.heartbeat
		// Not waited for: its loss makes a second delivery at most, which finds the
		// lease taken.
		_ = r.d.msg.InProgress()
		sent := time.Now()
		err := r.lease.renew(ctx)
		switch {
		case errors.Is(err, ErrLeaseLost):
			cancel(ErrLeaseLost)
			return
		case err != nil:
			// The watchdog counts from the last success; until then try often.
			r.log().LogAttrs(ctx, slog.LevelDebug, "lease could not be renewed yet", slog.Any("error", err))
			pause = r.q.timings.retryBeat
			continue
		}
		r.w.observer.Heartbeat(time.Since(sent))
		if cause := r.takenAway(ctx); cause != nil {
			// The lease is kept until the handler has stopped.
			cancel(cause)
		}
	}
}

// takenAway says why the job's message is not in JOBS any more; nil while it is,
// or while that cannot be told.
func (r *run) takenAway(ctx context.Context) error {
	if r.anew {
		return nil
	}
	exists, err := r.d.exists(ctx)
	if err != nil || exists {
		return nil
	}
	last, _, err := r.q.LastResult(ctx, r.d.tail)
	if err != nil {
		return nil
	}
	if r.id.ended(last) {
		if last.Outcome == jobs.Canceled {
			return ErrCanceled
		}
		return errSettledElsewhere
	}
	created, err := r.q.refreshCreated(ctx)
	if err != nil {
		return nil
	}
	if !created.Equal(r.id.created.Time) {
		// Nobody canceled this job: the whole stream is gone. Its work is finished.
		r.anew = true
		r.log().LogAttrs(ctx, slog.LevelWarn, "stream JOBS was made anew, the job goes on without its message")
		return nil
	}
	return ErrCanceled
}
