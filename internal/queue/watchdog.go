package queue

import (
	"context"
	"time"
)

// watch ends a run whose lease was not confirmed in time. It is a goroutine of
// its own because a renewal can hang, and it trusts only the monotonic clock of
// this machine.
func (l *Lease) watch(ctx context.Context, cancel context.CancelCauseFunc) {
	for {
		left := l.fenced()
		if left <= 0 {
			cancel(ErrLeaseLost)
			return
		}
		if !sleep(ctx, left) {
			return
		}
	}
}

// watchStall ends a run that shows no sign of life.
func watchStall(ctx context.Context, timeout time.Duration, lastAlive func() time.Time, cancel context.CancelCauseFunc) {
	for {
		left := timeout - time.Since(lastAlive())
		if left <= 0 {
			cancel(ErrStalled)
			return
		}
		if !sleep(ctx, left) {
			return
		}
	}
}
