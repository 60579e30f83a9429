package purge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"deckhand/internal/storage"
	"deckhand/internal/table"
	"deckhand/jobs"
)

// Finish deletes what is above the entries of a table when all shards of its purge
// are completed. It is a [jobs.Handler] of kind purge-finish, and its end is that of
// the purge: it adds up what the shards did.
//
// It begins nothing while a shard is in the queue, and nothing unless each shard of
// the recorded plan has left that it is completed. Where these do not tell enough,
// since the settings or the manifest lists have changed meanwhile, it goes through
// the entries itself as a purge does that is one job.
type Finish struct {
	cfg      Config
	catalogs catalogs
}

var (
	_ jobs.Handler     = (*Finish)(nil)
	_ jobs.AfterResult = (*Finish)(nil)
)

// NewFinish makes the handler of kind purge-finish; cfg.Fleet must be set. The error
// names the catalog whose configuration is wrong.
func NewFinish(cfg Config) (*Finish, error) {
	found, err := newCatalogs(cfg)
	if err != nil {
		return nil, err
	}
	if cfg.Fleet == nil {
		return nil, errNoFleet
	}
	return &Finish{cfg: cfg.withDefaults(), catalogs: found}, nil
}

// Run implements [jobs.Handler]. The receipt is a *[Receipt].
func (f *Finish) Run(ctx context.Context, job *jobs.Job, progress jobs.Progress) (any, error) {
	r := newRun(f.cfg, job, progress)
	done, err := r.do(ctx, f.catalogs, r.purgeRest)
	if r.sums != nil {
		r.sums.complete(done)
	}
	return done, err
}

func (r *run) purgeRest(ctx context.Context) error {
	var params finishParams
	if err := parseParams(r.job.Params, &params, "plan", "shards", "deleted_entries", "uuid", "locations"); err != nil {
		return err
	}
	r.deletedEntries = params.DeletedEntries
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
	if err := r.allShards(ctx); err != nil {
		return err
	}
	r.receipt.Plan, r.receipt.Shards = r.plan.Plan, r.plan.Shards
	earlier := begun(r.job, r.progress.Checkpoint())
	r.metadata, err = table.Load(ctx, r.reader, r.root)
	switch {
	case err != nil && earlier != nil && earlier.deletes():
		return r.finishWithoutRoot(ctx, earlier, err)
	case errors.Is(err, storage.ErrNotFound):
		return r.rootWentBefore(ctx, &params, err)
	case err != nil:
		return rootFailure(ctx, r.job, err)
	}
	if earlier != nil && !strings.EqualFold(earlier.UUID, r.metadata.UUID) {
		earlier = nil
	}
	if err := checkUUID(r.job, r.metadata.UUID, "table"); err != nil {
		return err
	}
	if err := r.verifyTable(ctx); err != nil {
		return err
	}
	if err := r.begin(ctx, earlier); err != nil {
		return err
	}
	tree, err := r.readTree(ctx)
	if err != nil {
		return err
	}
	if r.ck.Level == levelData && !r.ck.Again && !r.ck.Alone {
		if err := r.adopt(ctx, tree); err != nil {
			return err
		}
	}
	return r.deleteLevels(ctx, tree)
}

const (
	// ackPatience is how long a finish looks again whether the last shard has left
	// the queue, which published it a moment before that; shardPause is when it comes
	// back if not.
	ackPatience = time.Second
	ackLook     = 50 * time.Millisecond
	shardPause  = 5 * time.Second
)

// allShards lets the run go on when no shard is in the queue, of whatever plan, and
// each of this one is completed. The queue is asked first: what has left it since has
// left its completion before that.
func (r *run) allShards(ctx context.Context) error {
	queued, err := r.queuedShards(ctx)
	if err != nil {
		return err
	}
	done, err := r.cfg.Fleet.Done(ctx, r.job, r.plan.Plan)
	if err != nil {
		return err
	}
	var missing []int
	for number := 1; number <= r.plan.Shards; number++ {
		completed := func(d *jobs.ShardDone) bool { return d.Shard == number && d.Plan == r.plan.Plan }
		if !slices.ContainsFunc(done, completed) {
			missing = append(missing, number)
		}
	}
	switch {
	case queued > 0:
		return jobs.Snooze(shardPause, fmt.Errorf("%d shards of this purge are in the queue still", queued))
	case len(missing) > 0:
		return jobs.Permanentf("%d of %d shards are neither completed nor in the queue, number %d among them: nothing was deleted; "+
			"requeue those that are dead, or publish the purge again", len(missing), r.plan.Shards, missing[0])
	case len(done) != r.plan.Shards:
		return jobs.Permanentf("the plan has %d shards, and %d are completed: nothing was deleted; publish the purge again", r.plan.Shards, len(done))
	}
	r.sums, err = sumOf(done)
	return jobs.Permanent(err)
}

