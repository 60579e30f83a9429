package queue

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"deckhand/jobs"
)

// cancelShared cancels the parts of a purge that is shared out, records that for
// the purge and forgets its plan. It reports whether there was one. What the shards
// have deleted stays deleted.
func (q *Queue) cancelShared(ctx context.Context, tail, by string) (found bool, err error) {
	base, isPurge := strings.CutPrefix(tail, string(jobs.Purge)+".")
	if !isPurge || strings.ContainsAny(base, "*> ") {
		return false, nil
	}
	shards := q.Shards()
	call, cancel := context.WithTimeout(ctx, q.timings.call)
	entry, err := q.shards.get(call, planKey(base))
	cancel()
	if err != nil {
		return false, explain(q.js.Conn(), "read plan of "+tail, shardsGet, err)
	}
	plan, err := readPlan(entry)
	if err != nil || plan == nil {
		return false, err
	}
	if plan.Finish == nil {
		return false, fmt.Errorf("cancel %s: its plan names no last job", tail)
	}
	if err := q.mayRemove(ctx, jobs.StreamName); err != nil {
		return true, fmt.Errorf("cancel %s: %w", tail, err)
	}
	if err := q.cancelParts(ctx, base, by); err != nil {
		return true, fmt.Errorf("cancel %s: %w", tail, err)
	}
	result := &jobs.Result{
		Version: jobs.Version, Realm: plan.Finish.Realm, Catalog: plan.Finish.Catalog, Namespace: plan.Finish.Namespace, Table: plan.Finish.Table,
		TableUUID: plan.Finish.TableUUID, Outcome: jobs.Canceled, Reason: canceledBy(by), Worker: by, FinishedAt: jobs.At(time.Now()),
	}
	if err := shards.End(ctx, plan, plan.Finish, result); err != nil {
		return true, fmt.Errorf("cancel %s: %w", tail, err)
	}
	if err := shards.Remove(ctx, plan.Finish, plan.Plan); err != nil {
		return true, fmt.Errorf("cancel %s: %w", tail, err)
	}
	return true, nil
}

// cancelParts cancels what is queued of a purge, until nothing is: a shard that was
// about to end may publish the finish meanwhile.
func (q *Queue) cancelParts(ctx context.Context, base, by string) error {
	for range 5 {
		queued, err := q.queuedParts(ctx, base)
		if err != nil || len(queued) == 0 {
			return err
		}
		var group errgroup.Group
		group.SetLimit(readsAtOnce)
		for _, tail := range slices.Sorted(maps.Keys(queued)) {
			group.Go(func() error {
				err := q.cancelJob(ctx, tail, by)
				if errors.Is(err, ErrFinished) && tail == string(jobs.PurgeFinish)+"."+base || err != nil && !errors.Is(err, ErrNotQueued) && !errors.Is(err, ErrFinished) {
					return err
				}
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
	}
	return errors.New("new parts of it keep coming; cancel it again")
}
