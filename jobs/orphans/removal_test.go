package orphans_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	mt "deckhand/internal/maintenance/maintenancetest"
	"deckhand/internal/receipt"
	"deckhand/internal/tabletest/icebergtable"
	"deckhand/jobs/orphans"
)

func TestOnlyOldFilesThatNothingNamesAreDeleted(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.Write(icebergtable.Everything())
	before := y.Keys()
	gone := []string{
		"data/left.parquet", "data/region=north/00000-0-abc-00001.parquet", "data//odd//name.parquet", "data/a b+c%2Fd é.orc",
		"data/00000-0-abc-00001-deletes.parquet", "metadata/abc-m0.avro", "metadata/snap-1-1-abc.avro", "notes.txt", "data/x.puffin",
		"metadata/20200101.stats",
	}
	kept := map[string]string{
		"data/_SUCCESS": "hidden", "data/.part.crc": "hidden", "_temporary/0/f.parquet": "hidden", "data/folder/": "hidden",
		"data/young.parquet": "too young", "data/border.parquet": "too young", "data/ageless.parquet": "of unknown age",
	}
	y.plant(gone...)
	y.plant(slices.Collect(maps.Keys(kept))...)
	y.plant("metadata/deckhand-expire/01X.json", ".deckhand-trash/20200101-000000/data/f.parquet")
	y.ages["/young.parquet"], y.ages["/border.parquet"], y.ages["/ageless.parquet"] = time.Hour, 71*time.Hour, unknown
	all := y.below()

	dry, err := y.search(`{"dry-run":true}`)
	require.NoError(t, err)
	require.Equal(t, all, y.below(), "a dry run deletes nothing")
	require.True(t, dry.DryRun)
	for _, name := range gone {
		require.Equal(t, "would delete", y.list[name], name)
	}

	r, err := y.search(quickly)
	require.NoError(t, err)
	require.Equal(t, without(all, gone...), y.below())
	require.Empty(t, y.Missing(before))
	for _, name := range gone {
		require.Equal(t, "deleted", y.list[name], name)
	}
	for name, reason := range kept {
		require.Equal(t, "kept "+reason, y.list[name], name)
	}
	require.Equal(t, dry.Deleted, r.Deleted)
	total := r.Deleted.Total()
	require.EqualValues(t, len(gone), total.Files)
	require.Positive(t, total.Bytes)
	require.EqualValues(t, 2, r.Deleted[receipt.Statistics].Files+r.Deleted[receipt.DeletionVectors].Files)
	require.EqualValues(t, 1, r.Deleted[receipt.ManifestLists].Files)
	require.EqualValues(t, 4, r.Kept[orphans.Hidden].Counts.Total().Files)
	require.EqualValues(t, 2, r.Kept[orphans.Young].Counts.Total().Files)
	require.EqualValues(t, 1, r.Kept[orphans.UnknownAge].Counts.Total().Files)
	require.EqualValues(t, len(all)-2, r.Listed.Files, "without Deckhand's own")
	require.EqualValues(t, r.Listed.Files, r.Named.Files+total.Files+7)
	require.GreaterOrEqual(t, r.Reached, r.Named.Files)
	require.Equal(t, []string{mt.Home}, r.Locations)
	require.NotEmpty(t, r.Requests.ByOperation)

	again, err := y.search(quickly)
	require.NoError(t, err)
	require.Empty(t, again.Deleted)
	require.Equal(t, r.Named, again.Named)
}

func TestWhateverTheSettingsSayFilesOfTheLastDayStay(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.Write(icebergtable.Options{Files: 1, Snapshots: 1})
	y.plant("data/a.parquet", "data/b.parquet", "data/c.parquet")
	y.ages["a.parquet"], y.ages["b.parquet"], y.ages["c.parquet"] = 23*time.Hour, 25*time.Hour, 50*time.Hour
	_, err := y.search(`{"older-than":"1h"}`)
	require.Error(t, err, "less than a day is no setting")
	r, err := y.search(`{"older-than":"2100-01-01T00:00:00Z"}`)
	require.NoError(t, err)
	y.Has(true, "data/a.parquet")
	y.Has(false, "data/b.parquet", "data/c.parquet")
	require.WithinDuration(t, time.Now().Add(-24*time.Hour), r.Before, time.Minute)
}
