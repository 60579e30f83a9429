package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"deckhand/jobs"
)

// ending is what NATS knows of a job.
type ending int

const (
	// endUnknown: no trace of it. It was never queued, or its records are gone.
	endUnknown ending = iota
	// endPending: it waits, runs or is delayed.
	endPending
	// endCompleted: its files are gone.
	endCompleted
	// endDead: it has a letter, and can be requeued.
	endDead
	// endVoid: it is over without having deleted its files, and does not come back.
	endVoid
)

// ending looks for a job by its id. reason is one line, for endDead and endVoid.
// The streams are asked in the order in which a job leaves them: its end is
// recorded before it leaves JOBS.
func (r *rescuer) ending(ctx context.Context, job *jobs.Job) (end ending, reason string, err error) {
	queued, err := r.last(ctx, jobs.StreamName, job.Subject())
	if err != nil || queued != nil {
		return endPending, "", err
	}
	letter, err := r.last(ctx, "DEAD", jobs.DeadSubjectPrefix+job.Tail())
	if err != nil {
		return endUnknown, "", err
	}
	hasLetter := letter != nil && letter.Header.Get(jobs.HeaderID) == job.ID
	result := &jobs.Result{}
	record, err := r.last(ctx, "RESULTS", jobs.ResultSubjectPrefix+job.Tail())
	switch {
	case err != nil:
		return endUnknown, "", err
	case record != nil && json.Unmarshal(record.Data, result) == nil && result.JobID == job.ID:
		end, reason = endingOf(result)
	}
	if hasLetter && end != endCompleted {
		if reason == "" {
			reason = letter.Header.Get("Dead-Reason")
		}
		return endDead, reason, nil
	}
	return end, reason, nil
}

func endingOf(result *jobs.Result) (ending, string) {
	var receipt *struct {
		DryRun bool `json:"dry_run"`
	}
	switch {
	case result.Outcome == jobs.Planned:
		return endPending, "" // other jobs go on with it
	case result.Outcome != jobs.Completed:
		return endVoid, fmt.Sprintf("%s: %s", result.Outcome, result.Reason)
	case json.Unmarshal(result.Receipt, &receipt) != nil || receipt == nil:
		return endVoid, "completed without a receipt"
	case receipt.DryRun:
		return endVoid, "completed as a dry run: nothing was deleted"
	}
	return endCompleted, ""
}

// queuedJob is the job on a subject; nil if there is none or it cannot be read.
func (r *rescuer) queuedJob(ctx context.Context, subject string) (*jobs.Job, error) {
	msg, err := r.last(ctx, jobs.StreamName, subject)
	if err != nil || msg == nil {
		return nil, err
	}
	job, err := jobs.Decode(msg.Data)
	if err != nil {
		return nil, nil //nolint:nilerr // a worker will say what is wrong with it
	}
	return job, nil
}

// purgeOf is the subject, without its prefix, of a message of the stream that is
// about the purge of any table of the job's name; "" if there is none.
func (r *rescuer) purgeOf(ctx context.Context, stream, prefix string, job *jobs.Job) (string, error) {
	probe := *job
	probe.Kind = jobs.Purge
	if probe.TableUUID == "" {
		probe.TableUUID = strings.Repeat("x", 36) // as long as one, since long names are shortened
	}
	tail := probe.Tail()
	msg, err := r.read(ctx, stream, func(s jetstream.Stream) (*jetstream.RawStreamMsg, error) {
		return s.GetMsg(ctx, 1, jetstream.WithGetMsgSubject(prefix+tail[:strings.LastIndexByte(tail, '.')]+".*"))
	})
	if err != nil || msg == nil {
		return "", err
	}
	return strings.TrimPrefix(msg.Subject, prefix), nil
}

// last is the newest message of a subject; nil if there is none.
func (r *rescuer) last(ctx context.Context, stream, subject string) (*jetstream.RawStreamMsg, error) {
	return r.read(ctx, stream, func(s jetstream.Stream) (*jetstream.RawStreamMsg, error) {
		return s.GetLastMsgForSubject(ctx, subject)
	})
}

func (r *rescuer) read(ctx context.Context, name string, get func(jetstream.Stream) (*jetstream.RawStreamMsg, error)) (*jetstream.RawStreamMsg, error) {
	if r.streams[name] == nil {
		stream, err := r.js.Stream(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("look at stream %s (rescue has to read it): %w", name, err)
		}
		r.streams[name] = stream
	}
	msg, err := get(r.streams[name])
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read stream %s: %w", name, err)
	}
	return msg, nil
}
