package purge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"deckhand/internal/receipt"
	"deckhand/internal/table"
	"deckhand/jobs"
)

const (
	// othersPause is how long a purge waits for parts of another plan to leave the
	// queue, which they do as soon as a slot takes them.
	othersPause = 10 * time.Second
	// maxSharedJob is how large a job may be, in bytes, that is shared out: each part
	// carries what it says.
	maxSharedJob = 32 << 10
)

// share hands a purge that is too large for one job to shards. It must be called
// when everything has agreed that the table may be purged, and before anything is
// deleted. Repeating it publishes what is missing: shards that are neither completed
// nor queued, or the finish.
//
// shared is false for a purge that is to go on by itself: a small one, or one that
// has begun so. With shared the error is never nil.
func (r *run) share(ctx context.Context, tree *table.Tree) (shared bool, err error) {
	if r.cfg.Fleet == nil || r.dryRun || r.ck.deletes() {
		return false, nil
	}
	recorded, revision, err := r.cfg.Fleet.Plan(ctx, r.job)
	if err != nil {
		return true, err
	}
	estimate := estimateAll(tree.Manifests, r.deletedEntries)
	files, above := shardSize(r.cfg.ShardFiles, estimate), r.cfg.ShardAbove
	switch {
	case recorded == nil:
	case recorded.Root == r.job.MetadataLocation:
		if ends, err := r.isEnding(ctx, recorded, tree); ends || err != nil {
			return true, err
		}
		// The plan goes on as it was made, whatever the settings are now.
		files, above = recorded.ShardFiles, -1
	default:
		// The same table is being purged from another root. What only that one names
		// would stay if its plan were replaced.
		return false, nil
	}
	if estimate <= above || !r.divisible(tree) {
		return false, nil
	}
	parts := partition(tree.Manifests, files, r.deletedEntries)
	if len(parts) > jobs.MaxShards {
		return false, nil
	}
	// A list that cannot be read hides manifests: better nobody begins.
	if err := r.blockedAt(ctx, levelData); err != nil {
		return true, err
	}
	if r.plan, err = r.makePlan(tree, parts, files, estimate); err != nil {
		return true, err
	}
	if err := r.record(ctx, recorded, revision); err != nil {
		return true, err
	}
	if err := r.publishParts(ctx, parts, foldersOf(tree.Manifests)); err != nil {
		return true, err
	}
	r.receipt.Shards, r.receipt.Plan = r.plan.Shards, r.plan.Plan
	r.book.Note("the table names about %d files in %d manifests: %d shards delete them, and a purge-finish what is above them",
		estimate, len(tree.Manifests), len(parts))
	return true, jobs.PlannedOut()
}

// isEnding leaves a purge to its finish where that may have begun to delete lists: what
// these named cannot be planned any more. With true the error is never nil.
func (r *run) isEnding(ctx context.Context, recorded *jobs.ShardPlan, tree *table.Tree) (bool, error) {
	if len(tree.Unread()) == 0 {
		return false, nil
	}
	all, err := r.cfg.Fleet.AllDone(ctx, r.job, recorded)
	if err != nil || !all {
		return false, err
	}
	if _, err := r.cfg.Fleet.Publish(ctx, recorded.Finish); err != nil {
		return false, err
	}
	r.receipt.Shards, r.receipt.Plan = recorded.Shards, recorded.Plan
	r.book.Note("all shards of this purge are completed, and manifest lists are gone or cannot be read: its last job goes on")
	return true, jobs.PlannedOut()
}

// divisible says whether parts of this purge fit into jobs at all.
func (r *run) divisible(tree *table.Tree) bool {
	encoded, err := r.job.Encode()
	return err == nil && len(encoded) <= maxSharedJob &&
		!slices.ContainsFunc(tree.Manifests, func(m *table.Manifest) bool { return len(m.Path) > maxPath })
}

