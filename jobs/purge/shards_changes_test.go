package purge_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/s3test"
	"deckhand/internal/tabletest"
	"deckhand/jobs"
	"deckhand/jobs/purge"
)

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
	require.Contains(t, fmt.Sprint(receipt.Notes), "not there for a shard: this job went through all entries again")
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

// A manifest that nobody may read, and that may be read and deleted when the shards are
// done.
func TestAManifestThatTheShardsCouldNotReadIsReadByTheFinish(t *testing.T) {
	t.Parallel()
	for _, outside := range []purge.Outside{purge.OutsideForget, purge.OutsideKeep} {
		wide := newYard(t)
		narrow := newYardOn(t, wide.server, "s3://warehouse/")
		h := numbered(3, 1)
		h.Manifests[1].Path = "s3://other/m.avro"
		h.Lists[0].Manifests[1] = h.Manifests[1].Path
		neighbours := wide.lay(h)
		policy := purge.Policy{Scope: purge.ScopeCatalog, Outside: outside}
		l := newLine(narrow, policy, 1)
		l.submit(jobFor(tabletest.HandmadeUUID, h.Root))
		require.True(t, l.one("purge"))
		for range 3 {
			require.True(t, l.one("purge-shard"))
		}
		require.Contains(t, l.keys(), home+"/data/1-0")
		l.cfg.Catalogs = wide.config(policy).Catalogs
		l.rebuild()
		l.drain()
		require.Empty(t, l.dead)
		require.Equal(t, neighbours, l.keys(), outside)
	}
}

// The lists tell which files are manifests of others, and one was written over.
func TestAShardThatCannotTellManifestsFromFilesDeletesNeither(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	h := numbered(3, 1)
	h.Manifests[0].Entries = append(h.Manifests[0].Entries, entry(h.Manifests[2].Path))
	y.lay(h)
	l := newLine(y, purge.Policy{}, 1)
	l.submit(jobFor(tabletest.HandmadeUUID, h.Root))
	require.True(t, l.one("purge"))
	fewer := h
	fewer.Lists = []tabletest.HandmadeList{{Path: h.Lists[0].Path, Manifests: h.Lists[0].Manifests[:2]}}
	l.load(tabletest.Objects{h.Lists[0].Path: fewer.Objects()[h.Lists[0].Path]})
	shard := l.the("purge-shard")
	settled, err := l.settle(shard)
	require.NoError(t, err)
	require.True(t, settled)
	require.Len(t, l.dead, 1)
	for _, err := range l.dead {
		require.ErrorContains(t, err, "not what they were when the purge was planned")
	}
	require.Contains(t, l.keys(), h.Manifests[2].Path)
}

func TestVersionsThatTheShardsLeftAreDeletedByTheFinish(t *testing.T) {
	t.Parallel()
	y := newYard(t).versioned()
	h := numbered(3, 2)
	y.lay(h)
	l := newLine(y, purge.Policy{}, 1)
	job := jobFor(tabletest.HandmadeUUID, h.Root)
	l.submit(job)
	require.True(t, l.one("purge"))
	require.True(t, l.one("purge-shard"))
	l.cfg.Catalogs[0].Policy.Versions = purge.VersionsDelete
	l.rebuild()
	l.drain()
	require.Empty(t, l.dead)
	for _, left := range y.versionsOf() {
		require.False(t, strings.HasPrefix(left, home+"/"), left)
	}
	receipt, _ := l.ended(job)
	require.EqualValues(t, 6+3+1+1, receipt.Versions.Removed.Files)
	require.EqualValues(t, 2, receipt.Versions.Markers)
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
