package queue

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"deckhand/jobs"
)

// DefaultSweepEvery is how often a fleet sweeps.
const DefaultSweepEvery = time.Hour

// SweeperConfig says how often a fleet sweeps.
type SweeperConfig struct {
	// Worker names who sweeps. Required.
	Worker string
	// Every is the pause between two sweeps of the fleet, however many workers it
	// has. Defaults to [DefaultSweepEvery].
	Every time.Duration
	// Logger defaults to [slog.Default].
	Logger *slog.Logger
	// OnSweep is told of each sweep of this worker, with what it found as far as it
	// came, for metrics; nil for none.
	OnSweep func(report *SweepReport, err error)
}

// Sweeper sweeps again and again, in turn with the other workers of its fleet.
type Sweeper struct {
	q   *Queue
	cfg SweeperConfig
	log *slog.Logger
}

// NewSweeper makes a sweeper; [Sweeper.Run] starts it.
func NewSweeper(q *Queue, cfg SweeperConfig) (*Sweeper, error) {
	switch {
	case cfg.Worker == "":
		return nil, errors.New("sweeper has no name; its lease needs one")
	case cfg.Every < 0:
		return nil, fmt.Errorf("sweeper: %s between two sweeps is negative", cfg.Every)
	}
	cfg.Every = cmp.Or(cfg.Every, DefaultSweepEvery)
	log := cmp.Or(cfg.Logger, slog.Default()).With(slog.String("worker", cfg.Worker))
	return &Sweeper{q: q, cfg: cfg, log: log}, nil
}

// Run sweeps soon, and then as often as the fleet is to, until ctx ends.
func (s *Sweeper) Run(ctx context.Context) {
	// A fleet that was started together does not ask together.
	first := min(s.cfg.Every, s.q.timings.heartbeat)
	for pause := jitter(first/2, 1); sleep(ctx, pause); pause = jitter(s.cfg.Every, 0.1) {
		s.turn(ctx)
	}
}

// turn sweeps unless another worker does, or did not long ago.
func (s *Sweeper) turn(ctx context.Context) {
	due, err := s.due(ctx)
	if err == nil && !due {
		return
	}
	var report *SweepReport
	if err == nil {
		report, err = s.q.Sweep(ctx, SweepConfig{Worker: s.cfg.Worker, Logger: s.log})
	}
	switch {
	case ctx.Err() != nil, errors.Is(err, ErrHeld):
		return
	case err != nil:
		s.log.LogAttrs(ctx, slog.LevelWarn, "sweep failed, it is tried again at the next turn", slog.Any("error", err))
	default:
		s.log.LogAttrs(ctx, slog.LevelDebug, "swept", slog.Int("findings", len(report.Findings)+report.Unlisted))
		if err := s.remember(ctx, report); err != nil {
			s.log.LogAttrs(ctx, slog.LevelDebug, "sweep could not be noted", slog.Any("error", err))
		}
	}
	if s.cfg.OnSweep != nil {
		s.cfg.OnSweep(report, err)
	}
}

// lastSweep is the entry of the bucket progress that says when the fleet swept.
type lastSweep struct {
	Worker   string         `json:"worker"`
	At       jobs.Timestamp `json:"at"`
	Findings int            `json:"findings"`
}

// due reports whether the last sweep of the fleet is long ago, by the server's
// clock.
func (s *Sweeper) due(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, s.q.timings.call)
	defer cancel()
	entry, err := s.q.progress.get(ctx, sweeperKey)
	if err != nil {
		return false, explain(s.q.js.Conn(), "read when the last sweep was", getLast(progressStream, s.q.progress.prefix+sweeperKey), err)
	}
	var last lastSweep
	if entry.value == nil || json.Unmarshal(entry.value, &last) != nil {
		return true, nil
	}
	info, err := s.q.streamInfo(ctx, s.q.jobs)
	if err != nil {
		return false, err
	}
	return info.TimeStamp.Sub(entry.written) > s.cfg.Every*8/10, nil
}

// remember notes that the fleet has swept.
func (s *Sweeper) remember(ctx context.Context, report *SweepReport) error {
	ctx, cancel := context.WithTimeout(ctx, s.q.timings.call)
	defer cancel()
	value, err := encode(lastSweep{Worker: s.cfg.Worker, At: report.FinishedAt, Findings: len(report.Findings) + report.Unlisted})
	if err != nil {
		return fmt.Errorf("encode sweep: %w", err)
	}
	entry, err := s.q.progress.get(ctx, sweeperKey)
	if err == nil {
		_, err = s.q.progress.put(ctx, sweeperKey, value, entry.revision)
	}
	return explain(s.q.js.Conn(), "note the sweep", s.q.progress.prefix+sweeperKey, err)
}
