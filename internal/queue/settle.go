package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"deckhand/jobs"
)

// settle ends a delivery after its run. The writes are bounded in time, so that
// they end before the lease does.
func (r *run) settle(ctx context.Context, out outcome) settlement {
	ctx, cancel := context.WithTimeout(ctx, r.q.timings.settle)
	attrs := append([]slog.Attr{
		slog.String("job", r.job.ID), slog.Int("attempt", r.progress.attempt), slog.Duration("ran", r.ran),
	}, stackOf(out.err)...)

	var settled settlement
	switch v := decide(out, r.progress); v.ending {
	case EndLeaseLost:
		settled = r.leave(ctx, v)
	case EndCompleted:
		settled = r.complete(ctx, jobs.Completed, out)
	case EndPlanned:
		settled = r.complete(ctx, jobs.Planned, out)
	case EndCanceled:
		settled = r.cancel(ctx, out)
	case EndDead:
		settled = r.bury(ctx, v.reason, v.err, out.receipt)
	default:
		settled = r.giveBack(ctx, v)
	}
	settled.attrs = append(settled.attrs, attrs...)
	if rest := settled.rest; rest != nil {
		settled.rest = func() error { defer cancel(); return rest() }
	} else {
		cancel()
	}
	return settled
}

// verdict is what is to become of a delivery.
type verdict struct {
	ending Ending
	// reason of a death, one line.
	reason string
	err    error
	// delay of a job that comes back; freeAttempt gives its attempt back, and
	// outage says that something it needs is down.
	delay       time.Duration
	freeAttempt bool
	outage      bool
}

// decide is the settle table. Why a run was stopped comes first: what a handler
// returns after it was told to stop is mostly an echo of that. Finished work is
// finished all the same, unless the job is not ours any more.
func decide(out outcome, p *progress) verdict {
	t := p.q.timings
	switch {
	case errors.Is(out.cause, ErrLeaseLost), errors.Is(out.err, ErrLeaseLost):
		return verdict{ending: EndLeaseLost, err: ErrLeaseLost, freeAttempt: out.outage}
	case errors.Is(out.cause, errSettledElsewhere):
		return verdict{ending: EndLeaseLost, err: errSettledElsewhere}
	case out.err == nil:
		return verdict{ending: EndCompleted}
	case errors.Is(out.cause, ErrCanceled):
		return verdict{ending: EndCanceled, err: out.err}
	case jobs.IsPlannedOut(out.err):
		return verdict{ending: EndPlanned}
	case errors.Is(out.cause, ErrShutdown):
		return verdict{ending: EndInterrupted, err: out.err, delay: t.interrupted, freeAttempt: true}
	case errors.Is(out.cause, ErrStalled):
		out.err = fmt.Errorf("%w: no sign of life for %s", ErrStalled, p.q.config.StallTimeout)
	case jobs.IsPermanent(out.err):
		return verdict{ending: EndDead, reason: "permanent: " + oneLine(out.err.Error()), err: out.err}
	default:
		if delay, ok := jobs.AsSnooze(out.err); ok {
			return verdict{ending: EndSnoozed, err: out.err, delay: delay, freeAttempt: true}
		}
		if errors.Is(out.err, jobs.ErrUnavailable) {
			return verdict{ending: EndSnoozed, err: out.err, delay: t.outageDelay(p.outages()), freeAttempt: true, outage: true}
		}
	}
	if p.spent() {
		return verdict{ending: EndDead, reason: fmt.Sprintf("attempts spent (%d): %s", p.attempt, oneLine(out.err.Error())), err: out.err}
	}
	return verdict{ending: EndRetried, err: out.err, delay: t.retryDelay(p.failures())}
}

// leave touches nothing of a job that is another worker's. The lease is given
// back if it is still ours, which it is when the other worker settled the job.
// An attempt that an outage took is given back unless the job was claimed since.
func (r *run) leave(ctx context.Context, v verdict) settlement {
	if errors.Is(v.err, errSettledElsewhere) {
		_ = r.lease.release(ctx)
		return settlement{ending: EndLeaseLost, message: "job was settled elsewhere, nothing is touched", level: slog.LevelWarn, err: v.err}
	}
	if v.freeAttempt {
		r.refund(func(context.Context) { r.lease.forget() })
	} else {
		r.lease.forget()
	}
	r.w.observer.LeaseLost()
	return settlement{ending: EndLeaseLost, message: "lease was lost, nothing is touched", level: slog.LevelError, err: r.lease.lost()}
}

// result is the record of the run's end.
func (r *run) result(end jobs.Outcome, reason string, receipt any) *jobs.Result {
	encoded, problem := encodeReceipt(receipt)
	if problem != "" {
		r.log().Warn("receipt is left out", slog.String("reason", problem))
		if reason == "" {
			reason = problem
		}
	}
	return &jobs.Result{
		Version: jobs.Version, JobID: r.job.ID, Kind: r.job.Kind, Realm: r.job.Realm, Catalog: r.job.Catalog,
		Namespace: r.job.Namespace, Table: r.job.Table, TableUUID: r.job.TableUUID,
		Outcome: end, Reason: reason, Attempts: r.progress.attempt, Worker: r.w.name,
		StartedAt: startedAt(r.started), FinishedAt: jobs.At(time.Now()),
		JobSequence: r.d.sequence, StreamCreated: r.id.created, TraceParent: r.d.traceParent(), Receipt: encoded,
	}
}

func startedAt(t time.Time) jobs.Timestamp {
	if t.IsZero() {
		return jobs.Timestamp{}
	}
	return jobs.At(t)
}

