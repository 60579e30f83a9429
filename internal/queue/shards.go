package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"deckhand/jobs"
)

// Shards is the bucket shards: the plans of purges that are shared out, and what
// their completed shards left. Each method takes any job of the purge: itself, one
// of its shards or its finish.
//
// Errors of NATS wrap [jobs.ErrUnavailable]: the job that meets one comes back.
type Shards struct{ q *Queue }

// Shards are the plans of purges that are shared out.
func (q *Queue) Shards() *Shards { return &Shards{q: q} }

// planToken ends the key of a plan.
const planToken = "plan"

func planKey(base string) string { return base + "." + planToken }

func doneKey(base, plan string, shard int) string {
	return base + "." + plan + "." + jobs.ShardToken(shard)
}

// unavailable is a failure of NATS, which no attempt of a job is spent on.
func (s *Shards) unavailable(doing, subject string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", jobs.ErrUnavailable, explain(s.q.js.Conn(), doing, subject, err))
}

// Plan is the recorded plan of the job's purge and its revision; nil, and the
// revision that [Shards.SavePlan] wants, if there is none.
func (s *Shards) Plan(ctx context.Context, job *jobs.Job) (*jobs.ShardPlan, uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, s.q.timings.call)
	defer cancel()
	key := planKey(job.ShardBase())
	entry, err := s.q.shards.get(ctx, key)
	if err != nil {
		return nil, 0, s.unavailable("read plan "+key, getLast(shardsStream, s.q.shards.prefix+key), err)
	}
	plan, err := readPlan(entry)
	return plan, entry.revision, err
}

// readPlan is nil for an entry without a value.
func readPlan(entry bucketEntry) (*jobs.ShardPlan, error) {
	if entry.value == nil {
		return nil, nil
	}
	var plan jobs.ShardPlan
	if err := json.Unmarshal(entry.value, &plan); err != nil {
		return nil, fmt.Errorf("read plan %s: %w", entry.key, err)
	}
	return &plan, nil
}

// SavePlan stores a plan if the recorded one still has the revision. The error is
// [jobs.ErrPlanConflict] if it has not.
func (s *Shards) SavePlan(ctx context.Context, job *jobs.Job, plan *jobs.ShardPlan, revision uint64) error {
	key := planKey(job.ShardBase())
	value, err := encode(plan)
	if err != nil {
		return fmt.Errorf("encode plan: %w", err)
	}
	return s.store(ctx, key, value, revision, func(held []byte) error {
		if string(held) == string(value) {
			return nil // it was stored, and the answer was lost
		}
		return fmt.Errorf("save plan %s: %w", key, jobs.ErrPlanConflict)
	})
}

// store writes a value if the key has the revision, again while no answer comes;
// if it has another one, taken judges what is there.
func (s *Shards) store(ctx context.Context, key string, value []byte, revision uint64, taken func(held []byte) error) error {
	if len(value) > maxShardSize {
		return fmt.Errorf("write %s in bucket %s: it has %d bytes, %d is the limit", key, shardsBucket, len(value), maxShardSize)
	}
	subject := s.q.shards.prefix + key
	_, err := s.q.publish(ctx, s.q.shards.message(key, value), jetstream.WithExpectLastSequencePerSubject(revision))
	if err == nil {
		return nil
	}
	if !isConflict(err) {
		return s.unavailable("write "+key, subject, err)
	}
	call, cancel := context.WithTimeout(ctx, s.q.timings.call)
	defer cancel()
	entry, err := s.q.shards.get(call, key)
	if err != nil {
		return s.unavailable("read "+key, getLast(shardsStream, subject), err)
	}
	return taken(entry.value)
}

// Complete notes that a shard is completed. The first note of a shard holds;
// another one is no error.
func (s *Shards) Complete(ctx context.Context, job *jobs.Job, done jobs.ShardDone) error {
	key := doneKey(job.ShardBase(), done.Plan, done.Shard)
	value, err := encode(done)
	if err != nil {
		return fmt.Errorf("encode completion: %w", err)
	}
	call, cancel := context.WithTimeout(ctx, s.q.timings.call)
	defer cancel()
	entry, err := s.q.shards.get(call, key)
	if err != nil {
		return s.unavailable("read "+key, getLast(shardsStream, s.q.shards.prefix+key), err)
	}
	if entry.value != nil {
		return nil
	}
	return s.store(ctx, key, value, entry.revision, func(held []byte) error {
		if held != nil {
			return nil
		}
		return fmt.Errorf("write %s: %w: it is being removed", key, jobs.ErrUnavailable)
	})
}

