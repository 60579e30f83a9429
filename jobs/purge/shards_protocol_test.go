package purge_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"deckhand/internal/s3test"
	"deckhand/internal/tabletest"
	"deckhand/jobs"
	"deckhand/jobs/purge"
)

// planned is a line with a purge of four shards that has been planned and no more.
func planned(t *testing.T) (*line, tabletest.HandmadeTable, *jobs.Job, []string) {
	t.Helper()
	y := newYard(t)
	h := numbered(4, 2)
	neighbours := y.lay(h)
	l := newLine(y, purge.Policy{}, 1)
	job := jobFor(tabletest.HandmadeUUID, h.Root)
	l.submit(job)
	require.True(t, l.one("purge"))
	require.Len(t, l.waiting(), 4)
	return l, h, job, neighbours
}

// one settles the first job whose tail begins so.
func (l *line) one(kind string) bool {
	l.t.Helper()
	for _, msg := range l.waiting() {
		if strings.HasPrefix(msg.Subject, "jobs."+kind+".") {
			settled, err := l.settle(msg)
			require.NoError(l.t, err)
			return settled
		}
	}
	l.t.Fatalf("no %s is in the queue", kind)
	return false
}

// shard is the message of one shard.
func (l *line) shard(number int) *jetstream.RawStreamMsg {
	l.t.Helper()
	for _, msg := range l.waiting() {
		if strings.HasSuffix(msg.Subject, "."+jobs.ShardToken(number)) {
			return msg
		}
	}
	l.t.Fatalf("shard %d is not in the queue", number)
	return nil
}

// cancel removes a job as "worker cancel" does when nobody runs it.
func (l *line) cancel(msg *jetstream.RawStreamMsg) *jobs.Job {
	l.t.Helper()
	job, err := jobs.Decode(msg.Data)
	require.NoError(l.t, err)
	require.NoError(l.t, l.q.Cancel(l.t.Context(), job.Tail(), "test"))
	return job
}

// keepsAbove says that nothing above the entries is gone.
func (l *line) keepsAbove(h tabletest.HandmadeTable) {
	l.t.Helper()
	keys := l.keys()
	require.Contains(l.t, keys, h.Root)
	for _, m := range h.Manifests {
		require.Contains(l.t, keys, m.Path)
	}
	for _, list := range h.Lists {
		require.Contains(l.t, keys, list.Path)
	}
}

func TestADeadShardKeepsTheFinishAwayUntilItIsRequeued(t *testing.T) {
	t.Parallel()
	l, h, job, neighbours := planned(t)
	l.refuse(home + "/data/2-1")
	l.drain()
	require.Len(t, l.dead, 1)
	require.Empty(t, l.waiting())
	require.Zero(t, l.count(jobs.PurgeFinish))
	l.keepsAbove(h)
	require.Len(t, l.keys(), len(neighbours)+4+1+1+1, "the other shards are done")
	receipt, _ := l.ended(job)
	require.Nil(t, receipt)

	l.server.Fault(nil)
	l.dead = map[string]error{}
	plan, _, err := l.q.Shards().Plan(t.Context(), job)
	require.NoError(t, err)
	require.Equal(t, job.ID, plan.Job)
	again := shardOf(t, l, job, 3)
	l.submit(again)
	l.drain()
	require.Empty(t, l.dead)
	require.Equal(t, neighbours, l.keys())
	receipt, _ = l.ended(job)
	require.EqualValues(t, 8, receipt.Deleted[purge.Data].Files)
	require.Equal(t, 1, l.count(jobs.PurgeFinish))
	require.False(t, receipt.AtMost)
}

// shardOf is the shard as it was published, from the record of its end.
func shardOf(t *testing.T, l *line, job *jobs.Job, number int) *jobs.Job {
	t.Helper()
	shard := *job
	shard.Kind, shard.Shard = jobs.PurgeShard, number
	body := l.bodies[shard.Subject()]
	require.NotEmpty(t, body)
	decoded, err := jobs.Decode(body)
	require.NoError(t, err)
	return decoded
}

