package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"deckhand/jobs"
)

// handle takes a delivery from the pull to its end. work is the context that
// handlers run under: it outlives the end of pulling by the drain time.
//
// What remains to be done once the end is recorded, the settlement's rest, goes
// on while the slot asks for its next job.
func (w *Worker) handle(work context.Context, s *slot, d *delivery) {
	keep := context.WithoutCancel(work)
	r, settled := w.claim(keep, s.kind, d)
	ran, attempt := time.Duration(0), 0
	if r != nil {
		settled = r.settle(keep, w.execute(work, s, r))
		ran, attempt = r.ran, r.progress.attempt
	}
	end := func() {
		settled.log(keep, w.log, s.kind, d)
		w.observer.JobSettled(s.kind, settled.ending, ran, attempt)
	}
	if settled.rest == nil {
		end()
		return
	}
	// Waits for the rest before, so that a slow server is felt.
	s.rests <- func() {
		settled.err = settled.rest()
		end()
	}
}

// settlement is how a delivery ended, for the log and the metrics.
type settlement struct {
	ending  Ending
	message string
	level   slog.Level
	err     error
	attrs   []slog.Attr
	// rest is what can be done while the slot goes on; nil for nothing.
	rest func() error
}

func (s settlement) log(ctx context.Context, log *slog.Logger, kind jobs.Kind, d *delivery) {
	if !log.Enabled(ctx, s.level) {
		return
	}
	attrs := append([]slog.Attr{
		slog.String("kind", string(kind)), slog.String("tail", d.tail), slog.Uint64("seq", d.sequence),
	}, s.attrs...)
	if s.err != nil {
		attrs = append(attrs, slog.Any("error", s.err))
	}
	log.LogAttrs(ctx, s.level, s.message, attrs...) //nolint:sloglint // each settlement has a constant message
}

// run is a claimed job.
type run struct {
	w  *Worker
	q  *Queue
	d  *delivery
	id identity

	job      *jobs.Job
	handler  jobs.Handler
	lease    *Lease
	progress *progress
	// lastResult is the sequence of the newest result of the tail, read under the
	// lease: the record of this run's end must be the next one.
	lastResult uint64
	started    time.Time
	ran        time.Duration
	// anew: JOBS was deleted and made again during the run, so that the absence
	// of the message says nothing.
	anew bool
}

// log is the worker's log with the job's names.
func (r *run) log() *slog.Logger {
	return r.w.log.With(slog.String("kind", string(r.job.Kind)), slog.String("job", r.job.ID), slog.String("tail", r.d.tail))
}

// claim decides what a delivery needs. It returns a run for a job that is to be
// worked on; otherwise the delivery has been dealt with.
func (w *Worker) claim(ctx context.Context, kind jobs.Kind, d *delivery) (*run, settlement) {
	q := w.q
	job, err := jobs.Decode(d.msg.Data())
	if errors.Is(err, jobs.ErrNewerVersion) {
		return nil, w.waitForNewerWorker(ctx, d, job, err)
	}
	if err == nil {
		err = job.CheckSubject(d.subject)
	}
	if err != nil {
		return nil, w.buryMalformed(ctx, d, job, err)
	}
	if wait := time.Until(job.NotBefore.Time); !job.NotBefore.IsZero() && wait > 0 {
		err := d.delay(min(wait, q.timings.notBeforeMax))
		return nil, settlement{ending: EndSnoozed, message: "job must wait", level: slog.LevelDebug, err: err,
			attrs: []slog.Attr{slog.Time("not_before", job.NotBefore.Time)}}
	}
	lease, err := q.takeLease(ctx, job.LockKey(), Holder{Worker: w.name, Job: job.ID, Kind: job.Kind})
	if errors.Is(err, ErrHeld) {
		_ = d.delay(q.timings.contendedDelay())
		return nil, settlement{ending: EndSnoozed, message: "table is leased, job is delayed", level: slog.LevelDebug, err: err}
	}
	if err != nil {
		_ = d.delay(q.timings.contendedDelay())
		return nil, settlement{ending: EndSnoozed, message: "job could not be claimed, it is delayed", level: slog.LevelWarn, err: err}
	}
	r := &run{
		w: w, q: q, d: d, id: d.identity(job.ID), job: job, handler: w.handlers[kind], lease: lease,
	}
	if proceed, settled := r.judge(ctx); !proceed {
		return nil, settled
	}
	return r, settlement{}
}

