package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"deckhand/jobs"
)

// delivery is one message of JOBS in a worker's hands.
type delivery struct {
	q        *Queue
	msg      jetstream.Msg
	subject  string
	tail     string
	sequence uint64
	// first: the server says that it is the first delivery. It forgets, so this
	// is good for a guess and for nothing else.
	first  bool
	number uint64
	stored time.Time // by the server's clock
}

func (q *Queue) readDelivery(msg jetstream.Msg) (*delivery, error) {
	meta, err := msg.Metadata()
	if err != nil {
		return nil, fmt.Errorf("read metadata of %s: %w", msg.Subject(), err)
	}
	return &delivery{
		q: q, msg: msg, subject: msg.Subject(), tail: strings.TrimPrefix(msg.Subject(), jobs.SubjectPrefix),
		sequence: meta.Sequence.Stream, first: meta.NumDelivered == 1, number: meta.NumDelivered, stored: meta.Timestamp,
	}, nil
}

func (d *delivery) traceParent() string { return d.msg.Headers().Get(jobs.HeaderTraceParent) }

// identity of the message for a job's id.
func (d *delivery) identity(id string) identity {
	return identity{job: id, sequence: d.sequence, created: d.q.streamCreated()}
}

// exists reports whether the message is still in JOBS.
func (d *delivery) exists(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, d.q.timings.call)
	defer cancel()
	msg, err := d.q.jobs.GetMsg(ctx, d.sequence)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return false, nil
	}
	if err != nil {
		return false, explain(d.q.js.Conn(), "look for the job in "+jobs.StreamName, getAt(jobs.StreamName), err)
	}
	// In a stream that was made anew, the sequence may be another job's.
	return msg.Subject == d.subject, nil
}

// finish removes the message from JOBS and waits for the server's word. A
// missing word is not a failure: a redelivery finds the result.
func (d *delivery) finish(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, d.q.timings.call)
	defer cancel()
	return d.msg.DoubleAck(ctx)
}

// terminate removes the message from JOBS as one that failed for good, and waits
// for the server's word, which the client's own Term does not.
func (d *delivery) terminate(ctx context.Context, reason string) error {
	ctx, cancel := context.WithTimeout(ctx, d.q.timings.call)
	defer cancel()
	_, err := d.q.js.Conn().RequestWithContext(ctx, d.msg.Reply(), []byte("+TERM "+reason))
	if errors.Is(err, nats.ErrNoResponders) {
		return nil // the consumer is gone, and so is the delivery
	}
	return err
}

// delay gives the message back for later.
func (d *delivery) delay(wait time.Duration) error {
	return d.msg.NakWithDelay(max(wait, time.Millisecond))
}