func TestACanceledShardKeepsTheFinishAwayUntilThePurgeIsPublishedAgain(t *testing.T) {
	t.Parallel()
	l, h, job, neighbours := planned(t)
	l.cancel(l.shard(2))
	l.drain()
	require.Empty(t, l.waiting())
	require.Zero(t, l.count(jobs.PurgeFinish))
	l.keepsAbove(h)
	require.Contains(t, l.keys(), home+"/data/1-0")

	again := *job
	again.ID = "01TESTJOBAGAIN"
	l.submit(&again)
	require.True(t, l.one("purge"))
	require.Len(t, l.waiting(), 1, "only what is missing")
	l.drain()
	require.Equal(t, neighbours, l.keys())
	receipt, result := l.ended(job)
	require.NotNil(t, receipt)
	require.EqualValues(t, 8, receipt.Deleted[purge.Data].Files)
	require.Equal(t, jobs.Completed, result.Outcome)
	ends := map[string]jobs.Outcome{}
	for result, err := range l.q.Results(t.Context(), job.Tail(), 0) {
		require.NoError(t, err)
		ends[result.Result.JobID] = result.Result.Outcome
	}
	require.Equal(t, map[string]jobs.Outcome{job.ID: jobs.Completed, again.ID: jobs.Completed}, ends, "both were waited for")
}

func TestAFinishThatComesTooEarlyDeletesNothing(t *testing.T) {
	t.Parallel()
	l, h, job, neighbours := planned(t)
	plan, _, err := l.q.Shards().Plan(t.Context(), job)
	require.NoError(t, err)
	l.submit(plan.Finish)
	require.False(t, l.one("purge-finish"), "shards are in the queue")
	l.keepsAbove(h)
	for number := range 3 {
		settled, err := l.settle(l.shard(number + 1))
		require.NoError(t, err)
		require.True(t, settled)
		require.False(t, l.one("purge-finish"), "a shard is in the queue")
	}
	shard := l.cancel(l.shard(4))
	require.True(t, l.one("purge-finish"))
	require.ErrorContains(t, l.dead[plan.Finish.Tail()], "1 of 4 shards are neither completed nor in the queue, number 4")
	l.keepsAbove(h)

	l.submit(shardOf(t, l, shard, 4))
	l.dead = map[string]error{}
	l.drain()
	require.Empty(t, l.dead)
	require.Equal(t, neighbours, l.keys())
	receipt, _ := l.ended(job)
	require.EqualValues(t, 8, receipt.Deleted[purge.Data].Files)
}

func TestAnotherShardSizeDoesNotChangeAPlanThatIsUnderWay(t *testing.T) {
	t.Parallel()
	l, _, job, neighbours := planned(t)
	before, _, err := l.q.Shards().Plan(t.Context(), job)
	require.NoError(t, err)
	require.True(t, l.one("purge-shard"))
	l.cfg.ShardFiles, l.cfg.ShardAbove = 1000, 1_000_000
	l.rebuild()
	again := *job
	again.ID = "01TESTJOBAGAIN"
	l.submit(&again)
	require.True(t, l.one("purge"))
	after, _, err := l.q.Shards().Plan(t.Context(), job)
	require.NoError(t, err)
	require.Equal(t, before.Plan, after.Plan)
	require.Equal(t, 4, after.Shards)
	require.Equal(t, again.ID, after.Job)
	require.Len(t, l.waiting(), 3)
	l.drain()
	require.Equal(t, neighbours, l.keys())
	require.Equal(t, 4, l.count(jobs.PurgeShard))
	require.Equal(t, 1, l.count(jobs.PurgeFinish))
}

