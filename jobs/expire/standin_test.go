package expire_test

import (
	"testing"

	iceberg "github.com/apache/iceberg-go/table"
	"github.com/stretchr/testify/require"

	"deckhand/internal/polaris"
	"deckhand/internal/tabletest"
	"deckhand/internal/tabletest/icebergtable"
	"deckhand/jobs"
)

func TestZooTablesAreExpiredByTheRulesOfPolaris(t *testing.T) {
	t.Parallel()
	zoo := tabletest.LoadZoo(t)
	y := newYard(t)
	zoo.Load(y.Server)
	full := y.Server.Snapshot()
	for _, made := range zoo.Tables {
		t.Run(made.Name, func(t *testing.T) {
			y.T = t
			y.Server.Restore(full)
			c := y.AtCounter(made.MetadataLocation)
			loaded, err := c.Load(t.Context(), polaris.Identifier{}, polaris.LoadOptions{})
			require.NoError(t, err)
			before := loaded.Metadata
			reached, keys := y.Reach(before), y.Files()
			_, err = y.expireAt(c, `{"older-than":"0s","retain-last":1,"clean-expired-metadata":true}`)
			if !before.GCEnabled() {
				require.True(t, jobs.IsPermanent(err))
				return
			}
			require.NoError(t, err)
			loaded, err = c.Load(t.Context(), polaris.Identifier{}, polaris.LoadOptions{})
			require.NoError(t, err)
			after := loaded.Metadata
			require.Equal(t, before.Refs, after.Refs)
			for _, s := range after.Snapshots {
				require.Equal(t, reached[s.ID], y.Reach(after)[s.ID])
			}
			require.Equal(t, wantAfter(keys, reached.Union(before), reached.Union(after)), y.Files())
		})
	}
}

func TestARefThatComesBeforeTheCommitIsNotLostByTheRulesOfPolaris(t *testing.T) {
	t.Parallel()
	for _, version := range []int{1, 2, 3} {
		y := newYard(t)
		made := y.Write(icebergtable.Options{FormatVersion: version, Files: 8, Snapshots: 4})
		c := y.AtCounter(made.MetadataLocation)
		before := y.Metadata()
		reached, keys := y.Reach(before), y.Files()
		saved := before.Snapshots[1].ID
		c.Race = func() {
			require.NoError(t, c.Catalog.Commit(t.Context(), c.Table, nil, []iceberg.Update{
				iceberg.NewSetSnapshotRefUpdate("late", saved, iceberg.TagRef, 0, 0, 0),
			}))
		}
		receipt, err := y.expireAt(c, expireAll)
		loaded, loadErr := c.Load(t.Context(), polaris.Identifier{}, polaris.LoadOptions{})
		require.NoError(t, loadErr)
		after := loaded.Metadata
		if version > 1 {
			require.True(t, jobs.IsPermanent(err), "v%d: %v", version, err)
			require.ErrorContains(t, err, `the tag "late"`)
			require.Empty(t, receipt.Deleted)
			require.Empty(t, y.Missing(keys))
			continue
		}
		require.NoError(t, err)
		require.Equal(t, saved, after.Refs["late"].SnapshotID)
		require.Equal(t, wantAfter(keys, reached.Union(before), reached.Union(after)), y.Files())
		require.Equal(t, reached[saved], y.Reach(after)[saved])
	}
}