// Completed are the notes of a plan's completed shards by their number.
func (s *Shards) Completed(ctx context.Context, job *jobs.Job, plan string) (map[int]jobs.ShardDone, error) {
	base := job.ShardBase()
	keys, err := s.keys(ctx, base+"."+plan+".*")
	if err != nil {
		return nil, err
	}
	found := make([]*jobs.ShardDone, len(keys))
	var group errgroup.Group
	group.SetLimit(readsAtOnce)
	for i, key := range keys {
		group.Go(func() error {
			done, err := s.done(ctx, key)
			found[i] = done
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	all := map[int]jobs.ShardDone{}
	for _, done := range found {
		if done != nil && done.Plan == plan {
			all[done.Shard] = *done
		}
	}
	return all, nil
}

// readsAtOnce is how many entries are read at a time.
const readsAtOnce = 16

// done is the note under a key, nil if it is gone.
func (s *Shards) done(ctx context.Context, key string) (*jobs.ShardDone, error) {
	ctx, cancel := context.WithTimeout(ctx, s.q.timings.call)
	defer cancel()
	entry, err := s.q.shards.get(ctx, key)
	if err != nil {
		return nil, s.unavailable("read "+key, getLast(shardsStream, s.q.shards.prefix+key), err)
	}
	if entry.value == nil {
		return nil, nil
	}
	var done jobs.ShardDone
	if err := json.Unmarshal(entry.value, &done); err != nil || doneKey(baseOf(key), done.Plan, done.Shard) != key {
		return nil, fmt.Errorf("read %s in bucket %s: it is not the note of that shard", key, shardsBucket)
	}
	return &done, nil
}

// baseOf cuts plan and shard off the key of a note.
func baseOf(key string) string {
	tokens := strings.Split(key, ".")
	return strings.Join(tokens[:max(0, len(tokens)-2)], ".")
}

// AllCompleted reports whether each shard of a plan is completed. It reads the
// notes only once there are enough.
func (s *Shards) AllCompleted(ctx context.Context, job *jobs.Job, plan *jobs.ShardPlan) (bool, error) {
	keys, err := s.keys(ctx, job.ShardBase()+"."+plan.Plan+".*")
	if err != nil || len(keys) < plan.Shards {
		return false, err
	}
	done, err := s.Completed(ctx, job, plan.Plan)
	if err != nil {
		return false, err
	}
	for shard := range plan.Shards {
		if _, completed := done[shard+1]; !completed {
			return false, nil
		}
	}
	return true, nil
}

// keys are the keys that match a filter, in order, those that are being removed
// among them.
func (s *Shards) keys(ctx context.Context, filter string) ([]string, error) {
	info, err := s.q.streamInfo(ctx, s.q.shards.stream, jetstream.WithSubjectFilter(s.q.shards.prefix+filter))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", jobs.ErrUnavailable, err)
	}
	keys := slices.Sorted(maps.Keys(info.State.Subjects))
	for i := range keys {
		keys[i] = strings.TrimPrefix(keys[i], s.q.shards.prefix)
	}
	return keys, nil
}

// Publish queues a job of the purge; one that is queued already is no error.
func (s *Shards) Publish(ctx context.Context, job *jobs.Job) (jobs.Publication, error) {
	publication, err := jobs.Publish(ctx, s.q.js, job, jobs.PublishOptions{})
	var invalid *jobs.FieldError
	if err != nil && !errors.As(err, &invalid) {
		err = fmt.Errorf("%w: %w", jobs.ErrUnavailable, err)
	}
	return publication, err
}

// Queued are the numbers of the purge's shards that wait or run, of whatever
// plan, in order.
func (s *Shards) Queued(ctx context.Context, job *jobs.Job) ([]int, error) {
	info, err := s.q.streamInfo(ctx, s.q.jobs, jetstream.WithSubjectFilter(shardSubjects(job.ShardBase())))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", jobs.ErrUnavailable, err)
	}
	shards := []int{}
	for subject := range info.State.Subjects {
		number, err := strconv.Atoi(subject[strings.LastIndexByte(subject, '.')+1:])
		if err != nil {
			number = 0 // not one of ours, and in the way all the same
		}
		shards = append(shards, number)
	}
	slices.Sort(shards)
	return shards, nil
}

// shardSubjects matches all shards of a purge in JOBS.
func shardSubjects(base string) string {
	return jobs.SubjectPrefix + string(jobs.PurgeShard) + "." + base + ".*"
}
