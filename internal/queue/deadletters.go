package queue

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"deckhand/jobs"
)

// Headers of a dead letter, beside those of the job.
const (
	headerDeadReason   = "Dead-Reason"
	headerDeadError    = "Dead-Error" // one line of at most 1 KiB
	headerDeadAttempts = "Dead-Attempts"
	headerDeadWorker   = "Dead-Worker"
	headerDeadTime     = "Dead-Time"
	headerJobSequence  = "Job-Seq"
	// headerDeadCheckpoint keeps the checkpoint for a requeue after the progress
	// entry has aged out.
	headerDeadCheckpoint = "Dead-Checkpoint"
	// headerDeadSubject is the job's subject, where the letter's is a short form.
	headerDeadSubject = "Dead-Subject"
)

// maxCopiedHeaders bounds, in bytes, the job's own headers in its letter: the
// server refuses more than 64 KiB of headers, and the job could never be buried.
const maxCopiedHeaders = 24 << 10

// obituary is what a dead letter says beside the job itself.
type obituary struct {
	reason     string
	err        error
	attempts   int
	worker     string
	checkpoint json.RawMessage
}

// postDeadLetter stores a copy of the delivery's message in DEAD and returns
// once the stream has it. Repeating it stores nothing new.
func (q *Queue) postDeadLetter(ctx context.Context, d *delivery, o obituary) error {
	msg := &nats.Msg{Subject: deadSubject(d), Header: copiedHeaders(d.msg.Headers()), Data: d.msg.Data()}
	msg.Header.Set(headerDeadReason, oneLine(o.reason))
	if o.err != nil {
		msg.Header.Set(headerDeadError, oneLine(o.err.Error()))
	}
	msg.Header.Set(headerDeadAttempts, strconv.Itoa(o.attempts))
	msg.Header.Set(headerDeadWorker, o.worker)
	msg.Header.Set(headerDeadTime, time.Now().UTC().Format(time.RFC3339Nano))
	msg.Header.Set(headerJobSequence, strconv.FormatUint(d.sequence, 10))
	if msg.Subject != jobs.DeadSubjectPrefix+d.tail {
		msg.Header.Set(headerDeadSubject, d.subject)
	}
	if len(o.checkpoint) > 0 {
		var compact bytes.Buffer
		if json.Compact(&compact, o.checkpoint) == nil {
			msg.Header.Set(headerDeadCheckpoint, compact.String())
		}
	}
	// The id is the message's, not the job's: a requeued job that dies again
	// within the window would be swallowed, and then removed from JOBS.
	ack, err := q.publish(ctx, msg, jetstream.WithMsgID(strconv.FormatUint(d.sequence, 10)+"/dead"))
	if err == nil && ack.Duplicate && !q.isLetterOf(ctx, ack.Sequence, msg) {
		msg.Header.Del(jetstream.MsgIDHeader)
		_, err = q.publish(ctx, msg)
	}
	if err != nil {
		return explain(q.js.Conn(), "store dead letter of "+d.tail, msg.Subject, err)
	}
	return nil
}

// isLetterOf reports whether DEAD holds, at a sequence, the letter that would be
// stored again.
func (q *Queue) isLetterOf(ctx context.Context, sequence uint64, msg *nats.Msg) bool {
	ctx, cancel := context.WithTimeout(ctx, q.timings.call)
	defer cancel()
	stored, err := q.dead.GetMsg(ctx, sequence)
	return err == nil && stored.Subject == msg.Subject && bytes.Equal(stored.Data, msg.Data) &&
		stored.Header.Get(headerJobSequence) == msg.Header.Get(headerJobSequence)
}

// maxDeadTail is the longest tail that is kept as it is. Longer ones belong to no
// valid job, and a subject over 4 kB would close our connection for good.
const maxDeadTail = 1024

// deadSubject is dead.<tail>, with a tail that no job could have shortened.
func deadSubject(d *delivery) string { return jobs.DeadSubjectPrefix + deadTail(d.tail, d.sequence) }

// deadTail is the tail of the letter of a message of JOBS.
func deadTail(tail string, sequence uint64) string {
	if len(tail) <= maxDeadTail {
		return tail
	}
	kind, _, _ := strings.Cut(tail, ".")
	return kind + ".=~" + strconv.FormatUint(sequence, 10)
}

// copiedHeaders are a message's own headers without those that speak to the
// server: an expectation would refuse the letter, a time to live would expire it.
func copiedHeaders(headers nats.Header) nats.Header {
	out := nats.Header{}
	size := 0
	for name, values := range headers {
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		if strings.HasPrefix(canonical, "Nats-") || strings.HasPrefix(canonical, "Dead-") || canonical == headerJobSequence {
			continue
		}
		for _, value := range values {
			if size += len(name) + len(value) + 4; size <= maxCopiedHeaders {
				out[name] = append(out[name], value)
			}
		}
	}
	return out
}

