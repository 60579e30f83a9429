package queue

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v4"
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

// shardsGet is what a read of the bucket is published to: its leader answers.
const shardsGet = "$JS.API.STREAM.MSG.GET." + shardsStream

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
		return nil, 0, s.unavailable("read plan "+key, shardsGet, err)
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
		if bytes.Equal(held, value) {
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
	retry := backoff.NewExponentialBackOff()
	retry.InitialInterval, retry.MaxInterval, retry.MaxElapsedTime = 20*time.Millisecond, time.Second, s.q.timings.settle
	return backoff.Retry(func() error {
		_, err := s.q.publish(ctx, s.q.shards.message(key, value), jetstream.WithExpectLastSequencePerSubject(revision))
		if err == nil {
			return nil
		}
		if !isConflict(err) {
			return backoff.Permanent(s.unavailable("write "+key, subject, err))
		}
		call, cancel := context.WithTimeout(ctx, s.q.timings.call)
		defer cancel()
		entry, err := s.q.shards.get(call, key)
		if err != nil {
			return backoff.Permanent(s.unavailable("read "+key, shardsGet, err))
		}
		if entry.revision == revision {
			// A replicated bucket refuses while another write is on its way, and that one
			// may yet be lost with its leader.
			return fmt.Errorf("write %s: %w: another write is on its way", key, jobs.ErrUnavailable)
		}
		return backoff.Permanent(taken(entry.value))
	}, backoff.WithContext(retry, ctx))
}

// Complete notes that a shard is completed. The first note of a shard holds;
// another one is no error.
func (s *Shards) Complete(ctx context.Context, job *jobs.Job, done *jobs.ShardDone) error {
	key := doneKey(job.ShardBase(), done.Plan, done.Shard)
	value, err := encode(done)
	if err != nil {
		return fmt.Errorf("encode completion: %w", err)
	}
	call, cancel := context.WithTimeout(ctx, s.q.timings.call)
	defer cancel()
	entry, err := s.q.shards.get(call, key)
	if err != nil {
		return s.unavailable("read "+key, shardsGet, err)
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

// DoneBy is the note of one shard of a plan; nil if it is not completed.
func (s *Shards) DoneBy(ctx context.Context, job *jobs.Job, plan string, shard int) (*jobs.ShardDone, error) {
	return s.done(ctx, doneKey(job.ShardBase(), plan, shard))
}

// countDone is how many shards of a plan have left a note. Those that were removed
// within the last hour count too.
func (s *Shards) countDone(ctx context.Context, job *jobs.Job, plan string) (int, error) {
	keys, err := s.keys(ctx, job.ShardBase()+"."+plan+".*")
	return len(keys), err
}

// Done are the notes of a plan's completed shards, in the order of their numbers.
func (s *Shards) Done(ctx context.Context, job *jobs.Job, plan string) ([]*jobs.ShardDone, error) {
	keys, err := s.keys(ctx, job.ShardBase()+"."+plan+".*")
	if err != nil {
		return nil, err
	}
	notes, err := readAll(keys, func(key string) (*jobs.ShardDone, error) { return s.done(ctx, key) })
	if err != nil {
		return nil, err
	}
	notes = slices.DeleteFunc(notes, func(done *jobs.ShardDone) bool { return done == nil })
	slices.SortFunc(notes, func(a, b *jobs.ShardDone) int { return a.Shard - b.Shard })
	return notes, nil
}

// readAll reads what each name stands for, some at a time, and returns it in the
// order of the names.
func readAll[T any](names []string, read func(name string) (T, error)) ([]T, error) {
	all := make([]T, len(names))
	var group errgroup.Group
	group.SetLimit(readsAtOnce)
	for i, name := range names {
		group.Go(func() (err error) {
			all[i], err = read(name)
			return err
		})
	}
	return all, group.Wait()
}

// readsAtOnce is how many entries are read at a time.
const readsAtOnce = 16

// done is the note under a key, nil if it is gone.
func (s *Shards) done(ctx context.Context, key string) (*jobs.ShardDone, error) {
	ctx, cancel := context.WithTimeout(ctx, s.q.timings.call)
	defer cancel()
	entry, err := s.q.shards.get(ctx, key)
	if err != nil {
		return nil, s.unavailable("read "+key, shardsGet, err)
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

// AllDone reports whether each shard of a plan is completed. It reads the notes
// only once there are enough.
func (s *Shards) AllDone(ctx context.Context, job *jobs.Job, plan *jobs.ShardPlan) (bool, error) {
	count, err := s.countDone(ctx, job, plan.Plan)
	if err != nil || count < plan.Shards {
		return false, err
	}
	done, err := s.Done(ctx, job, plan.Plan)
	if err != nil || len(done) != plan.Shards {
		return false, err
	}
	for i, note := range done {
		if note.Shard != i+1 {
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

// Queued are the shards and the finish of the purge that wait or run, of whatever
// plan. Of a message that is no such job only the kind is told.
func (s *Shards) Queued(ctx context.Context, job *jobs.Job) ([]*jobs.Job, error) {
	base, subjects := job.ShardBase(), []string(nil)
	for _, filter := range []string{shardSubjects(base), finishSubject(base)} {
		info, err := s.q.streamInfo(ctx, s.q.jobs, jetstream.WithSubjectFilter(filter))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", jobs.ErrUnavailable, err)
		}
		subjects = append(subjects, slices.Sorted(maps.Keys(info.State.Subjects))...)
	}
	queued, err := readAll(subjects, func(subject string) (*jobs.Job, error) { return s.part(ctx, subject) })
	return slices.DeleteFunc(queued, func(job *jobs.Job) bool { return job == nil }), err
}

// part is the job of a subject, nil if it has left the queue.
func (s *Shards) part(ctx context.Context, subject string) (*jobs.Job, error) {
	msg, err := s.q.queued(ctx, subject)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", jobs.ErrUnavailable, err)
	}
	if msg == nil {
		return nil, nil
	}
	job, err := jobs.Decode(msg.Data)
	if err != nil || job.CheckSubject(subject) != nil {
		kind, _, _ := strings.Cut(strings.TrimPrefix(subject, jobs.SubjectPrefix), ".")
		return &jobs.Job{Kind: jobs.Kind(kind)}, nil
	}
	return job, nil
}

// shardSubjects matches all shards of a purge in JOBS.
func shardSubjects(base string) string {
	return jobs.SubjectPrefix + string(jobs.PurgeShard) + "." + base + ".*"
}

func finishSubject(base string) string {
	return jobs.SubjectPrefix + string(jobs.PurgeFinish) + "." + base
}
