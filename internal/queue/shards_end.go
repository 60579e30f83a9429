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

// End records how a purge ended whose work its shards and its finish did. result
// is the finish's; it is recorded for the purge itself, and for each other job of
// its subject that was planned and has no end yet. Repeating it is harmless.
func (s *Shards) End(ctx context.Context, plan *jobs.ShardPlan, finish *jobs.Job, result *jobs.Result) error {
	tail := string(jobs.Purge) + "." + finish.ShardBase()
	for range 8 {
		open, last, err := s.unended(ctx, tail, plan.Job)
		if err != nil {
			return err
		}
		if len(open) == 0 {
			return nil
		}
		if open[0].JobSequence == 0 {
			if err := s.stillQueued(ctx, tail, &open[0]); err != nil {
				return err
			}
		}
		end := *result
		end.Kind, end.JobID = jobs.Purge, open[0].JobID
		end.JobSequence, end.StreamCreated, end.TraceParent = open[0].JobSequence, open[0].StreamCreated, open[0].TraceParent
		body, err := encode(end)
		if err != nil {
			return fmt.Errorf("encode result: %w", err)
		}
		msg := &nats.Msg{Subject: jobs.ResultSubjectPrefix + tail, Header: nats.Header{}, Data: body}
		msg.Header.Set(jobs.HeaderID, end.JobID)
		_, err = s.q.publish(ctx, msg, jetstream.WithExpectLastSequencePerSubject(last))
		if err != nil && !isConflict(err) {
			return s.unavailable("record result of "+tail, msg.Subject, err)
		}
	}
	return fmt.Errorf("record result of %s: %w: others keep writing there", tail, jobs.ErrUnavailable)
}

// unended are the newest records of the jobs of a tail that were planned and have
// not ended, and one for the purge itself if it has no record; last is the newest
// sequence.
func (s *Shards) unended(ctx context.Context, tail, purge string) (open []jobs.Result, last uint64, err error) {
	newest, order := map[string]jobs.Result{}, []string{purge}
	for {
		msg, err := s.record(ctx, last+1, tail)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			break
		}
		if err != nil {
			return nil, 0, s.unavailable("read results of "+tail, getAt(resultsStream), err)
		}
		last = msg.Sequence
		var result jobs.Result
		if json.Unmarshal(msg.Data, &result) != nil {
			continue
		}
		if _, known := newest[result.JobID]; !known && result.JobID != purge {
			order = append(order, result.JobID)
		}
		newest[result.JobID] = result
	}
	for _, id := range order {
		result, known := newest[id]
		if !known {
			result = jobs.Result{JobID: id}
		}
		if !known || result.Outcome == jobs.Planned {
			open = append(open, result)
		}
	}
	return open, last, nil
}

// stillQueued takes over which message of JOBS is that of a job without a record, if
// one still is: its run was cut off before it had recorded that it was planned. It is
// not to run again when it has ended.
func (s *Shards) stillQueued(ctx context.Context, tail string, job *jobs.Result) error {
	msg, err := s.q.queued(ctx, jobs.SubjectPrefix+tail)
	if err != nil {
		return fmt.Errorf("%w: %w", jobs.ErrUnavailable, err)
	}
	if msg == nil || readable(msg.Data).ID != job.JobID {
		return nil
	}
	created, err := s.q.refreshCreated(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", jobs.ErrUnavailable, err)
	}
	job.JobSequence, job.StreamCreated = msg.Sequence, created
	job.TraceParent = msg.Header.Get(jobs.HeaderTraceParent)
	return nil
}

func (s *Shards) record(ctx context.Context, from uint64, tail string) (*jetstream.RawStreamMsg, error) {
	ctx, cancel := context.WithTimeout(ctx, s.q.timings.call)
	defer cancel()
	return s.q.results.GetMsg(ctx, from, jetstream.WithGetMsgSubject(jobs.ResultSubjectPrefix+tail))
}

// Remove forgets a plan. If it is the recorded one, the notes of all plans of the
// purge go first and then the plan, so that a removal that was cut off is known
// of; otherwise only what that plan's shards left.
func (s *Shards) Remove(ctx context.Context, job *jobs.Job, plan string) error {
	recorded, _, err := s.Plan(ctx, job)
	if err != nil {
		return err
	}
	base, filter := job.ShardBase(), ".*.*"
	if recorded != nil && recorded.Plan != plan {
		filter = "." + plan + ".*"
	}
	keys, err := s.keys(ctx, base+filter)
	if err != nil {
		return err
	}
	if recorded != nil && recorded.Plan == plan {
		keys = append(keys, planKey(base))
	}
	for _, key := range keys {
		if err := s.clear(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// clear removes a key, whatever it holds.
func (s *Shards) clear(ctx context.Context, key string) error {
	for range 4 {
		call, cancel := context.WithTimeout(ctx, s.q.timings.call)
		entry, err := s.q.shards.get(call, key)
		if err == nil && entry.value != nil {
			err = s.q.shards.expire(call, key, entry.revision)
		}
		cancel()
		if err == nil {
			return nil
		}
		if !isConflict(err) {
			return s.unavailable("remove "+key, s.q.shards.prefix+key, err)
		}
	}
	return fmt.Errorf("remove %s: %w: others keep writing there", key, jobs.ErrUnavailable)
}
