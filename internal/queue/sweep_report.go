package queue

import (
	"context"
	"errors"
	"log/slog"

	"deckhand/jobs"
)

// SweepReport is what a sweep found and did.
type SweepReport struct {
	Worker     string         `json:"worker"`
	StartedAt  jobs.Timestamp `json:"started_at"`
	FinishedAt jobs.Timestamp `json:"finished_at"`
	// DryRun: nothing was done, and actions say what would be.
	DryRun   bool           `json:"dry_run,omitempty"`
	Findings []SweepFinding `json:"findings"`
	// Unlisted findings were too many to be listed.
	Unlisted int `json:"unlisted,omitempty"`
}

// SweepFinding is one thing that a sweep found.
type SweepFinding struct {
	What   SweepWhat   `json:"what"`
	Action SweepAction `json:"action"`
	// Name is a subject, or a key in a bucket.
	Name string `json:"name"`
	// Sequence of a message in its stream, or 0.
	Sequence uint64 `json:"seq,omitempty"`
	// Detail says more, one line.
	Detail string `json:"detail,omitempty"`
	// Error says why the action failed; the next sweep tries again.
	Error string `json:"error,omitempty"`
}

// SweepWhat is the kind of a finding, a label of metrics.
type SweepWhat string

const (
	// SweepEnded: a message that has ended, and that its consumer took for gone.
	SweepEnded SweepWhat = "ended"
	// SweepUndelivered: a message that no consumer would deliver, without an end.
	SweepUndelivered SweepWhat = "undelivered"
	// SweepFinish: a finish that was not published though all shards are completed.
	SweepFinish SweepWhat = "finish"
	// SweepPlan: a plan that stands still.
	SweepPlan SweepWhat = "plan"
	// SweepNote: what a shard left, without a plan.
	SweepNote SweepWhat = "note"
	// SweepLease: a lease whose job is not in the queue.
	SweepLease SweepWhat = "lease"
	// SweepUnknown: a job of a kind that no consumer takes.
	SweepUnknown SweepWhat = "unknown_kind"
	// SweepOld: a job that has been queued for long.
	SweepOld SweepWhat = "old"
)

// SweepAction is what was done about a finding, a label of metrics.
type SweepAction string

const (
	// SweepReported: nothing; a person should look.
	SweepReported SweepAction = "reported"
	// SweepRemoved: it was garbage and is removed.
	SweepRemoved SweepAction = "removed"
	// SweepRequeued: the job is queued anew.
	SweepRequeued SweepAction = "requeued"
	// SweepPublished: the missing job is published.
	SweepPublished SweepAction = "published"
)

// maxFindings bounds the list of a report.
const maxFindings = 1000

// found notes and logs a finding; act, which may be nil, is what is done about it
// unless this is a dry run. If that finds nothing to do (errNotThere), nothing was
// found.
func (s *sweep) found(ctx context.Context, f SweepFinding, act func(context.Context) error) {
	message, level := "sweep found something to look at", slog.LevelWarn
	if act != nil {
		message = "sweep put something right"
		if s.cfg.DryRun {
			message = "sweep would put something right"
		} else if err := act(ctx); errors.Is(err, errNotThere) {
			return
		} else if err != nil {
			f.Error = oneLine(err.Error())
			message, level = "sweep could not put something right, the next one tries again", slog.LevelError
		}
	}
	attrs := []slog.Attr{slog.String("what", string(f.What)), slog.String("action", string(f.Action)), slog.String("name", f.Name)}
	if f.Sequence > 0 {
		attrs = append(attrs, slog.Uint64("seq", f.Sequence))
	}
	if f.Detail != "" {
		attrs = append(attrs, slog.String("detail", f.Detail))
	}
	if f.Error != "" {
		attrs = append(attrs, slog.String("error", f.Error))
	}
	s.log.LogAttrs(ctx, level, message, attrs...) //nolint:sloglint // one of four constant messages
	if len(s.report.Findings) == maxFindings {
		s.report.Unlisted++
		return
	}
	s.report.Findings = append(s.report.Findings, f)
}
