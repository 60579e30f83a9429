package purge_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	"deckhand/internal/tabletest"
	"deckhand/internal/tabletest/icebergtable"
	"deckhand/jobs"
	"deckhand/jobs/purge"
)

// tree lists the files and folders below a folder, folders with a slash.
func tree(t *testing.T, root string) []string {
	t.Helper()
	var found []string
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		name := strings.TrimPrefix(path, root+"/")
		if d.IsDir() {
			name += "/"
		}
		found = append(found, name)
		return nil
	}))
	return found
}

func TestALocalTableGoesWithItsFoldersAndNothingElse(t *testing.T) {
	t.Parallel()
	warehouse := t.TempDir()
	location := "file://" + warehouse + "/db/t"
	require.NoError(t, tabletest.Neighbours(location).WriteFolder())
	want := tree(t, warehouse)
	table, err := icebergtable.Write(t.Context(), icebergtable.Options{
		Location: location, Files: 8, PositionDeletes: true, Statistics: true,
		Properties: map[string]string{"write.data.path": "file://" + warehouse + "/elsewhere/t-data"},
	})
	require.NoError(t, err)
	require.NoError(t, table.Objects.WriteFolder())

	y := newYardOn(t, nil, "file:"+warehouse)
	receipt, err := run(t, y.tables(purge.Policy{}), jobFor(table.UUID, strings.Replace(table.MetadataLocation, "file://", "file:", 1)), &jobtest.Progress{})
	require.NoError(t, err)
	require.Equal(t, countsOf(table.Files), fileCounts(receipt.Deleted))
	// The folder of write.data.path goes too, its parent is nobody's.
	require.ElementsMatch(t, append(want, "elsewhere/"), tree(t, warehouse))
	require.Zero(t, receipt.Left.Files)
}

func TestASymbolicLinkThatLeavesTheWarehouseIsNotFollowed(t *testing.T) {
	t.Parallel()
	warehouse, treasure := t.TempDir(), t.TempDir()
	location := "file://" + warehouse + "/t"
	table, err := icebergtable.Write(t.Context(), icebergtable.Options{Location: location})
	require.NoError(t, err)
	require.NoError(t, table.Objects.WriteFolder())
	// Someone moved the data folder away and left a link.
	require.NoError(t, os.Rename(warehouse+"/t/data", treasure+"/data"))
	require.NoError(t, os.Symlink(treasure+"/data", warehouse+"/t/data"))
	before := tree(t, treasure)

	y := newYardOn(t, nil, "file://"+warehouse)
	receipt, err := run(t, y.tables(purge.Policy{}), jobFor(table.UUID, table.MetadataLocation), &jobtest.Progress{})
	require.True(t, jobs.IsPermanent(err), "%v", err)
	require.Equal(t, before, tree(t, treasure))
	require.Contains(t, tree(t, warehouse), strings.TrimPrefix(table.MetadataLocation, "file://"+warehouse+"/"))
	require.EqualValues(t, table.Count(tabletest.KindData), receipt.Kept[purge.Refused].Counts[purge.Data].Files)
}
