package purge_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	"deckhand/internal/tabletest"
	"deckhand/jobs"
	"deckhand/jobs/purge"
)

// sameSums compares what a purge in shards said with what one job said.
func sameSums(t *testing.T, want, got *purge.Receipt, message string) {
	t.Helper()
	require.Equal(t, want.Deleted, got.Deleted, message)
	require.Equal(t, want.AtMost, got.AtMost, message)
	require.Equal(t, len(want.Kept), len(got.Kept), "%s: %v, %v", message, want.Kept, got.Kept)
	for reason, kept := range want.Kept {
		require.Equal(t, kept.Counts, got.Kept[reason].Counts, "%s: %s", message, reason)
		require.ElementsMatch(t, kept.Paths, got.Kept[reason].Paths, "%s: %s", message, reason)
	}
	require.Equal(t, want.Absent.Clone(), got.Absent.Clone(), message)
	require.ElementsMatch(t, want.AbsentPaths, got.AbsentPaths, message)
	require.Equal(t, want.Left, got.Left, message)
	require.Equal(t, want.Manifests, got.Manifests, message)
	require.Equal(t, want.Snapshots, got.Snapshots, message)
	require.Equal(t, want.GCEnabled, got.GCEnabled, message)
	require.Equal(t, want.Locations, got.Locations, message)
}

// Tables that Spark, Iceberg's Java library and PyIceberg wrote.
func TestAZooTableInShardsLeavesAndCountsTheSameAsInOneJob(t *testing.T) {
	t.Parallel()
	zoo := tabletest.LoadZoo(t)
	y := newYard(t)
	zoo.Load(y.server)
	full := y.server.Snapshot()
	policy := purge.Policy{Scope: purge.ScopeCatalog}
	l := newLine(y, policy, 1)
	most := 0
	for i, table := range zoo.Tables {
		y.server.Restore(full)
		want, err := run(t, y.tables(policy), jobFor(table.UUID, table.MetadataLocation), &jobtest.Progress{})
		require.NoError(t, err, table.Name)
		left := y.keys()

		sizes := []int64{1, 3}
		if i%6 != 0 {
			sizes = sizes[:1]
		}
		for j, files := range sizes {
			y.server.Restore(full)
			l.reset()
			l.cfg.ShardFiles = files
			l.rebuild()
			job := numberedJob(table.UUID, table.MetadataLocation, 2*i+j)
			l.submit(job)
			l.drain()
			require.Empty(t, l.dead, table.Name)
			require.Equal(t, left, y.keys(), table.Name)
			got, result := l.ended(job)
			require.NotNil(t, got, table.Name)
			require.Equal(t, job.ID, result.JobID)
			sameSums(t, want, got, table.Name)
			require.Equal(t, got.Shards, l.count(jobs.PurgeShard), table.Name)
			require.Equal(t, 1, l.count(jobs.PurgeFinish), table.Name)
			most = max(most, got.Shards)
		}
	}
	require.Greater(t, most, 3, "hardly anything was shared out")
}
