package icebergtable_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/tabletest"
	"deckhand/internal/tabletest/icebergtable"
)

func TestWrittenTableHasWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	for _, version := range []int{2, 3} {
		for _, partitioned := range []bool{false, true} {
			t.Run(fmt.Sprintf("v%d partitioned %t", version, partitioned), func(t *testing.T) {
				t.Parallel()
				table, err := icebergtable.Write(t.Context(), icebergtable.Options{
					Location: "s3://warehouse/sales/orders", FormatVersion: version, Files: 9, Snapshots: 4, Partitioned: partitioned,
					Branch: true, PositionDeletes: true, EqualityDeletes: true, Statistics: true,
				})
				require.NoError(t, err)
				require.Equal(t, 9+1, table.Count(tabletest.KindData))
				require.Equal(t, 4+1+1+1, table.Count(tabletest.KindManifestList))
				require.Equal(t, 1, table.Count(tabletest.KindEqualityDeletes))
				require.Equal(t, 1, table.Count(tabletest.KindStatistics))
				require.Equal(t, 1, table.Count(tabletest.KindPartitionStatistics))
				require.Greater(t, table.Count(tabletest.KindMetadata), 4)
				if version == 3 {
					require.NotZero(t, table.Count(tabletest.KindDV))
				} else {
					require.NotZero(t, table.Count(tabletest.KindPositionDeletes))
				}
				require.Empty(t, table.DeletedOnly)
				require.Len(t, table.Objects, len(table.Files))
				for _, file := range table.Files {
					require.NotEmpty(t, table.Objects[file.Path], file.Path)
				}
			})
		}
	}
}

func TestDeletedOnlyLeavesAFileThatNoLiveEntryNames(t *testing.T) {
	t.Parallel()
	table, err := icebergtable.Write(t.Context(), icebergtable.Options{Location: "s3://warehouse/sales/orders", DeletedOnly: true})
	require.NoError(t, err)
	require.Len(t, table.DeletedOnly, 1)
	require.NotEmpty(t, table.Objects[table.DeletedOnly[0]])
	require.Equal(t, 5, table.Count(tabletest.KindData))
	require.Equal(t, 1, table.Count(tabletest.KindManifestList))
}

func TestFilesGoWhereThePropertiesSay(t *testing.T) {
	t.Parallel()
	table, err := icebergtable.Write(t.Context(), icebergtable.Options{
		Location: "s3://warehouse/sales/orders", FormatVersion: 1, GzipMetadata: true,
		Properties: map[string]string{"write.data.path": "s3://other/data", "write.metadata.path": "s3://other/meta", "gc.enabled": "false"},
	})
	require.NoError(t, err)
	for _, file := range table.Files {
		folder := "s3://other/meta/"
		if file.Kind == tabletest.KindData {
			folder = "s3://other/data/"
		}
		require.True(t, strings.HasPrefix(file.Path, folder), file.Path)
	}
	require.Contains(t, table.MetadataLocation, ".gz.metadata.json")
	require.Equal(t, []byte{0x1f, 0x8b}, table.Objects[table.MetadataLocation][:2])
}

func TestTableIsWrittenToAFolder(t *testing.T) {
	t.Parallel()
	folder := t.TempDir() + "/with blank%20/orders"
	table, err := icebergtable.Write(t.Context(), icebergtable.Options{Location: "file://" + folder})
	require.NoError(t, err)
	require.NoError(t, table.Objects.WriteFolder())
	for _, file := range table.Files {
		path, err := tabletest.LocalPath(file.Path)
		require.NoError(t, err)
		_, err = os.Stat(path)
		require.NoError(t, err)
	}
}

func TestCopiesAreDataFilesOfTheirOwn(t *testing.T) {
	t.Parallel()
	table, err := icebergtable.Write(t.Context(), icebergtable.Options{
		Location: "s3://warehouse/sales/orders", Files: 2_000, Distinct: 7, Partitioned: true, PositionDeletes: true,
	})
	require.NoError(t, err)
	require.Equal(t, 2_000, table.Count(tabletest.KindData))
	require.NotZero(t, table.Count(tabletest.KindPositionDeletes))
}
