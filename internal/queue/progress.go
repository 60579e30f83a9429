package queue

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"deckhand/jobs"
)

// maxCheckpoint is the largest checkpoint in bytes of JSON.
const maxCheckpoint = 16 << 10

// state is what a progress entry says of its job.
type state string

const (
	stateRunning state = "running"
	stateDelayed state = "delayed"
	stateDead    state = "dead"
)

// progressEntry is the value of one key in the bucket progress: what is known of
// an unfinished job beside its message. People read it too.
type progressEntry struct {
	Job      string `json:"job"`
	Sequence uint64 `json:"seq"`
	// Attempts spent since the job last made progress.
	Attempts int `json:"attempts"`
	// Progressed: the checkpoint moved since the last claim.
	Progressed bool `json:"progressed,omitempty"`
	// Outages are snoozes in a row because something was down.
	Outages    int             `json:"outages,omitempty"`
	Checkpoint json.RawMessage `json:"checkpoint,omitempty"`
	Counters   jobs.Counters   `json:"counters"`
	FirstError string          `json:"first_error,omitempty"`
	LastError  string          `json:"last_error,omitempty"`
	State      state           `json:"state"`
	Worker     string          `json:"worker,omitempty"`
	ClaimedAt  jobs.Timestamp  `json:"claimed_at,omitzero"`
	Updated    jobs.Timestamp  `json:"updated,omitzero"`
	// CanceledBy is a note of whoever removed the job while it ran.
	CanceledBy string `json:"canceled_by,omitempty"`
}

// claimed is the entry for a new claim, before its attempt is counted. Another
// job starts from nothing. A requeue, which is the same job under another
// sequence, gets its attempts back and keeps its checkpoint: what was deleted
// stays deleted. So does a job that made progress.
func (e progressEntry) claimed(job *jobs.Job, sequence uint64, worker string) progressEntry {
	switch {
	case e.Job != job.ID:
		e = progressEntry{Job: job.ID}
	case e.Sequence != sequence:
		e = progressEntry{Job: job.ID, Checkpoint: e.Checkpoint, Counters: e.Counters}
	case e.Progressed:
		e.Attempts = 0
	}
	e.Sequence, e.Progressed, e.CanceledBy = sequence, false, ""
	e.State, e.Worker, e.ClaimedAt = stateRunning, worker, jobs.At(time.Now())
	return e
}

// sameClaim reports whether two entries were written by one run.
func (e progressEntry) sameClaim(other progressEntry) bool {
	return e.Job == other.Job && e.Sequence == other.Sequence && e.Worker == other.Worker &&
		e.ClaimedAt.Equal(other.ClaimedAt.Time)
}

// progress is a run's hold on its progress entry; it is the [jobs.Progress] of
// the handler.
type progress struct {
	q       *Queue
	key     string
	log     *slog.Logger
	attempt int
	// counted: the attempt was written, or may have been, since no answer came.
	counted bool
	// maxAttempts of the job's kind.
	maxAttempts int
	start       json.RawMessage // the checkpoint at the claim
	earlier     *jobs.Result    // how this job has ended before

	// alive is when the handler last showed a sign of life, in nanoseconds since
	// began, so that the monotonic clock counts.
	began time.Time
	alive atomic.Int64

	mu       sync.Mutex // also held over writes, which so come in order
	entry    progressEntry
	revision uint64
}

var _ jobs.Progress = (*progress)(nil)

// errAttemptsSpent says that the job may not run again.
var errAttemptsSpent = errors.New("attempts are spent")

func (q *Queue) newProgress(tail string, log *slog.Logger) *progress {
	return &progress{q: q, key: tail, log: log, began: time.Now()}
}

func (p *progress) load(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, p.q.timings.call)
	defer cancel()
	found, err := p.q.progress.get(ctx, p.key)
	if err != nil {
		return explain(p.q.js.Conn(), "read progress "+p.key, getLast(progressStream, p.q.progress.prefix+p.key), err)
	}
	p.entry, p.revision = progressEntry{}, found.revision
	if found.value != nil {
		if err := json.Unmarshal(found.value, &p.entry); err != nil {
			// Someone edited it. Starting over only repeats work.
			p.entry = progressEntry{}
			p.log.LogAttrs(ctx, slog.LevelWarn, "progress entry is not readable and is ignored",
				slog.String("key", p.key), slog.Any("error", err))
		}
	}
	return nil
}

// claim counts the attempt, before the work: a job that kills its process must
// run out of attempts. It returns errAttemptsSpent, with nothing counted, for a
// job that may not run again. If the entry was not loaded, none is assumed at
// first, which is right for most jobs.
func (p *progress) claim(ctx context.Context, job *jobs.Job, sequence uint64, worker string) error {
	for tries := 0; ; tries++ {
		next := p.entry.claimed(job, sequence, worker)
		p.start, p.attempt, p.maxAttempts = next.Checkpoint, next.Attempts, job.Kind.MaxAttempts()
		if next.Attempts >= p.maxAttempts {
			p.entry = next
			return errAttemptsSpent
		}
		next.Attempts++
		p.attempt = next.Attempts
		err := p.write(ctx, next)
		switch {
		case err == nil, !isRefusal(err) && !errors.Is(err, ErrDenied):
			p.entry, p.counted = next, true
			return err
		case !isConflict(err), tries == 3:
			return err
		}
		if err := p.load(ctx); err != nil {
			return err
		}
	}
}

