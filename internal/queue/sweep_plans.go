package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"deckhand/jobs"
)

// note is an entry of the bucket shards without a plan.
type note struct {
	key      string
	revision uint64
}

// notesWithoutPlan finds what shards left whose purge has no plan. A plan is there
// before its first shard and after its last one; without it nobody reads the note
// again.
func (s *sweep) notesWithoutPlan(ctx context.Context) (stray []note, err error) {
	planned := map[string]bool{}
	plans, err := s.shards.keys(ctx, anyPlan)
	if err != nil {
		return nil, err
	}
	for _, key := range plans {
		entry, err := s.q.shards.get(ctx, key)
		if err != nil {
			return nil, s.shards.unavailable("read plan", shardsGet, err)
		}
		planned[strings.TrimSuffix(key, "."+planToken)] = entry.value != nil
	}
	keys, err := s.shards.keys(ctx, "*.*.*.*.*.*.*")
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		base := baseOf(key)
		if planned[base] {
			continue
		}
		revision, plan, err := s.noteWithoutPlan(ctx, key)
		if err != nil {
			return nil, err
		}
		if revision != 0 && !plan {
			stray = append(stray, note{key, revision})
		}
	}
	return stray, nil
}

// noteWithoutPlan reads a note's revision, 0 if it is gone, and whether there is a
// plan for it.
func (s *sweep) noteWithoutPlan(ctx context.Context, key string) (revision uint64, planned bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.q.timings.call)
	defer cancel()
	entry, err := s.q.shards.get(ctx, key)
	if err != nil {
		return 0, false, s.shards.unavailable("read "+key, shardsGet, err)
	}
	plan, err := s.q.shards.get(ctx, planKey(baseOf(key)))
	if err != nil {
		return 0, false, s.shards.unavailable("read plan", shardsGet, err)
	}
	if entry.value != nil {
		revision = entry.revision
	}
	return revision, plan.value != nil, nil
}

// clearNotes removes the notes that have not changed and still have no plan.
func (s *sweep) clearNotes(ctx context.Context, notes []note) error {
	for _, stray := range notes {
		revision, planned, err := s.noteWithoutPlan(ctx, stray.key)
		if err != nil {
			return err
		}
		if revision != stray.revision || planned {
			continue
		}
		f := SweepFinding{What: SweepNote, Action: SweepRemoved, Name: stray.key, Detail: "a shard left it, and its purge has no plan"}
		s.found(ctx, f, func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, s.q.timings.call)
			defer cancel()
			if err := s.q.shards.expire(ctx, stray.key, stray.revision); err != nil && !isConflict(err) {
				return s.shards.unavailable("remove "+stray.key, s.q.shards.prefix+stray.key, err)
			}
			return nil
		})
	}
	return nil
}

