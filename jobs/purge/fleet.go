package purge

import (
	"context"

	"deckhand/jobs"
)

// Fleet is what a purge in shards needs of the queue. job is the purge, one of its
// shards or its finish: what is asked about is the same for all of them. What was
// written is read by whoever asks afterwards: an answer that lags behind would let
// a shard take its plan for a stale one.
//
// An error says nothing about what was written: each of these may be repeated.
type Fleet interface {
	// Plan is the recorded plan and its revision, nil where there is none.
	Plan(ctx context.Context, job *jobs.Job) (plan *jobs.ShardPlan, revision uint64, err error)
	// SavePlan records a plan in the place of the one with the revision; it fails if
	// another was recorded since.
	SavePlan(ctx context.Context, job *jobs.Job, plan *jobs.ShardPlan, revision uint64) error
	// Done is what the completed shards of a plan left, in the order of their numbers.
	Done(ctx context.Context, job *jobs.Job, plan string) ([]*jobs.ShardDone, error)
	// DoneBy is what one shard of a plan left; nil if it is not completed.
	DoneBy(ctx context.Context, job *jobs.Job, plan string, shard int) (*jobs.ShardDone, error)
	// AllDone reports whether each shard of a plan is completed.
	AllDone(ctx context.Context, job *jobs.Job, plan *jobs.ShardPlan) (bool, error)
	// Complete stores what a completed shard leaves. What is stored already stays.
	Complete(ctx context.Context, job *jobs.Job, done *jobs.ShardDone) error
	// Publish puts a shard or a finish into the queue, unless its subject is taken.
	Publish(ctx context.Context, part *jobs.Job) (jobs.Publication, error)
	// Queued are the shards and the finish that wait or run, of whatever plan.
	Queued(ctx context.Context, job *jobs.Job) ([]*jobs.Job, error)
	// End records the result of a finish as the end of the purge, unless that has
	// one already.
	End(ctx context.Context, plan *jobs.ShardPlan, finish *jobs.Job, result *jobs.Result) error
	// Remove forgets a plan, its completed shards first, if it is still the recorded
	// one.
	Remove(ctx context.Context, job *jobs.Job, plan string) error
}
