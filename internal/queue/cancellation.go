package queue

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"deckhand/jobs"
)

// cancellation is one call of [Queue.Cancel] for a message of JOBS.
type cancellation struct {
	q      *Queue
	tail   string
	by     string
	id     identity
	job    *jobs.Job
	valid  bool // job is one that a worker could run
	result jobs.Result
}

func newCancellation(q *Queue, tail, by string, msg *jetstream.RawStreamMsg, created jobs.Timestamp) *cancellation {
	c := &cancellation{q: q, tail: tail, by: by, job: readable(msg.Data)}
	if c.job.ID == "" {
		c.job.ID = msg.Header.Get(jobs.HeaderID)
	}
	kind := jobs.Kind(msg.Header.Get(jobs.HeaderKind))
	if decoded, err := jobs.Decode(msg.Data); err == nil {
		c.job, c.valid, kind = decoded, true, decoded.Kind
	}
	c.id = identity{job: c.job.ID, sequence: msg.Sequence, created: created}
	c.result = jobs.Result{
		Version: jobs.Version, JobID: c.job.ID, Kind: kind, Realm: c.job.Realm, Catalog: c.job.Catalog,
		Namespace: c.job.Namespace, Table: c.job.Table, TableUUID: c.job.TableUUID,
		Outcome: jobs.Canceled, Reason: canceledBy(by), Worker: by,
		JobSequence: msg.Sequence, StreamCreated: created, TraceParent: msg.Header.Get(jobs.HeaderTraceParent),
	}
	return c
}

// canceledBy is the reason in the record, whoever writes it.
func canceledBy(by string) string { return oneLine("canceled by " + by) }

// isRun reports whether a worker holds the lease for this job. What cannot be
// learned counts as no: the record is written here then, and a worker that runs
// the job all the same finds it.
func (c *cancellation) isRun(ctx context.Context) bool {
	if !c.valid {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, c.q.timings.call)
	defer cancel()
	var holder Holder
	entry, err := c.q.locks.get(ctx, c.job.LockKey())
	return err == nil && entry.value != nil && json.Unmarshal(entry.value, &holder) == nil &&
		holder.Job == c.job.ID && holder.Kind == c.job.Kind
}

// record writes the end of a job that nobody runs, and returns the record that
// holds.
func (c *cancellation) record(ctx context.Context, sequence uint64) (*jobs.Result, error) {
	result := c.result
	result.FinishedAt = jobs.At(time.Now())
	return c.q.recordResult(ctx, c.tail, c.id, &result, sequence)
}

// leaveToWorker removes a job that runs and waits until its worker has recorded
// the end.
func (c *cancellation) leaveToWorker(ctx context.Context, sequence uint64) (*jobs.Result, error) {
	c.note(ctx)
	if err := c.q.removeJob(ctx, c.id.sequence); err != nil {
		return nil, err
	}
	t := c.q.timings
	for deadline := time.Now().Add(2 * t.heartbeat); time.Now().Before(deadline); {
		last, newest, err := c.q.LastResult(ctx, c.tail)
		if err == nil && c.id.ended(last) {
			return last, nil
		}
		if err == nil {
			sequence = newest
		}
		if !sleep(ctx, min(t.heartbeat/8, 500*time.Millisecond)) {
			// Whoever runs the job records its end all the same.
			return nil, context.Cause(ctx)
		}
	}
	return c.record(ctx, sequence)
}

// note tells the worker who canceled, in the progress entry. It is for the
// wording only, so that it may fail.
func (c *cancellation) note(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, c.q.timings.call)
	defer cancel()
	for range 5 {
		entry, revision, found := c.entry(ctx)
		if !found {
			return
		}
		entry.CanceledBy = c.by
		value, err := encode(entry)
		if err != nil {
			return
		}
		if _, err = c.q.progress.put(ctx, c.tail, value, revision); !isConflict(err) {
			return
		}
	}
}

// entry is what is known of the job in progress.
func (c *cancellation) entry(ctx context.Context) (entry progressEntry, revision uint64, found bool) {
	got, err := c.q.progress.get(ctx, c.tail)
	if err != nil || got.value == nil || json.Unmarshal(got.value, &entry) != nil || entry.Job != c.job.ID {
		return entry, 0, false
	}
	return entry, got.revision, true
}

// forget removes what is known of a canceled job that no worker runs any more,
// and an entry that its worker could not remove because of the note. A dead job's
// entry waits for a requeue. What stays behind harms nobody.
func (c *cancellation) forget(ctx context.Context, end jobs.Outcome) {
	ctx, cancel := context.WithTimeout(ctx, c.q.timings.call)
	defer cancel()
	entry, revision, found := c.entry(ctx)
	delayed := entry.State == stateDelayed && end == jobs.Canceled
	noted := entry.State == stateRunning && entry.CanceledBy != ""
	if found && entry.Sequence == c.id.sequence && (delayed || noted) {
		_ = c.q.progress.remove(ctx, c.tail, revision)
	}
}

// mayRemove asks whether this connection has the right to remove messages of a
// stream, with a request that the server refuses to read.
func (q *Queue) mayRemove(ctx context.Context, stream string) error {
	ctx, cancel := context.WithTimeout(ctx, q.timings.call)
	defer cancel()
	subject := apiPrefix + "STREAM.MSG.DELETE." + stream
	asked := apiPrefixOf(q.js) + "STREAM.MSG.DELETE." + stream
	_, err := q.js.Conn().RequestWithContext(ctx, asked, []byte("{"))
	if errors.Is(err, nats.ErrNoResponders) {
		err = nil // it was not refused; the removal itself says what is wrong
	}
	return explain(q.js.Conn(), "ask for the right to remove messages of "+stream, subject, err)
}