// complete records work that is finished, or that other jobs go on with, then
// acknowledges the job.
func (r *run) complete(ctx context.Context, end jobs.Outcome, out outcome) settlement {
	result := r.result(end, "", out.receipt)
	held, err := r.q.recordResult(ctx, r.d.tail, r.id, result, r.lastResult)
	if err != nil {
		return r.unsettled(ctx, err, r.releaseLater)
	}
	if err := r.afterResult(ctx, held); err != nil {
		return r.giveBack(ctx, verdict{ending: EndRetried, err: err, delay: r.q.timings.retryDelay(r.progress.failures())})
	}
	message := "job is completed"
	if end == jobs.Planned {
		message = "job is planned, other jobs go on with it"
	}
	if held != result {
		message = "job is finished, but had been recorded as " + string(held.Outcome)
	}
	return settlement{ending: Ending(held.Outcome), message: message, level: slog.LevelInfo, rest: func() error {
		err := r.d.finish(ctx)
		r.letGo(ctx)
		return err
	}}
}

// cancel records that someone removed the job.
func (r *run) cancel(ctx context.Context, out outcome) settlement {
	reason := "the job was removed from " + jobs.StreamName + " while it ran"
	if by := r.progress.canceledBy(ctx); by != "" {
		reason = canceledBy(by)
	}
	result := r.result(jobs.Canceled, reason, out.receipt)
	held, err := r.q.recordResult(ctx, r.d.tail, r.id, result, r.lastResult)
	if err != nil {
		return r.unsettled(ctx, err, r.releaseLater)
	}
	if err := r.afterResult(ctx, held); err != nil {
		r.log().LogAttrs(ctx, slog.LevelWarn, "work after the result failed", slog.Any("error", err))
	}
	_ = r.d.finish(ctx)
	r.letGo(ctx)
	return settlement{ending: EndCanceled, message: "job canceled", level: slog.LevelInfo}
}

// letGo removes what is left of a job that has ended: its progress and the
// lease. The server is not asked whether it did: an entry that stays is of a job
// that has ended, and a lease that stays expires.
func (r *run) letGo(ctx context.Context) {
	if err := r.progress.letGo(); err != nil {
		r.log().LogAttrs(ctx, slog.LevelWarn, "progress entry stays behind", slog.Any("error", err))
	}
	if err := r.lease.letGo(ctx); err != nil {
		r.log().LogAttrs(ctx, slog.LevelDebug, "lease stays behind", slog.Any("error", err))
	}
}

func (r *run) releaseLease(ctx context.Context) {
	if err := r.lease.release(ctx); err != nil {
		// It expires by itself.
		r.log().LogAttrs(ctx, slog.LevelDebug, "lease could not be released", slog.Any("error", err))
	}
}

// releaseLater releases the lease once the attempt is given back.
func (r *run) releaseLater(context.Context) { r.refund(r.releaseLease) }

// giveBack returns an unfinished job to the queue: progress first, then the
// delivery, then the lease.
func (r *run) giveBack(ctx context.Context, v verdict) settlement {
	err := r.progress.close(ctx, func(e *progressEntry) {
		e.State = stateDelayed
		if v.freeAttempt {
			e.Attempts = max(0, e.Attempts-1)
		}
		if v.outage {
			e.Outages++
		} else {
			e.Outages = 0
		}
		if v.ending != EndInterrupted && v.err != nil {
			e.LastError = oneLine(v.err.Error())
			if e.FirstError == "" && v.ending == EndRetried {
				e.FirstError = e.LastError
			}
		}
	})
	if errors.Is(err, ErrLeaseLost) {
		return r.leave(ctx, verdict{err: ErrLeaseLost})
	}
	if err != nil {
		r.log().LogAttrs(ctx, slog.LevelWarn, "progress could not be written", slog.Any("error", err))
	}
	release := r.releaseLease
	if v.freeAttempt && err != nil && !isRefusal(err) {
		release = r.releaseLater
	}
	if err := r.d.delay(v.delay); err != nil {
		r.log().LogAttrs(ctx, slog.LevelWarn, "job could not be delayed, it comes back when its wait for an answer ends", slog.Any("error", err))
	}
	release(ctx)
	message, level := "job failed, it is tried again", slog.LevelWarn
	switch {
	case v.ending == EndInterrupted:
		message, level = "job was interrupted, it comes back", slog.LevelInfo
	case v.outage:
		message = "job waits for something that is down"
	case v.ending == EndSnoozed:
		message, level = "job is snoozed", slog.LevelInfo
	}
	return settlement{ending: v.ending, message: message, level: level, err: v.err,
		attrs: []slog.Attr{slog.Duration("delay", v.delay)}}
}

// unsettled is the way out when the end could not be recorded. A refusal (a full
// stream, a full account) delays the job; without an answer nothing more is
// tried, the lease is released, and the job is delivered again. Either way nothing
// is lost.
func (r *run) unsettled(ctx context.Context, err error, release func(context.Context)) settlement {
	if !isRefusal(err) && !errors.Is(err, ErrDenied) {
		release(ctx)
		return settlement{ending: EndRetried, message: "end of the job could not be recorded, it is delivered again", level: slog.LevelError, err: err}
	}
	settled := r.giveBack(ctx, verdict{ending: EndSnoozed, err: err, freeAttempt: true, outage: true,
		delay: r.q.timings.outageDelay(r.progress.outages())})
	settled.message, settled.level = "end of the job could not be recorded, it stays queued", slog.LevelError
	return settled
}
