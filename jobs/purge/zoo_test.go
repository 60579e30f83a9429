package purge_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	"deckhand/internal/tabletest"
	"deckhand/jobs/purge"
)

// Tables that Spark, Iceberg's Java library and PyIceberg wrote.
func TestZooTablesArePurgedToExactlyWhatNothingReferences(t *testing.T) {
	t.Parallel()
	zoo := tabletest.LoadZoo(t)
	y := newYard(t)
	zoo.Load(y.server)
	full := y.server.Snapshot()
	before := y.keys()

	for _, table := range zoo.Tables {
		t.Run(table.Name, func(t *testing.T) {
			y.server.Restore(full)
			gcOff := table.Properties["gc.enabled"] == "false"
			gone, keptCounts := map[string]bool{}, map[purge.Kind]int64{}
			deleted := countsOf(table.Files)
			for _, f := range table.Files {
				owned := f.Kind == tabletest.KindData || f.Kind == tabletest.KindPositionDeletes ||
					f.Kind == tabletest.KindEqualityDeletes || f.Kind == tabletest.KindDV
				if gcOff && owned {
					keptCounts[purge.Kind(f.Kind)]++
					delete(deleted, purge.Kind(f.Kind))
					continue
				}
				gone[plain(f.Path)] = true
			}
			want := slices.DeleteFunc(slices.Clone(before), func(key string) bool { return gone[key] })

			handler := y.tables(purge.Policy{Scope: purge.ScopeCatalog})
			receipt, err := run(t, handler, jobFor(table.UUID, table.MetadataLocation), &jobtest.Progress{})
			require.NoError(t, err)
			require.Equal(t, want, y.keys())
			require.Equal(t, deleted, fileCounts(receipt.Deleted))
			require.False(t, receipt.AtMost)
			require.Equal(t, !gcOff, receipt.GCEnabled)
			if gcOff {
				require.Equal(t, keptCounts, fileCounts(receipt.Kept[purge.GCDisabled].Counts))
			}
			for _, path := range table.Unreferenced {
				require.Contains(t, y.keys(), plain(path))
			}
			require.Equal(t, purge.VerifiedOff, receipt.Verified)
		})
	}
}

func TestADryRunOfAZooTableDeletesNothingAndCountsTheSame(t *testing.T) {
	t.Parallel()
	zoo := tabletest.LoadZoo(t)
	y := newYard(t)
	zoo.Load(y.server)
	before := y.keys()
	for _, table := range zoo.Tables {
		job := jobFor(table.UUID, table.MetadataLocation)
		job.DryRun = true
		progress := &jobtest.Progress{}
		receipt, err := run(t, y.tables(purge.Policy{Scope: purge.ScopeCatalog}), job, progress)
		require.NoError(t, err, table.Name)
		require.True(t, receipt.DryRun)
		if table.Properties["gc.enabled"] != "false" {
			require.Equal(t, countsOf(table.Files), fileCounts(receipt.Deleted), table.Name)
		}
		require.Nil(t, progress.Checkpoint(), "a dry run must not make a purge look begun")
	}
	require.Equal(t, before, y.keys())
}
