package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/tabletest"
	"deckhand/internal/tabletest/icebergtable"
)

// written is a small table in a folder of the test's own.
func written(t *testing.T) *dropped {
	t.Helper()
	s := &stage{warehouse: t.TempDir()}
	table, err := s.writeTable(t.Context(), "sales.orders", icebergtable.Options{PositionDeletes: true})
	require.NoError(t, err)
	return table
}

func remove(t *testing.T, locations ...string) {
	t.Helper()
	for _, location := range locations {
		path, err := tabletest.LocalPath(location)
		require.NoError(t, err)
		require.NoError(t, os.Remove(path))
	}
}

func TestAManifestDeletedBeforeTheDataIsNoticed(t *testing.T) {
	t.Parallel()
	seen := watch(written(t))
	require.NoError(t, seen.look())
	remove(t, seen.all[0][0]) // one data file: in order
	require.NoError(t, seen.look())
	remove(t, seen.all[1][0])
	require.ErrorContains(t, seen.look(), "wrong order: manifests were deleted while")
}

func TestEveryFileLeafFirstIsInOrder(t *testing.T) {
	t.Parallel()
	table := written(t)
	seen := watch(table)
	for _, level := range seen.all {
		for _, location := range level {
			require.False(t, seen.empty())
			remove(t, location)
			require.NoError(t, seen.look())
		}
	}
	require.True(t, seen.empty())
	require.NoError(t, table.verifyGone())
}

func TestAFileLeftOrANeighbourTouchedFailsTheDemo(t *testing.T) {
	t.Parallel()
	table := written(t)
	require.ErrorContains(t, table.verifyGone(), "are left")
	for _, file := range table.Files {
		remove(t, file.Path)
	}
	require.NoError(t, table.verifyGone())
	remove(t, table.Location+".old")
	require.ErrorContains(t, table.verifyGone(), "a neighbour is gone")
}
