package orphans

import (
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/receipt"
)

func TestHiddenFilesAreLeftAloneButForFoldersOfPartitionFields(t *testing.T) {
	t.Parallel()
	h := newHiddenRule([]string{"day", "_c", ".d", "_e é"})
	for path, want := range map[string]bool{
		"data/f.parquet":              false,
		"data/_c=1/f.parquet":         false,
		"data/_c=1/_SUCCESS":          true,
		"data/.d=x/f.parquet":         false,
		"data/_e+%C3%A9=1/f.parquet":  false,
		"data/_e é=1/f.parquet":       false,
		"_c=1/f.parquet":              false,
		"_temporary/0/f.parquet":      true,
		"data/.hive-staging/f":        true,
		"data/_cc=1/f.parquet":        true,
		"data/_day=1/f.parquet":       true,
		".part-00000.parquet.crc":     true,
		"data/a_b/c.d/f.parquet":      false,
		"_delta_log/00000.json":       true,
		"data//f.parquet":             false,
		".deckhand-trash/x/f.parquet": true,
	} {
		require.Equal(t, want, h.hides(path), path)
	}
	require.True(t, newHiddenRule([]string{"c"}).hides("data/_c=1/f"))
}

func TestFolderMarkersAreNoFiles(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]bool{"t/data/": true, "t/data_$folder$": true, "t/data/f": false, "t/$folder$x": false} {
		require.Equal(t, want, isFolderMarker(key), key)
	}
}

func TestNamesTellWhatAFileSeemsToBe(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]receipt.Kind{
		"t/data/00000-0-7c1b.parquet":                               receipt.Data,
		"t/data/x.orc":                                              receipt.Data,
		"t/data/part-1.avro":                                        receipt.Data,
		"t/metadata/snap-123-1-7c1b.avro":                           receipt.ManifestLists,
		"t/metadata/7c1b43c9-m0.avro":                               receipt.Manifests,
		"t/metadata/7c1b43c9-m12.avro":                              receipt.Manifests,
		"t/metadata/optimized-m-x.avro":                             receipt.Data,
		"t/metadata/00003-7c1b.metadata.json":                       receipt.MetadataFiles,
		"t/metadata/00003-7c1b.gz.metadata.json":                    receipt.MetadataFiles,
		"t/metadata/v3.metadata.json.gz":                            receipt.MetadataFiles,
		"t/metadata/20240101_1-7c1b.stats":                          receipt.Statistics,
		"t/metadata/123-7c1b.puffin":                                receipt.Statistics,
		"t/data/00000-0-7c1b-00001-deletes.puffin":                  receipt.DeletionVectors,
		"t/data/00000-0-7c1b-00001-deletes.parquet":                 receipt.PositionDeletes,
		"t/data/delete-0123.parquet":                                receipt.PositionDeletes,
		"t/metadata/partition-stats-12-3.parquet":                   receipt.PartitionStatistics,
		"t/data/p=1/equality-deletes-0123.parquet":                  receipt.EqualityDeletes,
		"t/data/00000-0-7c1b-00001-eq-deletes.parquet":              receipt.EqualityDeletes,
		"t/data/metadata/00000-0-7c1b-00001-deletes-nothing.parque": receipt.PositionDeletes,
	} {
		require.Equal(t, want, guessOf(key).kind(), key)
	}
}
