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
	found  map[message]bool // true: in the newest reading
}

// message is one of RESULTS. A server that ran out of space and was killed gives the
// sequence of a message that it never acknowledged to another.
type message struct {
	sequence uint64
	stored   int64
	subject  string
	end      history.Event
}

// keptPerSubject is how many messages of a subject RESULTS keeps.
const keptPerSubject = 5

func newReader(js jetstream.JetStream, record *history.Record, ended chan<- struct{}) *reader {
	return &reader{js: js, record: record, ended: ended, found: map[message]bool{}}
}

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
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	stream, err := r.js.Stream(ctx, "RESULTS")
	if err != nil {
		return false
	}
	last := stream.CachedInfo().State.LastSeq
	if last+1 < r.next { // it was never acknowledged, and is gone
		r.next = 0
	}
	for r.next = max(r.next, 1); r.next <= last; r.next++ {
		found, err := stream.GetMsg(ctx, r.next)
		switch {
		case err == nil:
			r.note(found)
		case !errors.Is(err, jetstream.ErrMsgNotFound):
			return false
		}
	}
	return true
}

func (r *reader) note(found *jetstream.RawStreamMsg) {
	var result jobs.Result
	if json.Unmarshal(found.Data, &result) != nil {
		return
	}
	text := string(result.Outcome)
	if result.Reason != "" {
		text += ": " + result.Reason
	}
	m := message{sequence: found.Sequence, stored: found.Time.UnixNano(), subject: found.Subject, end: history.Event{
		At: found.Time, What: history.Ended, Worker: result.Worker, Job: result.JobID,
		Tail: strings.TrimPrefix(found.Subject, jobs.ResultSubjectPrefix), Sequence: result.JobSequence,
		Attempt: result.Attempts, Text: text,
	}}
	switch {
	case result.Outcome == jobs.Planned:
		m.end.What = history.Planned
	case !result.Kind.PurgesDropped():
		m.end.Did = did(result.Receipt)
	}
	r.found[m] = true
	select {
	case r.ended <- struct{}{}:
	default:
	}
}

// finish reads everything once more and records what was found. What was seen and is
// gone counts only where newer results have taken its place.
func (r *reader) finish(ctx context.Context) error {
	for m := range r.found {
		r.found[m] = false
	}
	r.next = 0
	for attempt := 0; !r.read(ctx); attempt++ {
		if attempt == 20 || ctx.Err() != nil {
			return errors.New("read results: the stream does not answer")
		}
		time.Sleep(200 * time.Millisecond)
	}
	bySubject := map[string]int{}
	for m, there := range r.found {
		if there {
			bySubject[m.subject]++
		}
	}
	for m, there := range r.found {
		if there || bySubject[m.subject] == keptPerSubject {
			r.record.Add(m.end)
		}
	}
	return nil
}

// did adds up what the receipt of a job for a living table says that it did.
func did(receipt json.RawMessage) int {
	type count struct{ Files int }
	var said struct {
		Removed        struct{ Snapshots int }
		Deleted, Moved map[string]count
		Replaced       count
	}
	if json.Unmarshal(receipt, &said) != nil {
		return 0
	}
	done := said.Removed.Snapshots + said.Replaced.Files
	for _, part := range []map[string]count{said.Deleted, said.Moved} {
		for _, c := range part {
			done += c.Files
		}
	}
	return done
}
