package purge_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/ownership"
	"deckhand/internal/s3test"
	"deckhand/internal/storage"
	"deckhand/internal/tabletest"
	"deckhand/internal/tabletest/icebergtable"
	"deckhand/jobs"
	"deckhand/jobs/purge"
)

func TestShardsAndFinishAskWhetherTheTableLivesOnAtEveryClaim(t *testing.T) {
	t.Parallel()
	c := newCouncil(t, ownership.Namespace)
	table, neighbours := c.write(icebergtable.Everything())
	l := newLine(c.yard, purge.Policy{}, 1)
	l.cfg.Catalogs = c.cfg.Catalogs
	l.rebuild()
	job := jobFor(table.UUID, table.MetadataLocation)
	l.submit(job)
	require.True(t, l.one("purge"))
	shards := len(l.waiting())
	require.Greater(t, shards, 2)
	for number := range shards + 1 {
		kind := "purge-shard"
		if number == shards {
			kind = "purge-finish"
		}
		c.register(table.MetadataLocation, "zoo", "t")
		msg, before := l.waiting()[0], c.keys()
		require.True(t, l.one(kind))
		require.Len(t, l.dead, 1, kind)
		for _, err := range l.dead {
			require.ErrorContains(t, err, "belong to the live table zoo.t")
		}
		require.Equal(t, before, c.keys(), kind)
		require.NoError(t, c.Drop(t.Context(), named("zoo", "t")))

		l.dead = map[string]error{}
		again, err := jobs.Decode(msg.Data)
		require.NoError(t, err)
		l.submit(again)
		if kind == "purge-shard" {
			settled, err := l.settle(l.shard(again.Shard))
			require.NoError(t, err)
			require.True(t, settled)
		}
	}
	l.drain()
	require.Empty(t, l.dead)
	require.Equal(t, neighbours, c.keys())
	receipt, _ := l.ended(job)
	require.EqualValues(t, ownership.Namespace, receipt.Verified)
}

// Paths of a kilobyte, many manifests, and files outside in each of them.
func TestWhatShardsCarryAndLeaveStaysSmall(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	long := strings.Repeat("\u00e9", 440)
	h := numbered(150, 5)
	for m := range h.Manifests {
		h.Manifests[m].Path = fmt.Sprintf("%s/metadata/%s/m%03d.avro", home, long, m)
		h.Lists[0].Manifests[m] = h.Manifests[m].Path
		h.Manifests[m].Entries = append(h.Manifests[m].Entries,
			entry(fmt.Sprintf("s3://other/%s/%d", long, m)), tabletest.HandmadeEntry{Status: 2, Path: fmt.Sprintf("%s/data/%s/gone%d", home, long, m)})
		h.Manifests[m].Absent = m%10 == 9
	}
	y.lay(h)
	l := newLine(y, purge.Policy{}, 1_000_000)
	job := jobFor(tabletest.HandmadeUUID, h.Root)
	l.submit(job)
	require.True(t, l.one("purge"))
	shards := l.waiting()
	require.Greater(t, len(shards), 2, "what a shard carries is limited")
	for _, msg := range shards {
		require.Less(t, len(msg.Data), 64<<10)
	}
	l.drain()
	require.Len(t, l.dead, 1, "the finish met files outside")
	done, err := l.q.Shards().Done(t.Context(), job, planIDOf(t, l, job))
	require.NoError(t, err)
	require.Len(t, done, len(shards))
	for _, d := range done {
		encoded, err := json.Marshal(d)
		require.NoError(t, err)
		require.Less(t, len(encoded), 16<<10)
	}
	var finish *purge.Receipt
	for tail := range l.dead {
		result, _, err := l.q.LastResult(t.Context(), tail)
		require.NoError(t, err)
		finish = receiptOf(t, result)
	}
	require.EqualValues(t, 135*5, finish.Deleted[purge.Data].Files)
	require.EqualValues(t, 135, finish.Kept[purge.OutsideScope].Counts.Total().Files)
	require.EqualValues(t, 15, finish.Absent[purge.Manifests].Files)
	for m := range h.Manifests {
		if !h.Manifests[m].Absent {
			require.Contains(t, y.keys(), h.Manifests[m].Path)
		}
	}
}