// write stores the entry if the key still has the revision that is known.
func (p *progress) write(ctx context.Context, next progressEntry) error {
	next.Updated = jobs.At(time.Now())
	value, err := encode(next)
	if err != nil {
		return fmt.Errorf("encode progress: %w", err)
	}
	call, cancel := context.WithTimeout(ctx, p.q.timings.call)
	defer cancel()
	revision, err := p.q.progress.put(call, p.key, value, p.revision)
	if err != nil {
		return explain(p.q.js.Conn(), "write progress "+p.key, p.q.progress.prefix+p.key, err)
	}
	p.entry, p.revision = next, revision
	return nil
}

// update writes a changed entry on behalf of the run that claimed it, and tries
// again while no answer comes and ctx lives. ErrLeaseLost says that the entry is
// another claim's.
func (p *progress) update(ctx context.Context, change func(*progressEntry)) error {
	for {
		next := p.entry
		change(&next)
		err := p.write(ctx, next)
		switch {
		case err == nil:
			return nil
		case isConflict(err):
			// A write without an answer may have been ours.
			mine, revision := p.entry, p.revision
			if err := p.load(ctx); err != nil {
				return err
			}
			if p.entry.Job != "" && !p.entry.sameClaim(mine) {
				p.entry, p.revision = mine, revision
				return p.claimedByAnother()
			}
			mine.CanceledBy = p.entry.CanceledBy
			p.entry = mine
		case isRefusal(err), p.q.js.Conn().IsClosed():
			return err
		}
		if !sleep(ctx, p.q.timings.retryBeat/4) {
			return fmt.Errorf("write progress %s: %w", p.key, err)
		}
	}
}

// Attempt implements [jobs.Progress].
func (p *progress) Attempt() int { return p.attempt }

// Checkpoint implements [jobs.Progress].
func (p *progress) Checkpoint() json.RawMessage { return p.start }

// Save implements [jobs.Progress].
func (p *progress) Save(ctx context.Context, checkpoint any, counters jobs.Counters) error {
	encoded, err := encode(checkpoint)
	if err != nil {
		return fmt.Errorf("encode checkpoint: %w", err)
	}
	if len(encoded) > maxCheckpoint {
		return fmt.Errorf("checkpoint has %d bytes, %d is the limit", len(encoded), maxCheckpoint)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	err = p.update(ctx, func(e *progressEntry) {
		if !bytes.Equal(encoded, p.start) {
			e.Progressed, e.Outages = true, 0
		}
		e.Checkpoint, e.Counters = encoded, counters
	})
	switch {
	case err == nil:
		p.Alive()
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, ErrLeaseLost):
		return err
	default:
		// The bucket or the account refuses: the job waits until there is room.
		return fmt.Errorf("save checkpoint: %w: %w", jobs.ErrUnavailable, err)
	}
}

// Alive implements [jobs.Progress].
func (p *progress) Alive() { p.alive.Store(int64(time.Since(p.began))) }

// Earlier implements [jobs.Progress].
func (p *progress) Earlier() *jobs.Result { return p.earlier }

func (p *progress) lastAlive() time.Time { return p.began.Add(time.Duration(p.alive.Load())) }

// canceledBy looks for the note of whoever removed the job; empty for none.
func (p *progress) canceledBy(ctx context.Context) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	mine, revision := p.entry, p.revision
	if err := p.load(ctx); err != nil || !p.entry.sameClaim(mine) {
		p.entry, p.revision = mine, revision
	}
	return p.entry.CanceledBy
}

// outages in a row, before the present one.
func (p *progress) outages() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.entry.Outages
}

// newest is the checkpoint that was stored last.
func (p *progress) newest() json.RawMessage {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.entry.Checkpoint
}

// spent reports whether the run that just failed was the last one allowed.
func (p *progress) spent() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.entry.Progressed && p.attempt >= p.maxAttempts
}

// failures in a row without progress, before this run.
func (p *progress) failures() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.entry.Progressed {
		return 0
	}
	return p.attempt - 1
}

// close writes the entry at the end of a run that leaves its job unfinished.
func (p *progress) close(ctx context.Context, change func(*progressEntry)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.update(ctx, change)
}

// remove deletes the entry of a finished job. A lost race leaves what is newer.
func (p *progress) remove(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.revision == 0 {
		return nil
	}
	call, cancel := context.WithTimeout(ctx, p.q.timings.call)
	defer cancel()
	if err := p.q.progress.remove(call, p.key, p.revision); err != nil && !isConflict(err) {
		return explain(p.q.js.Conn(), "remove progress "+p.key, p.q.progress.prefix+p.key, err)
	}
	return nil
}

// letGo is remove without waiting for an answer.
func (p *progress) letGo() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.q.progress.removeUnheard(p.key, p.revision)
}
