package queue

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"deckhand/jobs"
)

const (
	// resultsBatch and resultsBytes bound what one question for results brings.
	resultsBatch = 500
	resultsBytes = 4 << 20
)

// Results yields the results, oldest first, that were stored after a sequence of
// RESULTS (0: all that are kept) and whose tail matches tailFilter: a tail, or
// one with the wildcards of NATS. "" is all. Messages that are no results are
// passed over. The sequence ends with the first error.
func (q *Queue) Results(ctx context.Context, tailFilter string, after uint64) iter.Seq2[ResultStatus, error] {
	filter := jobs.ResultSubjectPrefix + ">"
	if tail := tailOf(tailFilter); tail != "" {
		filter = jobs.ResultSubjectPrefix + tail
	}
	return func(yield func(ResultStatus, error) bool) {
		for {
			batch, err := q.resultsAfter(ctx, filter, after)
			if err != nil {
				yield(ResultStatus{}, explain(q.js.Conn(), "read results", getAt(resultsStream), err))
				return
			}
			if len(batch) == 0 {
				return
			}
			after = batch[len(batch)-1].Sequence
			for _, msg := range batch {
				result := ResultStatus{Tail: strings.TrimPrefix(msg.Subject, jobs.ResultSubjectPrefix), Sequence: msg.Sequence, Time: jobs.At(msg.Time)}
				if json.Unmarshal(msg.Data, &result.Result) == nil && !yield(result, nil) {
					return
				}
			}
		}
	}
}

// LastResultSequence is that of the newest result, also when that is not kept any
// more; 0 before the first. It falls when the stream is made anew.
func (q *Queue) LastResultSequence(ctx context.Context) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, q.timings.call)
	defer cancel()
	info, err := q.streamInfo(ctx, q.results)
	if err != nil {
		return 0, err
	}
	return info.State.LastSeq, nil
}

// resultsAfter reads some messages at once: one question for each of ten thousand
// tables would take as many round trips.
func (q *Queue) resultsAfter(ctx context.Context, filter string, after uint64) ([]*jetstream.RawStreamMsg, error) {
	ctx, cancel := context.WithTimeout(ctx, q.timings.call)
	defer cancel()
	found, err := jetstreamext.GetBatch(ctx, q.js, resultsStream, resultsBatch,
		jetstreamext.GetBatchSeq(after+1), jetstreamext.GetBatchSubject(filter), jetstreamext.GetBatchMaxBytes(resultsBytes))
	if err != nil {
		return nil, err
	}
	var batch []*jetstream.RawStreamMsg
	for msg, err := range found {
		switch {
		case errors.Is(err, jetstreamext.ErrNoMessages):
			return batch, nil
		case err != nil:
			return nil, err
		}
		batch = append(batch, msg)
	}
	return batch, nil
}

// QueuedTails are the tails of the jobs of a kind that wait, run or are delayed,
// in one catalog of a realm.
func (q *Queue) QueuedTails(ctx context.Context, kind jobs.Kind, realm, catalog string) (map[string]bool, error) {
	return q.tails(ctx, q.jobs, jobs.SubjectPrefix, kind, realm, catalog)
}

// DeadTails are the tails of the kind that have a dead letter, in one catalog of a
// realm.
func (q *Queue) DeadTails(ctx context.Context, kind jobs.Kind, realm, catalog string) (map[string]bool, error) {
	return q.tails(ctx, q.dead, jobs.DeadSubjectPrefix, kind, realm, catalog)
}

func (q *Queue) tails(ctx context.Context, stream jetstream.Stream, prefix string, kind jobs.Kind, realm, catalog string) (map[string]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, q.timings.call)
	defer cancel()
	info, err := q.streamInfo(ctx, stream, jetstream.WithSubjectFilter(prefix+CatalogTails(kind, realm, catalog)))
	if err != nil {
		return nil, err
	}
	tails := make(map[string]bool, len(info.State.Subjects))
	for subject := range info.State.Subjects {
		tails[strings.TrimPrefix(subject, prefix)] = true
	}
	return tails, nil
}

// CatalogTails is the filter for the tails of a kind in one catalog of a realm.
func CatalogTails(kind jobs.Kind, realm, catalog string) string {
	return string(kind) + "." + jobs.EscapeToken(realm) + "." + jobs.EscapeToken(catalog) + ".>"
}