// A plan becomes stale when the manifest lists name other manifests than before.
func TestPartsOfAStalePlanDeleteNothingAndNeverLeadToAFinish(t *testing.T) {
	t.Parallel()
	l, h, job, neighbours := planned(t)
	stale, _, err := l.q.Shards().Plan(t.Context(), job)
	require.NoError(t, err)
	require.True(t, l.one("purge-shard"))
	// The list now names one manifest fewer.
	more := h
	more.Lists[0].Manifests = more.Lists[0].Manifests[:3]
	more.Manifests[3].Path = home + "/metadata/unnamed.avro"
	l.load(tabletest.Objects{h.Lists[0].Path: more.Objects()[h.Lists[0].Path]})

	again := *job
	again.ID = "01TESTJOBAGAIN"
	l.submit(&again)
	require.False(t, l.one("purge"), "shards of the other plan are in the queue")
	current, _, err := l.q.Shards().Plan(t.Context(), job)
	require.NoError(t, err)
	require.NotEqual(t, stale.Plan, current.Plan)
	require.Equal(t, 3, current.Shards)
	keys := l.keys()
	for range 3 {
		require.True(t, l.one("purge-shard"))
	}
	require.Equal(t, keys, l.keys(), "shards of another plan delete nothing")
	l.submit(stale.Finish)
	require.False(t, l.one("purge"), "so is its finish")
	require.True(t, l.one("purge-finish"))
	require.Equal(t, keys, l.keys(), "nor does its finish")
	receipt, _ := l.ended(job)
	require.Nil(t, receipt)

	require.True(t, l.one("purge"))
	l.drain()
	require.Empty(t, l.dead)
	_ = neighbours
	require.NotContains(t, l.keys(), h.Root)
	receipt, _ = l.ended(job)
	require.Equal(t, 3, receipt.Manifests)
	require.Equal(t, 3, receipt.Shards)
}

func TestAShardWhosePlanWasReplacedBeforeItCouldSayThatItIsDoneLeavesNothing(t *testing.T) {
	t.Parallel()
	l, _, job, _ := planned(t)
	plan, revision, err := l.q.Shards().Plan(t.Context(), job)
	require.NoError(t, err)
	l.steps, l.cut = 0, 2 // its result is recorded, what it leaves is not
	_, err = l.settle(l.shard(1))
	require.ErrorIs(t, err, errKilled)
	other := *plan
	other.Plan, other.Shards = "0123456789abcdef", 1
	require.NoError(t, l.q.Shards().SavePlan(t.Context(), job, &other, revision))
	settled, err := l.settle(l.shard(1))
	require.NoError(t, err)
	require.True(t, settled)
	done, err := l.q.Shards().Done(t.Context(), job, plan.Plan)
	require.NoError(t, err)
	require.Empty(t, done)
}

func TestAPurgeThatIsPublishedAgainWhileItsFinishIsCutOffEndsToo(t *testing.T) {
	t.Parallel()
	l, h, job, neighbours := planned(t)
	for range 4 {
		require.True(t, l.one("purge-shard"))
	}
	finish := l.waiting()[0]
	l.steps, l.cut = 0, 1 // all is deleted, and no result is recorded
	_, err := l.settle(finish)
	require.ErrorIs(t, err, errKilled)
	require.NotContains(t, l.keys(), h.Root)
	again := *job
	again.ID = "01TESTJOBAGAIN"
	l.submit(&again)
	require.True(t, l.one("purge"))
	require.Empty(t, l.dead)
	l.drain()
	require.Empty(t, l.dead)
	require.Equal(t, neighbours, l.keys())
	for result, err := range l.q.Results(t.Context(), job.Tail(), 0) {
		require.NoError(t, err)
		if result.Result.Outcome != jobs.Planned {
			require.Equal(t, jobs.Completed, result.Result.Outcome)
		}
	}
	_, result := l.ended(&again)
	require.NotNil(t, result)
}

// The table was registered again from an earlier metadata file, and dropped again,
// while it is purged.
func TestAPurgeFromAnotherRootIsOneJobAndLeavesThePlanAlone(t *testing.T) {
	t.Parallel()
	l, h, job, neighbours := planned(t)
	other := h
	other.Root = home + "/metadata/10.metadata.json"
	l.load(tabletest.Objects{other.Root: other.Objects()[other.Root]})
	again := *job
	again.ID, again.MetadataLocation = "01TESTJOBAGAIN", other.Root
	l.submit(&again)
	require.True(t, l.one("purge"))
	require.NotContains(t, l.keys(), other.Root)
	require.Contains(t, l.keys(), h.Root)
	l.drain()
	require.Empty(t, l.dead)
	require.Equal(t, neighbours, l.keys())
}

