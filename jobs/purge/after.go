package purge

import (
	"context"
	"encoding/json"
	"fmt"

	"deckhand/jobs"
)

// AfterResult implements [jobs.AfterResult]: a completed shard leaves what it did,
// and whoever then sees all of them publishes the finish. A run that found its shard
// completed publishes only: the one before may have been cut off between the two.
func (s *Shards) AfterResult(ctx context.Context, job *jobs.Job, result *jobs.Result) error {
	if result.Outcome != jobs.Completed {
		return nil
	}
	var r Receipt
	if err := json.Unmarshal(result.Receipt, &r); err != nil {
		return fmt.Errorf("read receipt of shard %d: %w", job.Shard, err)
	}
	if r.Shard == nil {
		return fmt.Errorf("read receipt of shard %d: it tells nothing of the shard", job.Shard)
	}
	report := r.Shard
	if r.DryRun || report.Number != job.Shard || report.Idle != "" && !report.Before {
		return nil
	}
	plan, _, err := s.cfg.Fleet.Plan(ctx, job)
	if err != nil {
		return err
	}
	if plan == nil || plan.Plan != report.Plan || planIn(job) != report.Plan {
		return nil // replaced since, or ended
	}
	if !report.Before {
		if err := s.complete(ctx, job, result, &r); err != nil {
			return err
		}
	}
	all, err := s.cfg.Fleet.AllDone(ctx, job, plan)
	if err != nil || !all {
		return err
	}
	_, err = s.cfg.Fleet.Publish(ctx, plan.Finish)
	return err
}

func (s *Shards) complete(ctx context.Context, job *jobs.Job, result *jobs.Result, r *Receipt) error {
	left := leftBy(r)
	encoded, err := json.Marshal(left)
	if err != nil {
		return fmt.Errorf("encode what shard %d leaves: %w", job.Shard, err)
	}
	dealt := left.Deleted.Total()
	done := &jobs.ShardDone{
		Plan: left.Report.Plan, Shard: job.Shard, Files: dealt.Files, Bytes: dealt.Bytes,
		FinishedAt: result.FinishedAt, Receipt: encoded,
	}
	for _, kept := range left.Kept {
		done.Files += kept.Counts.Total().Files
	}
	return s.cfg.Fleet.Complete(ctx, job, done)
}

// AfterResult implements [jobs.AfterResult]: the end of the finish is the end of the
// purge, and nothing is left to remember of it.
func (f *Finish) AfterResult(ctx context.Context, job *jobs.Job, result *jobs.Result) error {
	if result.Outcome != jobs.Completed {
		return nil
	}
	plan, _, err := f.cfg.Fleet.Plan(ctx, job)
	if err != nil || plan == nil || plan.Plan != planIn(job) {
		return err
	}
	var r Receipt
	if err := json.Unmarshal(result.Receipt, &r); err != nil {
		return fmt.Errorf("read receipt of the finish: %w", err)
	}
	if r.DryRun || r.Plan != plan.Plan {
		return nil // it had nothing to do with this plan
	}
	if err := f.cfg.Fleet.End(ctx, plan, job, result); err != nil {
		return err
	}
	return f.cfg.Fleet.Remove(ctx, job, plan.Plan)
}