// queuedShards counts the shards that wait or run, waiting a little for there to be
// none.
func (r *run) queuedShards(ctx context.Context) (count int, err error) {
	look := time.NewTicker(ackLook)
	defer look.Stop()
	for deadline := time.Now().Add(ackPatience); ; {
		queued, err := r.cfg.Fleet.Queued(ctx, r.job)
		if err != nil {
			return 0, err
		}
		count := len(slices.DeleteFunc(queued, func(part *jobs.Job) bool { return part.Kind != jobs.PurgeShard }))
		if count == 0 || time.Now().After(deadline) {
			return count, nil
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// rootWentBefore ends a purge whose metadata file was gone when its shards were
// done, or before.
func (r *run) rootWentBefore(ctx context.Context, params *finishParams, loadErr error) error {
	left := &r.sums.left
	earlier := &checkpoint{
		UUID: params.UUID, MetadataLocation: r.job.MetadataLocation, Locations: params.Locations, Level: levelData,
		Deleted: left.Deleted, Absent: left.Absent, Kept: left.Kept, AtMost: left.AtMost,
	}
	err := r.finishWithoutRoot(ctx, earlier, loadErr)
	r.receipt.Resumed, r.receipt.Kept, r.receipt.AbsentPaths = false, left.Kept, left.AbsentPaths
	return err
}

// adopt takes over what the shards did, if that is the data level of what the table
// names now, decided as it would be now. If not, the run goes through the entries
// itself.
func (r *run) adopt(ctx context.Context, tree *table.Tree) error {
	if why := r.unlike(tree); why != "" {
		r.book.Note("%s: this job went through all entries again by itself", why)
		r.ck.Alone = true
		return r.save(ctx)
	}
	r.gone = make([]bool, len(tree.Manifests))
	i := 0
	for number, part := range partition(tree.Manifests, r.plan.ShardFiles, r.deletedEntries) {
		report := &r.sums.shards[number].Report
		for within, m := range part.manifests {
			r.gone[i] = isSet(report.Gone, within)
			if isSet(report.Held, within) {
				r.hold(m.Path)
			}
			i++
		}
	}
	left := &r.sums.left
	r.receipt.Deleted.AddAll(left.Deleted)
	r.receipt.AtMost = r.receipt.AtMost || left.AtMost
	if r.receipt.Absent == nil {
		r.receipt.Absent = Counts{}
	}
	r.receipt.Absent.AddAll(left.Absent)
	r.receipt.AbsentPaths = appendNew(r.receipt.AbsentPaths, left.AbsentPaths)
	if len(left.Kept) > 0 {
		if r.receipt.Kept == nil {
			r.receipt.Kept = left.Kept
		} else {
			addKept(r.receipt.Kept, left.Kept)
		}
	}
	r.receipt.Notes = appendNew(r.receipt.Notes, left.Notes)
	r.receipt.Manifests, r.ck.Manifests = len(tree.Manifests), len(tree.Manifests)
	r.adopted = true
	return r.blockedAt(ctx, levelData)
}

// unlike says why what the shards did is not what this run would have done.
func (r *run) unlike(tree *table.Tree) string {
	parts := partition(tree.Manifests, r.plan.ShardFiles, r.deletedEntries)
	if planOf(r.job, tree.Manifests, r.plan.ShardFiles, r.deletedEntries) != r.plan.Plan || len(parts) != len(r.sums.shards) {
		return "the manifest lists name other manifests than when the shards were planned"
	}
	settings := hashOfTexts(r.settings())
	for i := range r.sums.shards {
		left := &r.sums.shards[i]
		switch {
		case left.Report.Number != i+1 || left.Report.Plan != r.plan.Plan:
			return "a shard left what is not its own"
		case left.Report.RootGone:
			return "the metadata file was not there for a shard"
		case left.Report.Manifests != hashOfManifests(parts[i].manifests):
			return "a shard worked on other manifests than its own"
		case r.removesVersions() && !left.Report.AllVersions:
			return "all versions of files are to go since a shard left some"
		case left.Report.Settings != settings && (left.Report.Unread || len(left.Kept[OutsideScope].Counts) > 0):
			return "what a purge may delete was set anew since a shard kept files outside"
		}
	}
	return ""
}