// bury ends a claimed job for good: the letter is stored first, then the result,
// and only then is the job removed. A crash in between repeats, and loses
// nothing.
func (r *run) bury(ctx context.Context, reason string, cause error, receipt any) settlement {
	err := r.q.postDeadLetter(ctx, r.d, obituary{
		reason: reason, err: cause, attempts: r.progress.attempt, worker: r.w.name, checkpoint: r.progress.newest(),
	})
	if err != nil {
		return r.unsettled(ctx, err, r.releaseLease)
	}
	held, err := r.q.recordResult(ctx, r.d.tail, r.id, r.result(jobs.Dead, oneLine(reason), receipt), r.lastResult)
	if err != nil {
		return r.unsettled(ctx, err, r.releaseLease)
	}
	if err := r.afterResult(ctx, held); err != nil {
		r.log().LogAttrs(ctx, slog.LevelWarn, "work after the result failed", slog.Any("error", err))
	}
	err = r.progress.close(ctx, func(e *progressEntry) {
		e.State, e.LastError = stateDead, oneLine(reason)
	})
	if err != nil {
		r.log().LogAttrs(ctx, slog.LevelWarn, "progress could not be written", slog.Any("error", err))
	}
	if err := r.d.terminate(ctx, oneLine(reason)); err != nil {
		r.log().LogAttrs(ctx, slog.LevelWarn, "job was not seen to leave the queue", slog.Any("error", err))
	}
	r.releaseLease(ctx)
	return settlement{ending: EndDead, message: "job is dead", level: slog.LevelError, err: cause,
		attrs: []slog.Attr{slog.String("reason", reason)}}
}

// buryExhausted ends a job whose attempts were spent before this claim: its
// worker died each time, so nobody else could.
func (r *run) buryExhausted(ctx context.Context) settlement {
	last := r.progress.entry.LastError
	if last == "" {
		last = "each run ended without a word, as when the process is killed"
	}
	reason := fmt.Sprintf("attempts spent (%d): %s", r.progress.attempt, last)
	ctx, cancel := context.WithTimeout(ctx, r.q.timings.settle)
	defer cancel()
	return r.bury(ctx, reason, errors.New(last), nil)
}

// buryUnclaimed ends a message that cannot be claimed because what it says
// cannot be relied on: no lease, no progress, nothing of another job is touched.
func (w *Worker) buryUnclaimed(ctx context.Context, d *delivery, job *jobs.Job, reason string, cause error) settlement {
	ctx, cancel := context.WithTimeout(ctx, w.q.timings.settle)
	defer cancel()
	err := w.q.postDeadLetter(ctx, d, obituary{reason: reason, err: cause, worker: w.name})
	if err == nil {
		err = w.recordUnclaimed(ctx, d, job, reason)
	}
	if err != nil {
		_ = d.delay(w.q.timings.outageDelay(int(min(d.number, 64)) - 1))
		return settlement{ending: EndSnoozed, message: "malformed job could not be buried, it stays queued", level: slog.LevelError, err: err}
	}
	if err := d.terminate(ctx, oneLine(reason)); err != nil {
		w.log.LogAttrs(ctx, slog.LevelWarn, "job was not seen to leave the queue", slog.String("tail", d.tail), slog.Any("error", err))
	}
	return settlement{ending: EndDead, message: "job is dead", level: slog.LevelError, attrs: []slog.Attr{slog.String("reason", reason)}}
}

// recordUnclaimed leaves a result for whoever waits for the job, if the message
// is clear about its id and its subject can be one of RESULTS.
func (w *Worker) recordUnclaimed(ctx context.Context, d *delivery, job *jobs.Job, reason string) error {
	id := d.msg.Headers().Get(jobs.HeaderID)
	if job == nil {
		job = readable(d.msg.Data())
	}
	if job.ID != "" {
		id = job.ID
	}
	if id == "" || len(d.tail) > maxDeadTail || strings.ContainsAny(d.tail, "*>") {
		return nil
	}
	kind, _, _ := strings.Cut(d.tail, ".")
	result := &jobs.Result{
		Version: jobs.Version, JobID: id, Kind: jobs.Kind(kind), Realm: job.Realm, Catalog: job.Catalog,
		Namespace: job.Namespace, Table: job.Table, TableUUID: job.TableUUID,
		Outcome: jobs.Dead, Reason: oneLine(reason), Worker: w.name, FinishedAt: jobs.At(time.Now()),
		JobSequence: d.sequence, StreamCreated: w.q.streamCreated(), TraceParent: d.traceParent(),
	}
	last, sequence, err := w.q.LastResult(ctx, d.tail)
	if err != nil {
		return err
	}
	if d.identity(id).ended(last) {
		return nil
	}
	_, err = w.q.recordResult(ctx, d.tail, d.identity(id), result, sequence)
	return err
}

// readable is what can be read of a body that is no valid job.
func readable(body []byte) *jobs.Job {
	var job jobs.Job
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil {
		return &job
	}
	for name, into := range map[string]any{
		"id": &job.ID, "realm": &job.Realm, "catalog": &job.Catalog, "namespace": &job.Namespace,
		"table": &job.Table, "table_uuid": &job.TableUUID,
	} {
		_ = json.Unmarshal(fields[name], into) // a field that cannot be read stays empty
	}
	return &job
}