// plans publishes the finish of each plan whose shards are all completed, unless
// it was published, and reports plans that stand still.
func (s *sweep) plans(ctx context.Context) error {
	keys, err := s.shards.keys(ctx, anyPlan)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if err := s.plan(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

func (s *sweep) plan(ctx context.Context, key string) error {
	call, cancel := context.WithTimeout(ctx, s.q.timings.call)
	entry, err := s.q.shards.get(call, key)
	cancel()
	if err != nil {
		return s.shards.unavailable("read plan "+key, shardsGet, err)
	}
	plan, err := readPlan(entry)
	f := SweepFinding{What: SweepPlan, Action: SweepReported, Name: key}
	switch {
	case err == nil && plan == nil:
		return nil
	case err != nil || plan.Finish == nil || plan.Finish.Validate() != nil || plan.Finish.ShardBase() != strings.TrimSuffix(key, "."+planToken):
		f.Detail = "it is not readable, so its purge cannot end; publish the purge again"
		s.found(ctx, f, nil)
		return nil
	}
	// What is queued, dead or ended is looked at before what is done.
	base := plan.Finish.ShardBase()
	queued, err := s.q.queuedParts(ctx, base)
	if err != nil || len(queued) > 0 {
		return err // it goes on
	}
	deadShards, err := s.isDead(ctx, strings.TrimPrefix(shardSubjects(base), jobs.SubjectPrefix))
	if err != nil {
		return err
	}
	deadFinish, err := s.isDead(ctx, strings.TrimPrefix(finishSubject(base), jobs.SubjectPrefix))
	if err != nil {
		return err
	}
	ended, known, err := s.endOfFinish(ctx, plan)
	if err != nil {
		return err
	}
	all, err := s.shards.AllDone(ctx, plan.Finish, plan)
	if err != nil && !errors.Is(err, jobs.ErrUnavailable) {
		f.Detail = oneLine(err.Error()) + ": its purge cannot end; remove that key, then publish the purge again"
		s.found(ctx, f, nil)
		return nil
	}
	if err != nil {
		return err
	}
	if still, err := s.isStill(ctx, entry); err != nil || !still {
		return err // it was replaced or has ended meanwhile
	}
	switch {
	case all && deadFinish, !all && deadShards:
		return nil // it waits for a person, and the status shows it
	case !all:
		f.Detail = "shards are missing, as after a cancel; publish the purge again, and it goes on with them"
		s.found(ctx, f, nil)
	case ended == jobs.Canceled:
		f.Detail = "its last job was canceled; publish the purge again, and it is done"
		s.found(ctx, f, nil)
	case ended == jobs.Dead:
		f.Detail = "its last job died, and its dead letter was dropped; publish the purge again, and it is done"
		s.found(ctx, f, nil)
	case !known:
		f.Detail = "its last job is not queued, and records that would tell whether it was canceled are gone; publish the purge again, and it is done"
		s.found(ctx, f, nil)
	default:
		f.What, f.Action = SweepFinish, SweepPublished
		f.Name, f.Detail = plan.Finish.Subject(), fmt.Sprintf("all %d shards are completed", plan.Shards)
		s.found(ctx, f, func(ctx context.Context) error {
			_, err := s.shards.Publish(ctx, plan.Finish)
			return err
		})
	}
	return nil
}

// endOfFinish is how the last job of a plan has ended, "" for not; known is false if
// that may have been and its record is gone. The newest note of a shard was written
// before the last job could end: as long as something older than that is kept, the
// record of its end is kept too.
func (s *sweep) endOfFinish(ctx context.Context, plan *jobs.ShardPlan) (ended jobs.Outcome, known bool, err error) {
	last, _, err := s.q.LastResult(ctx, plan.Finish.Tail())
	if err != nil {
		return "", false, err
	}
	if last != nil && last.JobID == plan.Finish.ID {
		return last.Outcome, true, nil
	}
	call, cancel := context.WithTimeout(ctx, s.q.timings.call)
	newest, err := s.q.shards.stream.GetLastMsgForSubject(call, s.q.shards.prefix+plan.Finish.ShardBase()+"."+plan.Plan+".*")
	cancel()
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return "", false, nil
	}
	if err != nil {
		return "", false, s.shards.unavailable("read notes of plan "+plan.Plan, shardsGet, err)
	}
	info, err := s.info(ctx, s.q.results)
	if err != nil {
		return "", false, err
	}
	return "", info.State.Msgs > 0 && info.State.FirstTime.Before(newest.Time), nil
}

// isStill reports whether an entry of the bucket shards is still the one that was
// read.
func (s *sweep) isStill(ctx context.Context, entry bucketEntry) (bool, error) {
	call, cancel := context.WithTimeout(ctx, s.q.timings.call)
	defer cancel()
	again, err := s.q.shards.get(call, entry.key)
	if err != nil {
		return false, s.shards.unavailable("read "+entry.key, shardsGet, err)
	}
	return again.value != nil && again.revision == entry.revision, nil
}

// isDead reports whether there are dead letters of a filter.
func (s *sweep) isDead(ctx context.Context, filter string) (bool, error) {
	info, err := s.info(ctx, s.q.dead, jetstream.WithSubjectFilter(jobs.DeadSubjectPrefix+filter))
	if err != nil {
		return false, err
	}
	return len(info.State.Subjects) > 0, nil
}