func TestHalfOfTheShardsRunTwiceAndOneFinishComes(t *testing.T) {
	t.Parallel()
	l, _, job, neighbours := planned(t)
	finishes := 0
	for number := range 4 {
		msg := l.shard(number + 1)
		// The acknowledgement is lost, so that it is delivered again.
		for range 1 + number%2 {
			settled, err := l.settle(msg)
			require.NoError(t, err)
			require.True(t, settled)
			if number%2 == 1 {
				_, err = l.js.Publish(t.Context(), msg.Subject, msg.Data)
				require.NoError(t, err)
				msg = l.shard(number + 1)
			}
		}
		if number%2 == 1 {
			settled, err := l.settle(msg)
			require.NoError(t, err)
			require.True(t, settled)
		}
	}
	for _, msg := range l.waiting() {
		if strings.HasPrefix(msg.Subject, "jobs.purge-finish.") {
			finishes++
		}
	}
	require.Equal(t, 1, finishes)
	require.Len(t, l.waiting(), 1)
	l.drain()
	require.Equal(t, neighbours, l.keys())
	require.Equal(t, 1, l.count(jobs.PurgeFinish))
	receipt, _ := l.ended(job)
	require.EqualValues(t, 8, receipt.Deleted[purge.Data].Files, "what ran twice counts once")
	require.False(t, receipt.AtMost)
}

func TestAShardThatIsCompletedDoesNotWorkBesideTheFinish(t *testing.T) {
	t.Parallel()
	l, _, job, neighbours := planned(t)
	late := shardOf(t, l, job, 1)
	for range 4 {
		require.True(t, l.one("purge-shard"))
	}
	l.submit(late) // by a planner that was held up for long
	require.False(t, l.one("purge-finish"), "a shard is in the queue")
	l.server.ResetCounts()
	require.True(t, l.one("purge-shard"))
	require.Zero(t, l.server.Total(), "it has nothing to do with storage")
	l.drain()
	require.Equal(t, neighbours, l.keys())
	require.Equal(t, 1, l.count(jobs.PurgeFinish))

	l.submit(late) // after the end
	l.drain()
	require.Empty(t, l.dead)
	require.Empty(t, l.waiting())
	require.Equal(t, 1, l.count(jobs.PurgeFinish))
}

func TestAShardReadsTheRootAndItsManifestsOnly(t *testing.T) {
	t.Parallel()
	l, _, _, _ := planned(t)
	l.server.ResetCounts()
	require.True(t, l.one("purge-shard"))
	require.Equal(t, map[string]int64{"GetObject": 2, "DeleteObjects": 1}, l.server.Counts())
}

func TestWhereTheRootWentMeanwhileThePurgeEndsAndSaysSo(t *testing.T) {
	t.Parallel()
	l, h, job, _ := planned(t)
	require.True(t, l.one("purge-shard"))
	root, _ := l.server.Get("warehouse", strings.TrimPrefix(h.Root, "s3://warehouse/"))
	l.remove(h.Root)
	for range 3 {
		require.True(t, l.one("purge-shard"))
	}
	full := l.server.Snapshot()
	l.drain()
	require.Empty(t, l.dead)
	receipt, result := l.ended(job)
	require.Equal(t, jobs.Completed, result.Outcome)
	require.Contains(t, fmt.Sprint(receipt.Notes), "gone before the purge had reached it")
	require.EqualValues(t, 2, receipt.Deleted[purge.Data].Files)
	require.EqualValues(t, 6+4+1+0, receipt.Left.Files)
	l.server.Restore(full)
	_ = root
}

// A store that tells for a while that the root is not there must not have the rest
// of the table forgotten.
func TestWhereTheRootIsBackTheFinishGoesThroughTheEntriesItself(t *testing.T) {
	t.Parallel()
	l, h, job, neighbours := planned(t)
	require.True(t, l.one("purge-shard"))
	hidden := strings.TrimPrefix(h.Root, "s3://warehouse/")
	root, _ := l.server.Get("warehouse", hidden)
	l.remove(h.Root)
	require.True(t, l.one("purge-shard"))
	l.server.Put("warehouse", hidden, root)
	l.drain()
	require.Empty(t, l.dead)
	require.Equal(t, neighbours, l.keys())
	receipt, _ := l.ended(job)
	require.Contains(t, fmt.Sprint(receipt.Notes), "went through all entries again")
	require.EqualValues(t, 8, receipt.Deleted[purge.Data].Files)
}

