package purge

import (
	"context"
	"errors"
	"fmt"
	"time"

	"deckhand/internal/storage"
	"deckhand/internal/table"
	"deckhand/jobs"
)

// Shards deletes what the manifests of one shard name. It is a [jobs.Handler] of
// kind purge-shard.
//
// A shard deletes nothing above the entries, also where an entry names it, and
// nothing at all unless its plan is the recorded one and it is not completed yet:
// a finish begins when all are, and so never meets one at work.
type Shards struct {
	cfg      Config
	catalogs catalogs
}

var (
	_ jobs.Handler     = (*Shards)(nil)
	_ jobs.AfterResult = (*Shards)(nil)
)

// NewShards makes the handler of kind purge-shard; cfg.Fleet must be set. The error
// names the catalog whose configuration is wrong.
func NewShards(cfg Config) (*Shards, error) {
	found, err := newCatalogs(cfg)
	if err != nil {
		return nil, err
	}
	if cfg.Fleet == nil {
		return nil, errNoFleet
	}
	return &Shards{cfg: cfg.withDefaults(), catalogs: found}, nil
}

var errNoFleet = errors.New("shards of purges are run from the queue only")

// Run implements [jobs.Handler]. The receipt is a *[Receipt] with a report.
func (s *Shards) Run(ctx context.Context, job *jobs.Job, progress jobs.Progress) (any, error) {
	r := newRun(s.cfg, job, progress)
	return r.do(ctx, s.catalogs, r.purgeShard)
}

func (r *run) purgeShard(ctx context.Context) error {
	var params shardParams
	if err := parseParams(r.job.Params, &params, "plan", "manifests", "folders", "deleted_entries", "files"); err != nil {
		return err
	}
	if params.Plan == "" || len(params.Manifests) == 0 {
		return jobs.Permanentf("read params of the job: a shard needs a plan and manifests")
	}
	r.isPart, r.deletedEntries = true, params.DeletedEntries
	r.receipt.Shard = &ShardReport{Plan: params.Plan, Number: r.job.Shard}
	if err := r.refuseDryRun(); err != nil {
		return err
	}
	var err error
	if r.root, err = r.catalog.target(r.job); err != nil {
		return err
	}
	if idle, err := r.notMine(ctx, params.Plan); idle != "" || err != nil {
		r.idle(idle)
		return err
	}
	r.receipt.Shard.Of = r.plan.Shards
	done, err := r.cfg.Fleet.DoneBy(ctx, r.job, params.Plan, r.job.Shard)
	if err != nil {
		return err
	}
	if done != nil {
		r.receipt.Shard.Before = true
		r.idle(fmt.Sprintf("this shard was completed before, on %s", done.FinishedAt.Format(time.RFC3339)))
		return nil
	}
	r.metadata, err = table.Load(ctx, r.reader, r.root)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		r.receipt.Shard.RootGone = true
		r.book.Note("the root metadata file is gone: nothing was left to do for this shard")
		return nil
	case err != nil:
		return rootFailure(ctx, r.job, err)
	}
	if err := checkUUID(r.job, r.metadata.UUID, "table"); err != nil {
		return err
	}
	if err := r.verifyTable(ctx); err != nil {
		return err
	}
	if err := r.begin(ctx, begun(r.job, r.progress.Checkpoint())); err != nil {
		return err
	}
	return r.deleteShard(ctx, &params)
}

// idle notes why there is nothing to do.
func (r *run) idle(why string) {
	if why == "" {
		return
	}
	if r.receipt.Shard != nil {
		r.receipt.Shard.Idle = why
	}
	r.book.Note("%s: nothing was deleted", why)
}

// refuseDryRun keeps parts of purges from those who only try: what a dry run leaves
// would count as deleted.
func (r *run) refuseDryRun() error {
	switch {
	case r.job.DryRun:
		return jobs.Permanentf("a %s cannot be tried: dry-run the purge itself, which is then one job", r.job.Kind)
	case r.dryRun:
		return jobs.Snooze(dryRunPause, fmt.Errorf("this worker makes dry runs only, a %s is for another one", r.job.Kind))
	}
	return nil
}

// dryRunPause is how long a part waits for a worker that deletes.
const dryRunPause = time.Minute

// notMine says why a part of a plan has nothing to do: that plan is not the recorded
// one.
func (r *run) notMine(ctx context.Context, plan string) (why string, err error) {
	recorded, _, err := r.cfg.Fleet.Plan(ctx, r.job)
	switch {
	case err != nil:
		return "", err
	case recorded == nil:
		return r.withoutPlan(ctx)
	case recorded.Plan != plan:
		return fmt.Sprintf("the purge was planned anew as %s since", recorded.Plan), nil
	case r.job.Shard > recorded.Shards:
		return "", jobs.Permanentf("the plan has %d shards, and this is number %d", recorded.Shards, r.job.Shard)
	}
	r.plan = recorded
	return "", nil
}

// withoutPlan tells a purge that has ended from one whose plan was lost. Without the
// right to list, a store answers "denied" for what is not there.
func (r *run) withoutPlan(ctx context.Context) (why string, err error) {
	_, err = table.Load(ctx, r.reader, r.root)
	switch {
	case err == nil:
		return "", jobs.Permanentf("no plan of this purge is recorded, and the table's metadata file is still there: nothing was deleted; " +
			"publish the purge again")
	case errors.Is(err, storage.ErrNotFound), errors.Is(err, storage.ErrDenied):
		return "the purge that this is a part of has ended", nil
	default:
		return "", rootFailure(ctx, r.job, err)
	}
}

// deleteShard is the data level of a shard.
func (r *run) deleteShard(ctx context.Context, params *shardParams) error {
	tree := params.tree()
	above := newShardAbove(r, params, tree)
	d := r.newDataLevel(tree, func(l storage.Location) (bool, error) { return above.has(ctx, l) })
	d.names = newNames(r.plan.Shards)
	r.receipt.total = params.Files
	if err := d.delete(ctx); err != nil {
		return err
	}
	d.report(r.receipt.Shard)
	return nil
}
