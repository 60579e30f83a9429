package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"deckhand/jobs"
)

// DeadLetter is one message of DEAD.
type DeadLetter struct {
	// Subject of the letter, and of the job that it was.
	Subject    string `json:"subject"`
	JobSubject string `json:"job_subject"`
	// Tail of both, under which the letter is found. It is not quite the job's if
	// that was too long to be one.
	Tail string `json:"tail"`
	// Sequence in DEAD.
	Sequence uint64 `json:"seq"`
	Reason   string `json:"reason"`
	// Error is the first line of the last error.
	Error    string         `json:"error,omitempty"`
	Attempts int            `json:"attempts"`
	Worker   string         `json:"worker"`
	Time     jobs.Timestamp `json:"time"`
	// JobID as the message's header or body says; empty if neither does.
	JobID string `json:"job_id,omitempty"`
	// JobSequence that the job had in JOBS.
	JobSequence uint64 `json:"job_seq"`
	// Body of the job, byte for byte, and the newest checkpoint, JSON or nil.
	Body       []byte `json:"-"`
	Checkpoint []byte `json:"-"`

	header map[string][]string
}

func readDeadLetter(msg *jetstream.RawStreamMsg) *DeadLetter {
	letter := &DeadLetter{
		Subject: msg.Subject, Sequence: msg.Sequence, Body: msg.Data, header: msg.Header,
		JobSubject: jobs.SubjectPrefix + strings.TrimPrefix(msg.Subject, jobs.DeadSubjectPrefix),
		Reason:     msg.Header.Get(headerDeadReason), Error: msg.Header.Get(headerDeadError),
		Worker: msg.Header.Get(headerDeadWorker), Time: jobs.At(msg.Time),
	}
	letter.Tail = strings.TrimPrefix(msg.Subject, jobs.DeadSubjectPrefix)
	if subject := msg.Header.Get(headerDeadSubject); subject != "" {
		letter.JobSubject = subject
	}
	letter.Attempts, _ = strconv.Atoi(msg.Header.Get(headerDeadAttempts))
	letter.JobSequence, _ = strconv.ParseUint(msg.Header.Get(headerJobSequence), 10, 64)
	if died, err := time.Parse(time.RFC3339Nano, msg.Header.Get(headerDeadTime)); err == nil {
		letter.Time = jobs.At(died)
	}
	if checkpoint := msg.Header.Get(headerDeadCheckpoint); json.Valid([]byte(checkpoint)) {
		letter.Checkpoint = []byte(checkpoint)
	}
	if letter.JobID = readable(msg.Data).ID; letter.JobID == "" {
		letter.JobID = msg.Header.Get(jobs.HeaderID)
	}
	return letter
}

// tailOf cuts the stream's prefix off what a person typed.
func tailOf(tailOrSubject string) string {
	for _, prefix := range []string{jobs.SubjectPrefix, jobs.DeadSubjectPrefix, jobs.ResultSubjectPrefix} {
		if tail, found := strings.CutPrefix(tailOrSubject, prefix); found {
			return tail
		}
	}
	return tailOrSubject
}

// DeadLetters yields the letters, oldest first, whose tail matches tailFilter: a
// tail, or one with the wildcards of NATS. "" is all. The sequence ends with the
// first error.
func (q *Queue) DeadLetters(ctx context.Context, tailFilter string) iter.Seq2[*DeadLetter, error] {
	filter := jobs.DeadSubjectPrefix + ">"
	if tail := tailOf(tailFilter); tail != "" {
		filter = jobs.DeadSubjectPrefix + tail
	}
	return func(yield func(*DeadLetter, error) bool) {
		for next := uint64(1); ; {
			msg, err := q.letterFrom(ctx, next, filter)
			if errors.Is(err, jetstream.ErrMsgNotFound) {
				return
			}
			if err != nil {
				yield(nil, explain(q.js.Conn(), "read dead letters", getAt(deadStream), err))
				return
			}
			next = msg.Sequence + 1
			if !yield(readDeadLetter(msg), nil) {
				return
			}
		}
	}
}

func (q *Queue) letterFrom(ctx context.Context, sequence uint64, filter string) (*jetstream.RawStreamMsg, error) {
	ctx, cancel := context.WithTimeout(ctx, q.timings.call)
	defer cancel()
	return q.dead.GetMsg(ctx, sequence, jetstream.WithGetMsgSubject(filter))
}