// judge asks, under the lease, whether the job is to be run, and counts the
// attempt. Whatever it does not let proceed is settled when it returns.
func (r *run) judge(ctx context.Context) (proceed bool, settled settlement) {
	last, exists, err := r.look(ctx)
	switch {
	case err != nil:
		return false, r.giveUp(ctx, err)
	case r.id.ended(last):
		return false, r.alreadyEnded(ctx, last)
	case !exists:
		// Settled elsewhere, or removed: whoever did it has said what there is to
		// say.
		_ = r.lease.release(ctx)
		return false, settlement{ending: EndCanceled, message: "job was gone before it was claimed", level: slog.LevelInfo}
	}
	err = r.progress.claim(ctx, r.job, r.d.sequence, r.w.name)
	if errors.Is(err, errAttemptsSpent) {
		return false, r.buryExhausted(ctx)
	}
	if err != nil {
		return false, r.giveUp(ctx, err)
	}
	if r.lease.fenced() <= 0 {
		return false, r.giveUp(ctx, ErrLeaseLost)
	}
	return true, settlement{}
}

// look reads, at once, all that a claim needs to know. It must not begin before
// the lease is confirmed.
func (r *run) look(ctx context.Context) (last *jobs.Result, exists bool, err error) {
	type answer struct {
		exists bool
		err    error
	}
	answers := make(chan answer, 1)
	go func() {
		exists, err := r.d.exists(ctx)
		answers <- answer{exists, err}
	}()
	last, r.lastResult, err = r.q.LastResult(ctx, r.d.tail)
	var progressErr error
	if r.progress = r.q.newProgress(r.d.tail, r.w.log); !r.d.first {
		progressErr = r.progress.load(ctx)
	}
	if last != nil && last.JobID == r.job.ID {
		r.progress.earlier = last
	}
	found := <-answers
	return last, found.exists, errors.Join(err, found.err, progressErr)
}

// giveUp lets go of a job that could not be claimed; no attempt is spent.
func (r *run) giveUp(ctx context.Context, err error) settlement {
	if !errors.Is(err, ErrLeaseLost) {
		_ = r.d.delay(r.q.timings.contendedDelay())
	}
	release := r.releaseLease
	if r.progress.counted {
		release = r.releaseLater
	}
	release(ctx)
	return settlement{ending: EndSnoozed, message: "job could not be claimed, it is delayed", level: slog.LevelWarn, err: err}
}

// alreadyEnded cleans up after a run whose acknowledgement was lost.
func (r *run) alreadyEnded(ctx context.Context, last *jobs.Result) settlement {
	done := settlement{ending: Ending(last.Outcome), message: "job had ended already", level: slog.LevelInfo,
		attrs: []slog.Attr{slog.String("outcome", string(last.Outcome))}}
	if err := r.afterResult(ctx, last); err != nil {
		_ = r.d.delay(r.q.timings.contendedDelay())
		_ = r.lease.release(ctx)
		return settlement{ending: EndRetried, message: "work after the result failed, it is tried again", level: slog.LevelWarn, err: err}
	}
	done.err = r.d.finish(ctx)
	if last.Outcome != jobs.Dead {
		// A dead job's checkpoint waits for a requeue.
		if err := r.progress.load(ctx); err == nil && r.progress.entry.Job == r.job.ID {
			_ = r.progress.remove(ctx)
		}
	}
	_ = r.lease.release(ctx)
	return done
}

func (r *run) afterResult(ctx context.Context, result *jobs.Result) error {
	after, ok := r.handler.(jobs.AfterResult)
	if !ok {
		return nil
	}
	if err := protect(func() error { return after.AfterResult(ctx, r.job, result) }); err != nil {
		return fmt.Errorf("finish after result: %w", err)
	}
	return nil
}

// waitForNewerWorker delays a job that a newer publisher wrote: during an upgrade
// a newer worker comes. A job that waited for a day goes to the dead letters.
func (w *Worker) waitForNewerWorker(ctx context.Context, d *delivery, job *jobs.Job, err error) settlement {
	if time.Since(d.stored) < w.q.timings.newerLimit {
		_ = d.delay(w.q.timings.newer)
		return settlement{ending: EndSnoozed, message: "job needs a newer worker, it is delayed", level: slog.LevelWarn, err: err}
	}
	return w.buryUnclaimed(ctx, d, job, fmt.Sprintf("no newer worker came in %s: field v: %v", w.q.timings.newerLimit, err), err)
}

// buryMalformed sends a message that is no job to the dead letters at once.
func (w *Worker) buryMalformed(ctx context.Context, d *delivery, job *jobs.Job, err error) settlement {
	return w.buryUnclaimed(ctx, d, job, "malformed: "+err.Error(), err)
}
