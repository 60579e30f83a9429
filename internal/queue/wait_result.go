package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"deckhand/jobs"
)

const (
	// resultPause is how often a wait looks for the record, presencePause how
	// often it looks whether the job is still in JOBS.
	resultPause   = 250 * time.Millisecond
	presencePause = 5 * time.Second
	// removedGrace is how long after its removal a job may still get a record: the
	// worker that runs it notices at its next heartbeat, and stops.
	removedGrace = 90 * time.Second
)

// WaitResult waits until the job that was published ends, and returns its
// record. [jobs.Planned] is not the end: the wait goes on to the record that the
// last of the jobs leaves which took the work over, as long as that takes. It needs the right to read RESULTS. If it may also read JOBS, it fails
// with [ErrRemoved] for a job that left JOBS a while ago without a record;
// otherwise it waits for that one until ctx ends.
//
// published is what the publish returned: a job may have had an earlier run
// under the same id, and only a record of this message counts. Without a
// sequence, any record of the job's id does.
func WaitResult(ctx context.Context, js jetstream.JetStream, job *jobs.Job, published jobs.Publication) (*jobs.Result, error) {
	return waitResult(ctx, js, job, published, presencePause, removedGrace)
}

func waitResult(ctx context.Context, js jetstream.JetStream, job *jobs.Job, published jobs.Publication, pause, grace time.Duration) (*jobs.Result, error) {
	w := resultWait{js: js, job: job, published: published, next: 1}
	presence := presenceCheck{js: js, job: job, sequence: published.Sequence}
	for {
		// Asked before the record is looked for: whoever ends a job records that
		// first and removes the job then.
		presence.ask(ctx, pause)
		result, err := w.look(ctx)
		if result != nil {
			return result, nil
		}
		if errors.Is(err, jetstream.ErrMsgNotFound) && !w.planned && presence.goneFor() > grace {
			return nil, fmt.Errorf("wait for result of %s: %w", job.Tail(), ErrRemoved)
		}
		if errors.Is(err, nats.ErrConnectionClosed) || errors.Is(err, ErrDenied) {
			return nil, fmt.Errorf("wait for result of %s: %w", job.Tail(), err)
		}
		if !sleep(ctx, min(resultPause, pause)) {
			return nil, fmt.Errorf("wait for result of %s: %w", job.Tail(), context.Cause(ctx))
		}
	}
}

// resultWait is how far WaitResult has read.
type resultWait struct {
	js        jetstream.JetStream
	job       *jobs.Job
	published jobs.Publication
	stream    jetstream.Stream
	next      uint64 // sequence in RESULTS
	// planned: the message has been handed on, and the job ends under its id.
	planned bool
}

// look reads the records that have come since the last look.
func (w *resultWait) look(ctx context.Context) (*jobs.Result, error) {
	for {
		msg, err := w.read(ctx)
		if err != nil {
			return nil, err
		}
		w.next = msg.Sequence + 1
		var result jobs.Result
		if json.Unmarshal(msg.Data, &result) != nil || result.JobID != w.job.ID {
			continue
		}
		mine := w.published.Sequence == 0 || result.JobSequence == w.published.Sequence
		switch {
		case mine && result.Outcome == jobs.Planned:
			w.planned = true
		case mine, w.planned && result.Outcome != jobs.Planned:
			return &result, nil
		}
	}
}

// read is bounded, since a request that a stopping server took is never answered.
func (w *resultWait) read(ctx context.Context) (*jetstream.RawStreamMsg, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if w.stream == nil {
		stream, err := w.js.Stream(ctx, resultsStream)
		if err != nil {
			return nil, explain(w.js.Conn(), "look at stream "+resultsStream, "$JS.API.STREAM.INFO."+resultsStream, err)
		}
		w.stream = stream
	}
	msg, err := w.stream.GetMsg(ctx, w.next, jetstream.WithGetMsgSubject(jobs.ResultSubjectPrefix+w.job.Tail()))
	if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, explain(w.js.Conn(), "read results of "+w.job.Tail(), getAt(resultsStream), err)
	}
	return msg, err
}

// presenceCheck looks whether a job is still in JOBS.
type presenceCheck struct {
	js       jetstream.JetStream
	job      *jobs.Job
	sequence uint64 // 0 for any message of the job's subject

	created time.Time // of the stream when the job was seen there
	asked   time.Time
	gone    time.Time // zero while the job is there, or while that is not known
	denied  bool      // and so not asked again
}

// goneFor is how long the job has been seen to be gone, 0 if it was not.
func (p *presenceCheck) goneFor() time.Duration {
	if p.gone.IsZero() {
		return 0
	}
	return time.Since(p.gone)
}

// ask looks again if the last look is a pause ago. What cannot be learned leaves
// things as they are.
func (p *presenceCheck) ask(ctx context.Context, pause time.Duration) {
	if p.denied || time.Since(p.asked) < pause {
		return
	}
	there, err := p.look(ctx)
	p.asked = time.Now()
	switch {
	case errors.Is(err, ErrDenied):
		p.denied = true
	case err != nil:
	case there:
		p.gone = time.Time{}
	case p.gone.IsZero():
		p.gone = time.Now()
	}
}

func (p *presenceCheck) look(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	stream, err := p.js.Stream(ctx, jobs.StreamName)
	if err != nil {
		return false, explain(p.js.Conn(), "look at stream "+jobs.StreamName, "$JS.API.STREAM.INFO."+jobs.StreamName, err)
	}
	if p.created.IsZero() {
		p.created = stream.CachedInfo().Created
	}
	if !p.created.Equal(stream.CachedInfo().Created) {
		// Nobody removed the job: the whole stream was made anew, and a worker that
		// runs the job finishes it.
		return true, nil
	}
	msg, err := stream.GetLastMsgForSubject(ctx, p.job.Subject())
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return false, nil
	}
	if err != nil {
		return false, explain(p.js.Conn(), "look for job "+p.job.Tail(), getLast(jobs.StreamName, p.job.Subject()), err)
	}
	return p.sequence == 0 || msg.Sequence == p.sequence, nil
}