func (r *run) makePlan(tree *table.Tree, parts []part, files, estimate int64) (*jobs.ShardPlan, error) {
	plan := &jobs.ShardPlan{
		Plan: planOf(r.job, tree.Manifests, files, r.deletedEntries), Job: r.job.ID, Shards: len(parts),
		Files: estimate, ShardFiles: files, Root: r.job.MetadataLocation, Created: jobs.At(time.Now()),
	}
	finish, err := partJob(r.job, jobs.PurgeFinish, plan.Plan+".finish", finishParams{
		Plan: plan.Plan, Shards: plan.Shards, DeletedEntries: r.deletedEntries,
		UUID: r.metadata.UUID, Locations: receipt.FewPaths(r.metadata.Locations(), maxListed),
	})
	plan.Finish = finish
	return plan, err
}

// record stores the plan before anything of it is published. An earlier one of the
// same root is replaced at once, so that its parts end without a delete.
func (r *run) record(ctx context.Context, recorded *jobs.ShardPlan, revision uint64) error {
	if recorded != nil && recorded.Plan == r.plan.Plan {
		r.plan.Created = recorded.Created
		if recorded.Job == r.job.ID {
			return nil
		}
	}
	err := r.cfg.Fleet.SavePlan(ctx, r.job, r.plan, revision)
	if errors.Is(err, jobs.ErrPlanConflict) {
		return jobs.Snooze(othersPause, err)
	}
	return err
}

// publishParts publishes what is missing. Where a part of another plan holds a
// subject, the one of this plan could not be told from it, so those are let leave.
func (r *run) publishParts(ctx context.Context, parts []part, folders []string) error {
	// The queue is asked before the bucket: a shard that has left the one since is in
	// the other.
	there, err := r.noOthers(ctx)
	if err != nil {
		return err
	}
	done, err := r.cfg.Fleet.Done(ctx, r.job, r.plan.Plan)
	if err != nil {
		return err
	}
	for _, d := range done {
		there[d.Shard] = true
	}
	taken := false
	publish := func(part *jobs.Job, err error) error {
		if err != nil {
			return err
		}
		publication, err := r.cfg.Fleet.Publish(ctx, part)
		taken = taken || publication.State == jobs.AlreadyQueued
		r.progress.Alive()
		return err
	}
	for i, p := range parts {
		if there[i+1] {
			continue
		}
		if err := publish(shardJob(r.job, r.plan.Plan, i+1, p, folders, r.deletedEntries)); err != nil {
			return err
		}
	}
	if len(done) == r.plan.Shards {
		if err := publish(r.plan.Finish, nil); err != nil {
			return err
		}
	}
	if taken {
		_, err = r.noOthers(ctx)
	}
	return err
}

// noOthers gives the shards that are in the queue. The error makes the purge come
// back while there are parts of other plans.
func (r *run) noOthers(ctx context.Context) (shards map[int]bool, err error) {
	queued, err := r.cfg.Fleet.Queued(ctx, r.job)
	if err != nil {
		return nil, err
	}
	shards = map[int]bool{}
	for _, part := range queued {
		if id := planIn(part); id != r.plan.Plan {
			return nil, jobs.Snooze(othersPause, fmt.Errorf("a %s of plan %s is still in the queue", part.Kind, cmp.Or(id, "unknown")))
		}
		if part.Kind == jobs.PurgeShard {
			shards[part.Shard] = true
		}
	}
	return shards, nil
}

// goesOn reports whether a purge that has no metadata file any more is one that was
// shared out before and has not ended: its finish was cut off after the last delete.
// It is published again if it must be.
func (r *run) goesOn(ctx context.Context) (bool, error) {
	if r.cfg.Fleet == nil || r.dryRun {
		return false, nil
	}
	plan, _, err := r.cfg.Fleet.Plan(ctx, r.job)
	if err != nil || plan == nil || plan.Root != r.job.MetadataLocation {
		return false, err
	}
	queued, err := r.cfg.Fleet.Queued(ctx, r.job)
	if err != nil {
		return false, err
	}
	for _, part := range queued {
		if planIn(part) == plan.Plan {
			return true, nil
		}
	}
	all, err := r.cfg.Fleet.AllDone(ctx, r.job, plan)
	if err != nil || !all {
		return false, err
	}
	_, err = r.cfg.Fleet.Publish(ctx, plan.Finish)
	return err == nil, err
}
