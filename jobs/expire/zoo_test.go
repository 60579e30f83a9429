package expire_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/tabletest"
	"deckhand/jobs"
)

// Tables that Spark, Iceberg's Java library and PyIceberg wrote.
func TestZooTablesKeepExactlyWhatTheirRetainedSnapshotsReach(t *testing.T) {
	t.Parallel()
	zoo := tabletest.LoadZoo(t)
	y := newYard(t)
	zoo.Load(y.Server)
	full := y.Server.Snapshot()
	expired := 0
	for _, made := range zoo.Tables {
		t.Run(made.Name, func(t *testing.T) {
			y.T = t
			y.Server.Restore(full)
			y.Open(made.MetadataLocation)
			before := y.Metadata()
			reached := y.Reach(before)
			keys := y.Keys()
			receipt, err := y.expire(expireAll)
			if !before.GCEnabled() {
				require.True(t, jobs.IsPermanent(err), err)
				require.ErrorContains(t, err, "gc.enabled")
				require.Equal(t, keys, y.Keys())
				return
			}
			require.NoError(t, err)
			after := y.Metadata()
			for _, s := range after.Snapshots {
				expired--
				require.Equal(t, reached[s.ID], y.Reach(after)[s.ID])
			}
			expired += len(before.Snapshots)
			heads, more := map[int64]bool{}, 0
			for name, ref := range before.Refs {
				heads[ref.SnapshotID] = true
				more += max(ref.MinSnapshotsToKeep-1, 0)
				require.Equal(t, ref, after.Refs[name])
			}
			require.LessOrEqual(t, len(after.Snapshots), len(heads)+more)
			require.Equal(t, wantAfter(keys, reached.Union(before), reached.Union(after)), y.Files())
			require.Equal(t, len(before.Snapshots)-len(after.Snapshots), receipt.Removed.Snapshots)
			total := receipt.Deleted.Total()
			require.EqualValues(t, len(reached.Union(before))-len(reached.Union(after)), total.Files)
			require.Empty(t, receipt.Kept)
		})
	}
	require.Greater(t, expired, 50)
}

func TestADryRunOfAZooTableChangesNothingAndCountsTheSame(t *testing.T) {
	t.Parallel()
	zoo := tabletest.LoadZoo(t)
	y := newYard(t)
	zoo.Load(y.Server)
	full := y.Server.Snapshot()
	for _, made := range zoo.Tables {
		if made.Properties["gc.enabled"] == "false" {
			continue
		}
		y.Server.Restore(full)
		y.Open(made.MetadataLocation)
		keys := y.Keys()
		dry, err := y.expire(`{"older-than":"0s","retain-last":1,"dry-run":true}`)
		require.NoError(t, err, made.Name)
		require.True(t, dry.DryRun)
		require.Equal(t, keys, y.Keys(), made.Name)
		require.Empty(t, y.Ledger.Commits, made.Name)
		receipt, err := y.expire(expireAll)
		require.NoError(t, err, made.Name)
		require.Equal(t, receipt.Deleted, dry.Deleted, made.Name)
		require.Equal(t, receipt.Removed, dry.Removed, made.Name)
		y.Ledger.Commits = nil
	}
}