// DeadLetter is the newest letter of a job, named by its tail or by a subject in
// JOBS, DEAD or RESULTS. The error wraps [ErrNoDeadLetter] if there is none.
func (q *Queue) DeadLetter(ctx context.Context, tailOrSubject string) (*DeadLetter, error) {
	tail := tailOf(tailOrSubject)
	if strings.ContainsAny(tail, "*>") {
		return q.wildLetter(ctx, tail)
	}
	call, cancel := context.WithTimeout(ctx, q.timings.call)
	defer cancel()
	msg, err := q.dead.GetLastMsgForSubject(call, jobs.DeadSubjectPrefix+tail)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, fmt.Errorf("%w: %s; list them with \"worker dead ls\"", ErrNoDeadLetter, tail)
	}
	if err != nil {
		return nil, explain(q.js.Conn(), "read dead letter of "+tail, getLast(deadStream, jobs.DeadSubjectPrefix+tail), err)
	}
	return readDeadLetter(msg), nil
}

// wildLetter finds the letter of a malformed job whose subject looks like a
// pattern, and not the letters that match the pattern.
func (q *Queue) wildLetter(ctx context.Context, tail string) (newest *DeadLetter, err error) {
	for letter, err := range q.DeadLetters(ctx, tail) {
		if err != nil {
			return nil, err
		}
		if letter.Tail == tail {
			newest = letter
		}
	}
	if newest == nil {
		return nil, fmt.Errorf("%w: %s is a pattern; name one job", ErrNoDeadLetter, tail)
	}
	return newest, nil
}

// Requeue publishes a dead job again, as it was, and then removes its newest
// letter. The job gets its attempts back and keeps its checkpoint. If a job of
// the same subject is queued ([jobs.AlreadyQueued]) the letter stays, and so it
// does after any error.
func (q *Queue) Requeue(ctx context.Context, tailOrSubject string) (jobs.Publication, error) {
	letter, err := q.DeadLetter(ctx, tailOrSubject)
	if err != nil {
		return jobs.Publication{}, err
	}
	// Before the job, so that no worker can claim it without its checkpoint.
	if err := q.restoreCheckpoint(ctx, letter); err != nil {
		return jobs.Publication{}, fmt.Errorf("requeue %s: %w", letter.Tail, err)
	}
	publication, err := jobs.PublishRaw(ctx, q.js, letter.JobSubject, copiedHeaders(letter.header), letter.Body)
	if err != nil {
		return publication, fmt.Errorf("requeue %s: %w", letter.Tail, err)
	}
	if publication.State == jobs.AlreadyQueued {
		return publication, nil
	}
	// By its sequence: the job may have died again by now, and that letter stays.
	if err := q.removeLetter(ctx, letter); err != nil {
		return publication, fmt.Errorf("the job is queued, but its letter stays: %w", err)
	}
	return publication, nil
}

// restoreCheckpoint puts a letter's checkpoint back where a claim looks for it,
// unless the job's own is there, or another job of the tail is alive.
func (q *Queue) restoreCheckpoint(ctx context.Context, letter *DeadLetter) error {
	if letter.JobID == "" || len(letter.Checkpoint) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*q.timings.call)
	defer cancel()
	found, err := q.progress.get(ctx, letter.Tail)
	if err != nil {
		return explain(q.js.Conn(), "read progress", getLast(progressStream, q.progress.prefix+letter.Tail), err)
	}
	var entry progressEntry
	if found.value != nil && json.Unmarshal(found.value, &entry) == nil {
		if entry.Job == letter.JobID && len(entry.Checkpoint) > 0 {
			return nil
		}
		queued, err := q.queued(ctx, letter.JobSubject)
		if err != nil || queued != nil {
			return err // the publish will say "already queued"
		}
	}
	value, err := encode(progressEntry{
		Job: letter.JobID, Sequence: letter.JobSequence, Attempts: letter.Attempts, Checkpoint: letter.Checkpoint,
		LastError: letter.Error, State: stateDead, Updated: jobs.At(time.Now()),
	})
	if err != nil {
		return fmt.Errorf("encode progress: %w", err)
	}
	if _, err := q.progress.put(ctx, letter.Tail, value, found.revision); err != nil {
		return explain(q.js.Conn(), "write progress", q.progress.prefix+letter.Tail, err)
	}
	return nil
}

// Drop removes the newest letter of a job. The error wraps [ErrNoDeadLetter] if
// there is none.
func (q *Queue) Drop(ctx context.Context, tailOrSubject string) error {
	letter, err := q.DeadLetter(ctx, tailOrSubject)
	if err != nil {
		return err
	}
	return q.removeLetter(ctx, letter)
}

func (q *Queue) removeLetter(ctx context.Context, letter *DeadLetter) error {
	ctx, cancel := context.WithTimeout(ctx, q.timings.call)
	defer cancel()
	err := q.dead.DeleteMsg(ctx, letter.Sequence)
	if errors.Is(err, jetstream.ErrMsgNotFound) || isNoMessage(err) {
		return nil
	}
	return explain(q.js.Conn(), "remove dead letter of "+letter.Tail, "$JS.API.STREAM.MSG.DELETE."+deadStream, err)
}
