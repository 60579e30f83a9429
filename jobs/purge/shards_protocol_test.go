package purge_test

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

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

// one settles the first job of a kind.
func (l *line) one(kind string) bool {
	l.t.Helper()
	settled, err := l.settle(l.the(kind))
	require.NoError(l.t, err)
	return settled
}

// the is the first message of a kind.
func (l *line) the(kind string) *jetstream.RawStreamMsg {
	l.t.Helper()
	for _, msg := range l.waiting() {
		if strings.HasPrefix(msg.Subject, "jobs."+kind+".") {
			return msg
		}
	}
	l.t.Fatalf("no %s is in the queue", kind)
	return nil
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
