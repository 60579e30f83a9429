package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"deckhand/jobs"
)

// queued is the message of a subject in JOBS, nil if there is none.
func (q *Queue) queued(ctx context.Context, subject string) (*jetstream.RawStreamMsg, error) {
	ctx, cancel := context.WithTimeout(ctx, q.timings.call)
	defer cancel()
	msg, err := q.jobs.GetLastMsgForSubject(ctx, subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) || err == nil && msg.Subject != subject {
		return nil, nil
	}
	if err != nil {
		return nil, explain(q.js.Conn(), "look for job "+subject, getLast(jobs.StreamName, subject), err)
	}
	return msg, nil
}

// Cancel records that a job is canceled, and then removes it from JOBS. A worker
// that runs it learns of it at its next heartbeat and stops. by is who canceled,
// for the record.
//
// The error wraps [ErrNotQueued] for a job that is not in JOBS, and
// [ErrFinished] for one that has ended otherwise.
func (q *Queue) Cancel(ctx context.Context, tailOrSubject, by string) error {
	tail := tailOf(tailOrSubject)
	msg, err := q.queued(ctx, jobs.SubjectPrefix+tail)
	if err != nil {
		return err
	}
	if msg == nil {
		return fmt.Errorf("%w: %s", ErrNotQueued, tail)
	}
	created, err := q.refreshCreated(ctx)
	if err != nil {
		return err
	}
	job := readable(msg.Data)
	if job.ID == "" {
		job.ID = msg.Header.Get(jobs.HeaderID)
	}
	kind := jobs.Kind(msg.Header.Get(jobs.HeaderKind))
	if decoded, err := jobs.Decode(msg.Data); err == nil {
		job, kind = decoded, decoded.Kind
	}
	id := identity{job: job.ID, sequence: msg.Sequence, created: created}
	last, sequence, err := q.LastResult(ctx, tail)
	if err != nil {
		return err
	}
	held := last
	if !id.ended(last) {
		held, err = q.recordResult(ctx, tail, id, &jobs.Result{
			Version: jobs.Version, JobID: job.ID, Kind: kind, Realm: job.Realm, Catalog: job.Catalog,
			Namespace: job.Namespace, Table: job.Table, TableUUID: job.TableUUID,
			Outcome: jobs.Canceled, Reason: oneLine("canceled by " + by), Worker: by, FinishedAt: jobs.At(time.Now()),
			JobSequence: msg.Sequence, StreamCreated: created, TraceParent: msg.Header.Get(jobs.HeaderTraceParent),
		}, sequence)
		if err != nil {
			return fmt.Errorf("cancel %s: %w", tail, err)
		}
	}
	if held.Outcome != jobs.Canceled {
		return fmt.Errorf("%w: %s is %s", ErrFinished, tail, held.Outcome)
	}
	if err := q.removeJob(ctx, msg.Sequence); err != nil {
		return fmt.Errorf("cancel %s: %w", tail, err)
	}
	q.forgetDelayed(ctx, tail, job.ID)
	return nil
}

// forgetDelayed removes what is known of a canceled job that no worker runs; a
// worker that runs it does so itself. What stays behind harms nobody.
func (q *Queue) forgetDelayed(ctx context.Context, tail, id string) {
	ctx, cancel := context.WithTimeout(ctx, q.timings.call)
	defer cancel()
	found, err := q.progress.get(ctx, tail)
	var entry progressEntry
	if err != nil || found.value == nil || json.Unmarshal(found.value, &entry) != nil {
		return
	}
	if entry.Job == id && entry.State == stateDelayed {
		_ = q.progress.remove(ctx, tail, found.revision)
	}
}

func (q *Queue) removeJob(ctx context.Context, sequence uint64) error {
	ctx, cancel := context.WithTimeout(ctx, q.timings.call)
	defer cancel()
	err := q.jobs.DeleteMsg(ctx, sequence)
	if errors.Is(err, jetstream.ErrMsgNotFound) || isNoMessage(err) {
		return nil
	}
	return explain(q.js.Conn(), "remove the job", "$JS.API.STREAM.MSG.DELETE."+jobs.StreamName, err)
}

// isNoMessage reports that a message to delete is not there (any more). The
// server answers a deletion differently from a read.
func isNoMessage(err error) bool {
	var api *jetstream.APIError
	if !errors.As(err, &api) {
		return false
	}
	return api.ErrorCode == codeNoMessage || api.ErrorCode == codeSequenceNotFound ||
		api.ErrorCode == codeDeleteFailed && strings.Contains(api.Description, "no message found")
}
