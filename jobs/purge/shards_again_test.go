package purge_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/s3test"
	"deckhand/internal/tabletest"
	"deckhand/jobs"
	"deckhand/jobs/purge"
)

// The planner is killed when it has published the shards, and its message comes again
// when the finish has deleted the root and was killed too.
func TestAPlannerThatComesAgainAfterTheRootWentLeavesTheEndToTheFinish(t *testing.T) {
	t.Parallel()
	// Without the right to list, a store answers "denied" for what is not there.
	for _, hidden := range []bool{false, true} {
		y := newYard(t)
		h := numbered(4, 2)
		neighbours := y.lay(h)
		l := newLine(y, purge.Policy{}, 1)
		job := jobFor(tabletest.HandmadeUUID, h.Root)
		l.submit(job)
		l.cut = 6 // the plan and four shards are out, and its result is not
		_, err := l.settle(l.waiting()[0])
		require.ErrorIs(t, err, errKilled)
		for range 4 {
			require.True(t, l.one("purge-shard"))
		}
		l.steps, l.cut = 0, 1
		_, err = l.settle(l.the("purge-finish"))
		require.ErrorIs(t, err, errKilled)
		require.NotContains(t, l.keys(), h.Root)
		if hidden {
			y.server.Fault(func(_ int64, op string, _ *http.Request) *s3test.Fault {
				if op == "GetObject" {
					return &s3test.Fault{Status: http.StatusForbidden, Code: "AccessDenied"}
				}
				return nil
			})
		}
		require.True(t, l.one("purge"))
		receipt, _ := l.ended(job)
		require.Nil(t, receipt, "it has not ended")
		l.drain()
		require.Empty(t, l.dead)
		require.Equal(t, neighbours, l.keys())
		receipt, result := l.ended(job)
		require.Equal(t, job.ID, result.JobID)
		require.EqualValues(t, 8, receipt.Deleted[purge.Data].Files)
		require.Equal(t, 4, receipt.Shards)
		require.False(t, receipt.AtMost)
	}
}

// The same, and the finish has ended the purge meanwhile under an earlier message.
func TestAPlannerThatComesAgainAfterTheEndSaysWhoEndedIt(t *testing.T) {
	t.Parallel()
	l, _, job, _ := planned(t)
	for range 3 {
		require.True(t, l.one("purge-shard"))
	}
	l.submit(job)
	l.steps, l.cut = 0, 1
	_, err := l.settle(l.the("purge"))
	require.ErrorIs(t, err, errKilled)
	require.True(t, l.one("purge-shard"))
	require.True(t, l.one("purge-finish"))
	require.True(t, l.one("purge"))
	require.Empty(t, l.waiting())
	require.Empty(t, l.dead)
	receipt, result := l.ended(job)
	require.Equal(t, jobs.Completed, result.Outcome)
	require.Contains(t, fmt.Sprint(receipt.Notes), "completed before")
	require.False(t, receipt.AtMost)
}

// The purge is published again while its finish is cut off among the manifest lists.
func TestAPurgeIsNotPlannedAnewWhenItsFinishHasDeletedLists(t *testing.T) {
	t.Parallel()
	l, h, job, neighbours := planned(t)
	for range 4 {
		require.True(t, l.one("purge-shard"))
	}
	l.server.Fault(s3test.CutOff(4, true, func() { l.kill(errKilled) })) // root, list, manifests, lists
	_, err := l.settle(l.the("purge-finish"))
	l.server.Fault(nil)
	require.ErrorIs(t, err, errKilled)
	require.NotContains(t, l.keys(), h.Lists[0].Path)
	require.Contains(t, l.keys(), h.Root)
	again := *job
	again.ID = "01TESTJOBAGAIN"
	l.submit(&again)
	require.True(t, l.one("purge"))
	l.drain()
	require.Empty(t, l.dead)
	require.Equal(t, neighbours, l.keys())
	receipt, _ := l.ended(job)
	require.EqualValues(t, 8, receipt.Deleted[purge.Data].Files)
	require.Equal(t, 4, receipt.Shards)
	require.Equal(t, 1, l.count(jobs.PurgeFinish))
}

func TestAPurgeWhoseListIsLostBeforeItsShardsAreDoneHasNoFinishYet(t *testing.T) {
	t.Parallel()
	l, h, job, _ := planned(t)
	require.True(t, l.one("purge-shard"))
	l.remove(h.Lists[0].Path)
	again := *job
	again.ID = "01TESTJOBAGAIN"
	l.submit(&again)
	require.False(t, l.one("purge"), "shards of the other plan are in the queue")
	require.Len(t, l.waiting(), 4, "three shards and the purge")
}

func TestAFinishThatHasOnlyBegunWhenTheRootGoesSaysWhatTheShardsDid(t *testing.T) {
	t.Parallel()
	l, h, job, _ := planned(t)
	for range 4 {
		require.True(t, l.one("purge-shard"))
	}
	l.server.Fault(s3test.CutOff(2, true, func() { l.kill(errKilled) })) // the root is read, the list is not
	_, err := l.settle(l.the("purge-finish"))
	l.server.Fault(nil)
	require.ErrorIs(t, err, errKilled)
	l.remove(h.Root)
	l.drain()
	require.Empty(t, l.dead)
	receipt, _ := l.ended(job)
	require.EqualValues(t, 8, receipt.Deleted[purge.Data].Files)
	require.Contains(t, fmt.Sprint(receipt.Notes), "gone before the purge had reached it")
}

// Their plan was replaced when they ran, and is the recorded one again when what comes
// after the result is made up for.
func TestPartsThatHadNothingToDoAreNotTakenForDoneLater(t *testing.T) {
	t.Parallel()
	l, h, job, _ := planned(t)
	shards := l.q.Shards()
	plan, revision, err := shards.Plan(t.Context(), job)
	require.NoError(t, err)
	other := *plan
	other.Plan = "0123456789abcdef"
	for _, kind := range []string{"purge-shard", "purge-finish"} {
		if kind == "purge-finish" {
			l.submit(plan.Finish)
		}
		require.NoError(t, shards.SavePlan(t.Context(), job, &other, revision))
		msg := l.the(kind)
		l.steps, l.cut, l.taken = 0, 1, true
		_, err = l.settle(msg)
		require.ErrorIs(t, err, errKilled)
		_, revision, err = shards.Plan(t.Context(), job)
		require.NoError(t, err)
		require.NoError(t, shards.SavePlan(t.Context(), job, plan, revision))
		l.steps, l.cut = 0, 0
		settled, err := l.settle(msg)
		require.NoError(t, err)
		require.True(t, settled)
		_, revision, err = shards.Plan(t.Context(), job)
		require.NoError(t, err)
	}
	done, err := shards.Done(t.Context(), job, plan.Plan)
	require.NoError(t, err)
	require.Empty(t, done)
	now, _, err := shards.Plan(t.Context(), job)
	require.NoError(t, err)
	require.NotNil(t, now)
	receipt, _ := l.ended(job)
	require.Nil(t, receipt)
	l.keepsAbove(h)
}
