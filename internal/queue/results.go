package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"deckhand/jobs"
)

// maxReceipt is the largest receipt in bytes of JSON. A larger one would make a
// result that the stream refuses, and the job could never settle.
const maxReceipt = 64 << 10

// identity tells one message of JOBS from all others: the job's id alone would
// confuse a requeue with the run before it, and a sequence alone a stream that
// was made anew.
type identity struct {
	job      string
	sequence uint64
	created  jobs.Timestamp
}

// ended reports whether a result records the end of this very message.
func (id identity) ended(result *jobs.Result) bool {
	return result != nil && result.JobID == id.job && result.JobSequence == id.sequence &&
		result.StreamCreated.Equal(id.created.Time)
}

// LastResult is the newest record of a tail and its sequence in RESULTS; nil and
// 0 when there is none.
func (q *Queue) LastResult(ctx context.Context, tail string) (*jobs.Result, uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, q.timings.call)
	defer cancel()
	subject := jobs.ResultSubjectPrefix + tail
	msg, err := q.results.GetLastMsgForSubject(ctx, subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, explain(q.js.Conn(), "read last result of "+tail, getLast(resultsStream, subject), err)
	}
	var result jobs.Result
	if err := json.Unmarshal(msg.Data, &result); err != nil {
		// Not ours, so it ends nothing; its sequence counts all the same.
		return nil, msg.Sequence, nil
	}
	return &result, msg.Sequence, nil
}

// recordResult publishes a result unless the message it ends has one already.
// expected is the sequence of the newest record of the tail that is known. It
// returns the record that holds: the given one, or the earlier one of another
// worker.
func (q *Queue) recordResult(ctx context.Context, tail string, id identity, result *jobs.Result, expected uint64) (*jobs.Result, error) {
	body, err := encode(result)
	if err != nil {
		return nil, fmt.Errorf("encode result: %w", err)
	}
	for tries := 0; ; tries++ {
		msg := &nats.Msg{Subject: jobs.ResultSubjectPrefix + tail, Header: nats.Header{}, Data: body}
		msg.Header.Set(jobs.HeaderID, result.JobID)
		if result.TraceParent != "" {
			msg.Header.Set(jobs.HeaderTraceParent, result.TraceParent)
		}
		_, err := q.publish(ctx, msg, jetstream.WithExpectLastSequencePerSubject(expected))
		if err == nil {
			return result, nil
		}
		if !isConflict(err) || tries == 3 {
			return nil, explain(q.js.Conn(), "record result of "+tail, msg.Subject, err)
		}
		last, sequence, err := q.LastResult(ctx, tail)
		if err != nil {
			return nil, err
		}
		if id.ended(last) {
			return last, nil
		}
		expected = sequence
	}
}

// encodeReceipt is a handler's receipt as JSON, or why there is none.
func encodeReceipt(receipt any) (encoded json.RawMessage, problem string) {
	if receipt == nil {
		return nil, ""
	}
	encoded, err := encode(receipt)
	switch {
	case err != nil:
		return nil, "the receipt could not be encoded: " + oneLine(err.Error())
	case len(encoded) > maxReceipt:
		return nil, fmt.Sprintf("the receipt has %d bytes, %d is the limit, and was left out", len(encoded), maxReceipt)
	case string(encoded) == "null":
		return nil, ""
	}
	return encoded, ""
}
