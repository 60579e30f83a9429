package icebergtable_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/apache/iceberg-go"
	icebergio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"
	"github.com/stretchr/testify/require"

	"deckhand/internal/tabletest"
)

type memoryBucket map[string][]byte

func (b memoryBucket) Put(bucket, key string, data []byte) { b["s3://"+bucket+"/"+key] = data }

// A synthetic table is written by an encoder of this project, so another reader
// has to say what it holds.
func TestSyntheticTableIsReadByIcebergGo(t *testing.T) {
	t.Parallel()
	for _, columns := range []int{0, 20} {
		store := memoryBucket{}
		made, err := tabletest.Synthetic(tabletest.SyntheticOptions{
			Location: "s3://warehouse/big", Files: 1_003, Manifests: 7, Snapshots: 3, Columns: columns,
		}, tabletest.ToBucket(store))
		require.NoError(t, err)
		fs := icebergio.NewMemFS()
		for path, data := range store {
			require.NoError(t, fs.WriteFile(path, data))
		}
		metadata, err := table.ParseMetadata(bytes.NewReader(store[made.MetadataLocation]))
		require.NoError(t, err)
		require.Equal(t, made.UUID, metadata.TableUUID().String())
		require.Len(t, metadata.Snapshots(), 3)

		manifests, err := metadata.CurrentSnapshot().Manifests(fs)
		require.NoError(t, err)
		require.Len(t, manifests, 7)
		var paths []string
		var size int64
		for _, manifest := range manifests {
			require.EqualValues(t, len(store[manifest.FilePath()]), manifest.Length())
			for entry, err := range manifest.Entries(fs, true) {
				require.NoError(t, err)
				file := entry.DataFile()
				require.Equal(t, iceberg.EntryContentData, file.ContentType())
				require.Len(t, file.LowerBoundValues(), columns)
				require.Len(t, file.ColumnSizes(), columns)
				paths = append(paths, file.FilePath())
				size += file.FileSizeBytes()
			}
		}
		require.Equal(t, slices.Collect(made.Paths()), paths)
		require.Equal(t, made.TotalBytes(), size)
		require.Len(t, slices.Compact(slices.Sorted(made.Paths())), 1_003)

		first, err := metadata.Snapshots()[0].Manifests(fs)
		require.NoError(t, err)
		require.Len(t, first, 2)
		require.True(t, strings.HasPrefix(paths[0], made.Location+"/data/"))
	}
}
