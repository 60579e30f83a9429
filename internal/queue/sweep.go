package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"deckhand/jobs"
)

// sweeperKey is the lease under which things are swept up, and the key in the
// bucket progress that says when that was last.
const sweeperKey = "sweeper"

// SweepConfig says how a sweep works.
type SweepConfig struct {
	// Worker names who sweeps, in the lease and in letters. Required.
	Worker string
	// DryRun only says what would be done.
	DryRun bool
	// Logger is told of each finding. Defaults to [slog.Default].
	Logger *slog.Logger
}

// Sweep looks for what a full disk, a crash or a slip of the hand left behind and
// nothing else would ever clear up:
//
//   - messages of JOBS that their consumer will not deliver any more. One that has
//     ended is removed; one without a record of its end is queued anew, and lies in
//     DEAD while it is moved, so that it is lost nowhere.
//   - plans whose shards are all completed, and whose finish was never published:
//     it is published.
//   - notes of shards without a plan: they are removed.
//   - plans that stand still, leases without a job, jobs of kinds that no consumer
//     takes and jobs that are a week old: they are reported.
//
// What is to be removed is seen twice, some time apart, in the same state of the
// same stream. Only one sweep runs at a time: the error wraps [ErrHeld] while
// another does. A dry run needs no lease.
func (q *Queue) Sweep(ctx context.Context, cfg SweepConfig) (*SweepReport, error) {
	s := &sweep{q: q, shards: q.Shards(), cfg: cfg, log: cmp.Or(cfg.Logger, slog.Default())}
	s.report = &SweepReport{Worker: cfg.Worker, DryRun: cfg.DryRun, StartedAt: jobs.At(time.Now()), Findings: []SweepFinding{}}
	if !cfg.DryRun {
		lease, err := q.Acquire(ctx, sweeperKey, Holder{Worker: cfg.Worker})
		if err != nil {
			return nil, fmt.Errorf("sweep: %w", err)
		}
		defer func() { _ = lease.Release(context.WithoutCancel(ctx)) }()
		held, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		defer context.AfterFunc(lease.Context(), func() { cancel(ErrLeaseLost) })()
		ctx = held
	}
	err := s.run(ctx)
	if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(err, cause) {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	s.report.FinishedAt = jobs.At(time.Now())
	if err != nil {
		return s.report, fmt.Errorf("sweep: %w", err)
	}
	return s.report, nil
}

// sweep is one call of [Queue.Sweep].
type sweep struct {
	q      *Queue
	shards *Shards
	cfg    SweepConfig
	log    *slog.Logger
	report *SweepReport
	// now is the server's time, created when JOBS was made, as of the last look.
	now     time.Time
	created jobs.Timestamp
}

func (s *sweep) run(ctx context.Context) error {
	if err := s.look(ctx); err != nil {
		return err
	}
	created := s.created
	if err := s.resume(ctx); err != nil {
		return err
	}
	orphans, err := s.underFloor(ctx)
	if err != nil {
		return err
	}
	notes, err := s.notesWithoutPlan(ctx)
	if err != nil {
		return err
	}
	leases, err := s.leasesWithoutJob(ctx)
	if err != nil {
		return err
	}
	if len(orphans)+len(notes)+len(leases) > 0 {
		// What looks like garbage for a moment is none: an acknowledged job leaves the
		// stream a little later than the consumer, and a replica hears of it later yet.
		// The lease is renewed in between, or found lost.
		if !sleep(ctx, s.q.timings.heartbeat+s.q.timings.retryBeat) {
			return context.Cause(ctx)
		}
		if err := s.look(ctx); err != nil {
			return err
		}
		if !s.created.Equal(created.Time) {
			return errors.New("stream JOBS was made anew meanwhile; nothing was touched")
		}
	}
	return errors.Join(
		s.clearOrphans(ctx, orphans), s.clearNotes(ctx, notes), s.clearLeases(ctx, leases),
		s.plans(ctx), s.unknownKinds(ctx), s.oldJobs(ctx),
	)
}

// look asks JOBS for its age and the server for the time.
func (s *sweep) look(ctx context.Context) error {
	info, err := s.info(ctx, s.q.jobs)
	if err != nil {
		return err
	}
	s.now, s.created = info.TimeStamp, jobs.At(info.Created)
	s.q.setCreated(info.Created)
	return nil
}

func (s *sweep) info(ctx context.Context, stream jetstream.Stream, options ...jetstream.StreamInfoOpt) (*jetstream.StreamInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, s.q.timings.call)
	defer cancel()
	return s.q.streamInfo(ctx, stream, options...)
}
