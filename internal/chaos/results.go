package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"deckhand/internal/chaos/history"
	"deckhand/jobs"
)

// reader reads RESULTS to its end again and again: the stream keeps only the newest
// few of a subject.
type reader struct {
	js     jetstream.JetStream
	record *history.Record
	ended  chan<- struct{}
	next   uint64
}

// planned is no end: of the purge of a big table others tell that.
const planned jobs.Outcome = "planned"

// follow reads until ctx ends.
func (r *reader) follow(ctx context.Context) {
	for ctx.Err() == nil {
		r.read(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// read reads what is new; it is false when something did not answer.
func (r *reader) read(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	stream, err := r.js.Stream(ctx, "RESULTS")
	if err != nil {
		return false
	}
	last := stream.CachedInfo().State.LastSeq
	for ; r.next <= last; r.next++ {
		message, err := stream.GetMsg(ctx, max(r.next, 1))
		switch {
		case err == nil:
			r.note(message)
		case !errors.Is(err, jetstream.ErrMsgNotFound):
			return false
		}
	}
	return true
}

func (r *reader) note(message *jetstream.RawStreamMsg) {
	var result jobs.Result
	if json.Unmarshal(message.Data, &result) != nil {
		return
	}
	if result.Outcome == planned {
		return
	}
	text := string(result.Outcome)
	if result.Reason != "" {
		text += ": " + result.Reason
	}
	r.record.Add(history.Event{
		At: message.Time, What: history.Ended, Worker: result.Worker, Job: result.JobID,
		Tail: strings.TrimPrefix(message.Subject, jobs.ResultSubjectPrefix), Sequence: result.JobSequence,
		Attempt: result.Attempts, Text: text,
	})
	select {
	case r.ended <- struct{}{}:
	default:
	}
}