func planIDOf(t *testing.T, l *line, job *jobs.Job) string {
	t.Helper()
	plan, _, err := l.q.Shards().Plan(t.Context(), job)
	require.NoError(t, err)
	require.NotNil(t, plan)
	return plan.Plan
}

func TestSumsOfLargeShardsSayThatTheyAreAtMost(t *testing.T) {
	t.Parallel()
	for _, repeats := range []bool{false, true} {
		y := newYard(t)
		h := numbered(2, 900)
		if repeats {
			again := h.Manifests[0].Entries[0]
			again.Status = 0
			h.Manifests[1].Entries = append(h.Manifests[1].Entries, again)
		}
		neighbours := y.lay(h)
		l := newLine(y, purge.Policy{}, 1)
		job := jobFor(tabletest.HandmadeUUID, h.Root)
		l.submit(job)
		l.drain()
		require.Equal(t, neighbours, y.keys())
		receipt, _ := l.ended(job)
		require.Equal(t, repeats, receipt.AtMost, "what is only added is added once")
		require.InDelta(t, 1800, receipt.Deleted[purge.Data].Files, 1)
	}
}

func TestATableWithTooLongANameOfAManifestIsOneJob(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	h := numbered(3, 1)
	h.Lists[0].Manifests = append(h.Lists[0].Manifests, "s3://warehouse/"+strings.Repeat("x", 9000))
	y.lay(h)
	l := newLine(y, purge.Policy{}, 1)
	l.submit(jobFor(tabletest.HandmadeUUID, h.Root))
	_, err := l.settle(l.waiting()[0])
	require.NoError(t, err)
	require.Empty(t, l.waiting())
}

func TestAShardHasHalfOfThePurgesBatchesOnTheirWay(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	neighbours := y.lay(numbered(5, 1000))
	l := newLine(y, purge.Policy{}, 1_000_000)
	l.submit(jobFor(tabletest.HandmadeUUID, home+"/metadata/9.metadata.json"))
	require.True(t, l.one("purge"))
	require.Len(t, l.waiting(), 1)
	var under, most atomic.Int32
	four := make(chan struct{})
	closeFour := sync.OnceFunc(func() { close(four) })
	y.server.Fault(func(_ int64, op string, _ *http.Request) *s3test.Fault {
		if op == "DeleteObjects" {
			n := under.Add(1)
			defer under.Add(-1)
			if n > most.Load() {
				most.Store(n)
			}
			if n == storage.DefaultBatchesRunning/2 {
				closeFour()
			}
			<-four
			<-time.After(20 * time.Millisecond) // for more to come
		}
		return nil
	})
	require.True(t, l.one("purge-shard"))
	y.server.Fault(nil)
	require.EqualValues(t, storage.DefaultBatchesRunning/2, most.Load())
	l.drain()
	require.Equal(t, neighbours, y.keys())
}

func TestALargePurgeIsCutForAFleet(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	made, err := tabletest.Synthetic(tabletest.SyntheticOptions{
		Location: "s3://warehouse/db/t", Files: 40_000, Manifests: 50, Snapshots: 1,
	}, tabletest.ToBucket(y.server))
	require.NoError(t, err)
	for most, shards := range map[int64]int{0: 5, 100_000: 5, 2_000: 25} {
		l := newLine(y, purge.Policy{}, most)
		l.cfg.ShardAbove = 39_999
		l.rebuild()
		l.submit(jobFor(made.UUID, made.MetadataLocation))
		require.True(t, l.one("purge"))
		require.Len(t, l.waiting(), shards, most)
	}
}