func TestAShardWithOtherManifestsThanItsOwnIsNotReliedOn(t *testing.T) {
	t.Parallel()
	l, _, job, neighbours := planned(t)
	forged := shardOf(t, l, job, 2)
	forged.Params = shardOf(t, l, job, 1).Params
	l.cancel(l.shard(2))
	l.submit(forged)
	l.drain()
	require.Empty(t, l.dead)
	require.Equal(t, neighbours, l.keys())
	receipt, _ := l.ended(job)
	require.Contains(t, fmt.Sprint(receipt.Notes), "other manifests than its own")
	require.EqualValues(t, 8, receipt.Deleted[purge.Data].Files)
}

func TestAnotherPolicyAfterTheShardsIsHeededByTheFinish(t *testing.T) {
	t.Parallel()
	for name, policies := range map[string][2]purge.Policy{
		"wider":     {{}, {Scope: purge.ScopeCatalog}},
		"forgotten": {{}, {Outside: purge.OutsideForget}},
		"kept":      {{Outside: purge.OutsideForget}, {}},
	} {
		y := newYard(t)
		h := numbered(3, 1)
		h.Manifests[1].Entries = append(h.Manifests[1].Entries, entry("s3://other/x"))
		neighbours := y.lay(h)
		l := newLine(y, policies[0], 1)
		job := jobFor(tabletest.HandmadeUUID, h.Root)
		l.submit(job)
		require.True(t, l.one("purge"), name)
		for range 3 {
			require.True(t, l.one("purge-shard"), name)
		}
		l.cfg.Catalogs[0].Policy = y.config(policies[1]).Catalogs[0].Policy
		l.rebuild()
		l.drain()
		if name == "kept" {
			require.Len(t, l.dead, 1, name)
			require.Contains(t, y.keys(), h.Manifests[1].Path, name)
			require.Contains(t, y.keys(), h.Root, name)
			continue
		}
		require.Empty(t, l.dead, name)
		left := neighbours
		if name == "forgotten" {
			require.Contains(t, y.keys(), "s3://other/x")
			y.remove("s3://other/x")
		}
		require.Equal(t, left, y.keys(), name)
	}
}

func TestAFinishThatMetFilesOutsideGoesOnWhenTheyAreAllowed(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	h := numbered(3, 1)
	h.Manifests[1].Entries = append(h.Manifests[1].Entries, entry("s3://other/x"))
	neighbours := y.lay(h)
	l := newLine(y, purge.Policy{}, 1)
	job := jobFor(tabletest.HandmadeUUID, h.Root)
	l.submit(job)
	l.drain()
	require.Len(t, l.dead, 1)
	require.Contains(t, y.keys(), h.Manifests[1].Path)
	require.NotContains(t, y.keys(), h.Manifests[0].Path)
	plan, _, err := l.q.Shards().Plan(t.Context(), job)
	require.NoError(t, err)
	require.NotNil(t, plan, "what is dead can be requeued")

	l.cfg.Catalogs[0].Policy.Scope = purge.ScopeCatalog
	l.rebuild()
	l.dead = map[string]error{}
	l.submit(plan.Finish)
	l.drain()
	require.Empty(t, l.dead)
	require.Equal(t, neighbours, y.keys())
	receipt, _ := l.ended(job)
	require.True(t, receipt.AtMost)
}

func TestADryRunIsNeverSharedOutNorIsAPartOfOneRun(t *testing.T) {
	t.Parallel()
	l, h, job, _ := planned(t)
	shard, before := shardOf(t, l, job, 1), l.keys()
	for _, part := range []*jobs.Job{job, shard} {
		dry := *part
		dry.DryRun, dry.Table = true, "dry"
		l.submit(&dry)
	}
	dry := *job
	dry.DryRun, dry.Table = true, "dry"
	for _, msg := range l.waiting() {
		if strings.Contains(msg.Subject, ".dry.") {
			settled, err := l.settle(msg)
			require.NoError(t, err)
			require.True(t, settled)
		}
	}
	receipt, result := l.ended(&dry)
	require.Equal(t, jobs.Completed, result.Outcome)
	require.True(t, receipt.DryRun)
	require.EqualValues(t, 8, receipt.Deleted[purge.Data].Files)
	require.Len(t, l.dead, 1)
	require.Equal(t, before, l.keys())

	l.cfg.DryRun = true
	l.rebuild()
	require.False(t, l.one("purge-shard"), "a worker that only tries leaves shards to others")
	require.Equal(t, before, l.keys())
	_ = h
}

