package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"

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

// Cancel removes a job from JOBS and sees to it that RESULTS says so. by is who
// canceled, for the record.
//
// A job that nobody runs is recorded first and removed then. A worker that runs
// it learns of the removal at its next heartbeat, stops, and records the end
// itself, with the attempts and the receipt of what was done; Cancel waits for
// that, for two heartbeats at most (40 s at the default AckWait), and records the
// end when none comes.
//
// A purge that is shared out is canceled with all its parts.
//
// The error wraps [ErrNotQueued] for a job that is not in JOBS, [ErrFinished] for
// one that has ended otherwise, and [ErrDenied], with nothing done, where this
// connection may not remove jobs.
func (q *Queue) Cancel(ctx context.Context, tailOrSubject, by string) error {
	tail := tailOf(tailOrSubject)
	err := q.cancelJob(ctx, tail, by)
	if err != nil && !errors.Is(err, ErrNotQueued) && !errors.Is(err, errPlanned) {
		return err
	}
	// The purge itself first: it may be publishing parts.
	if shared, sharedErr := q.cancelShared(ctx, tail, by); shared || sharedErr != nil {
		return sharedErr
	}
	return err
}

func (q *Queue) cancelJob(ctx context.Context, tail, by string) error {
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
	c := newCancellation(q, tail, by, msg, created)
	if err := q.mayRemove(ctx, jobs.StreamName); err != nil {
		return fmt.Errorf("cancel %s: %w", tail, err)
	}
	last, sequence, err := q.LastResult(ctx, tail)
	if err != nil {
		return err
	}
	switch {
	case c.id.ended(last):
		// Its acknowledgement is on the way, or an earlier cancel got no further.
	case c.isRun(ctx):
		last, err = c.leaveToWorker(ctx, sequence)
	default:
		last, err = c.record(ctx, sequence)
	}
	if err != nil {
		return fmt.Errorf("cancel %s: %w", tail, err)
	}
	if last.Outcome != jobs.Canceled && last.Outcome != jobs.Planned {
		c.forget(ctx, last.Outcome)
		return fmt.Errorf("%w: %s is %s", ErrFinished, tail, last.Outcome)
	}
	if err := q.removeJob(ctx, msg.Sequence); err != nil {
		return fmt.Errorf("cancel %s: %w", tail, err)
	}
	c.forget(ctx, last.Outcome)
	if last.Outcome == jobs.Planned {
		return fmt.Errorf("%w: %s is %s", errPlanned, tail, last.Outcome)
	}
	return nil
}

// errPlanned: the job has ended, and others go on with its work.
var errPlanned = fmt.Errorf("%w", ErrFinished)

func (q *Queue) removeJob(ctx context.Context, sequence uint64) error {
	if err := q.removeMessage(ctx, sequence); !errors.Is(err, errNotThere) {
		return err
	}
	return nil
}

// errNotThere: a message to remove was not in the stream.
var errNotThere = errors.New("message is not in the stream")

// removeMessage is removeJob that says errNotThere for a job that has left JOBS:
// the leader of the stream knows, whatever a replica has told.
func (q *Queue) removeMessage(ctx context.Context, sequence uint64) error {
	ctx, cancel := context.WithTimeout(ctx, q.timings.call)
	defer cancel()
	err := q.jobs.DeleteMsg(ctx, sequence)
	if errors.Is(err, jetstream.ErrMsgNotFound) || isNoMessage(err) {
		return errNotThere
	}
	return explain(q.js.Conn(), "remove the job", "$JS.API.STREAM.MSG.DELETE."+jobs.StreamName, err)
}

// isNoMessage reports that a message to delete is not there (any more). The
// server answers a deletion differently from a read, and the client keeps only
// the words of that answer.
func isNoMessage(err error) bool {
	return errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) && (strings.Contains(err.Error(), "no message found") ||
		strings.Contains(err.Error(), fmt.Sprintf("err_code=%d", codeSequenceNotFound)))
}