func TestASmallPurgeIsOneJob(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	h := numbered(4, 2)
	neighbours := y.lay(h)
	l := newLine(y, purge.Policy{}, 1)
	l.cfg.ShardAbove = 4 // as the lists tell it: one for each manifest
	l.rebuild()
	job := jobFor(tabletest.HandmadeUUID, h.Root)
	l.submit(job)
	require.True(t, l.one("purge"))
	require.Empty(t, l.waiting())
	require.Equal(t, neighbours, y.keys())
	receipt, _ := l.ended(job)
	require.Zero(t, receipt.Shards)
}

func TestAPurgeThatHasBegunAsOneJobEndsAsOne(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	h := numbered(40, 700)
	neighbours := y.lay(h)
	l := newLine(y, purge.Policy{}, 1)
	l.cfg.ShardAbove = 1_000_000
	l.rebuild()
	job := jobFor(tabletest.HandmadeUUID, h.Root)
	l.submit(job)
	y.server.Fault(s3test.CutOff(60, true, func() { l.kill(errKilled) }))
	require.ErrorIs(t, l.drainUntilCut(), errKilled)
	y.server.Fault(nil)
	l.cfg.ShardAbove = 1
	l.rebuild()
	l.drain()
	require.Equal(t, neighbours, y.keys())
	require.Zero(t, l.count(jobs.PurgeShard))
	receipt, _ := l.ended(job)
	require.True(t, receipt.Resumed)
}

func TestAPartWhosePlanIsLostIsKeptForAPerson(t *testing.T) {
	t.Parallel()
	l, h, job, _ := planned(t)
	plan, _, err := l.q.Shards().Plan(t.Context(), job)
	require.NoError(t, err)
	require.NoError(t, l.q.Shards().Remove(t.Context(), job, plan.Plan))
	before := l.keys()
	l.submit(plan.Finish)
	for _, msg := range l.waiting() {
		_, err := l.settle(msg)
		require.NoError(t, err)
	}
	require.Len(t, l.dead, 5)
	for _, err := range l.dead {
		require.ErrorContains(t, err, "publish the purge again")
	}
	require.Equal(t, before, l.keys())
	l.keepsAbove(h)
}

func TestAListThatCannotBeReadIsFoundBeforeAnythingIsSharedOut(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	h := numbered(3, 1)
	h.Lists = append(h.Lists, tabletest.HandmadeList{Path: home + "/metadata/l2.avro"})
	y.lay(h)
	y.server.Put("warehouse", "db/t/metadata/l2.avro", []byte("no list"))
	before := y.keys()
	l := newLine(y, purge.Policy{}, 1)
	job := jobFor(tabletest.HandmadeUUID, h.Root)
	l.submit(job)
	l.drain()
	require.ErrorContains(t, l.dead[job.Tail()], "l2.avro")
	require.Equal(t, before, y.keys())
	plan, _, err := l.q.Shards().Plan(t.Context(), job)
	require.NoError(t, err)
	require.Nil(t, plan)
}

func TestParamsOfPartsAreReadToTheLetter(t *testing.T) {
	t.Parallel()
	l, _, job, _ := planned(t)
	before := l.keys()
	shard := shardOf(t, l, job, 1)
	for params, message := range map[string]string{
		`{"plan":"x","manifests":[{"path":"p","length":1}],"dry_run":true}`: "unknown field",
		`{"plan":"x","manifests":[]}`:                                       "needs a plan and manifests",
		`{"manifests":[{"path":"p","length":1}]}`:                           "needs a plan and manifests",
	} {
		changed := *shard
		changed.Params, changed.Table, changed.ID = json.RawMessage(params), "other", message
		l.submit(&changed)
		for _, msg := range l.waiting() {
			if strings.Contains(msg.Subject, ".other.") {
				_, err := l.settle(msg)
				require.NoError(t, err)
			}
		}
		require.ErrorContains(t, l.dead[changed.Tail()], message)
	}
	require.Equal(t, before, l.keys())
}
