package purge_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	"deckhand/internal/manifest"
	"deckhand/internal/tabletest"
	"deckhand/internal/tabletest/icebergtable"
	"deckhand/jobs"
	"deckhand/jobs/purge"
)

// v2_addfiles of the zoo has data files in a landing folder outside its location.
func addedFiles(t *testing.T) (y *yard, table tabletest.ZooTable, outside []string) {
	t.Helper()
	zoo := tabletest.LoadZoo(t)
	y = newYard(t)
	zoo.Load(y.server)
	table = zoo.Table(t, "v2_addfiles")
	for _, f := range table.Files {
		if f.Kind == tabletest.KindData && !within(f.Path, table.Location) {
			outside = append(outside, f.Path)
		}
	}
	require.Len(t, outside, 2)
	return y, table, outside
}

func within(path, location string) bool {
	return len(path) > len(location) && path[:len(location)+1] == location+"/"
}

func TestFilesOutsideTheScopeAndWhatNamesThemAreKeptUntilARequeue(t *testing.T) {
	t.Parallel()
	y, table, outside := addedFiles(t)
	before := y.keys()
	job, progress := jobFor(table.UUID, table.MetadataLocation), &jobtest.Progress{}
	receipt, err := run(t, y.tables(purge.Policy{}), job, progress)
	require.True(t, jobs.IsPermanent(err))
	require.ErrorContains(t, err, "purge.scope: catalog")
	require.ErrorContains(t, err, outside[0])
	require.ElementsMatch(t, outside, receipt.Kept[purge.OutsideScope].Paths)
	// Both lists name the manifest of the added files: it, they and the root stay.
	require.Equal(t, map[purge.Kind]int64{purge.Manifests: 1, purge.ManifestLists: 2, purge.MetadataFiles: 1},
		fileCounts(receipt.Kept[purge.NamesKept].Counts))
	require.Equal(t, map[purge.Kind]int64{purge.Data: 2, purge.Manifests: 1, purge.MetadataFiles: 4}, fileCounts(receipt.Deleted))
	for _, path := range outside {
		require.Contains(t, y.keys(), path)
	}

	_, err = run(t, y.tables(purge.Policy{}), job, progress)
	require.True(t, jobs.IsPermanent(err), "a requeue without a new setting ends the same")

	_, err = run(t, y.tables(purge.Policy{Scope: purge.ScopeCatalog}), job, progress)
	require.NoError(t, err)
	gone := map[string]bool{}
	for _, f := range table.Files {
		gone[f.Path] = true
	}
	require.Equal(t, slices.DeleteFunc(before, func(key string) bool { return gone[key] }), y.keys())
}

// Several manifests may name one file that stays; each of them stays too.
func TestEveryManifestThatNamesAKeptFileIsKept(t *testing.T) {
	t.Parallel()
	zoo := tabletest.LoadZoo(t)
	y := newYard(t)
	zoo.Load(y.server)
	full := y.server.Snapshot()
	repeated := 0
	for _, name := range []string{"v1_plain", "v2_days", "v2_posdel", "v2_rollback", "v3_dv", "v3_lineage", "py_types"} {
		table := zoo.Table(t, name)
		y.server.Restore(full)
		only := newYardOn(t, y.server, table.Location+"/metadata")
		_, err := run(t, only.tables(purge.Policy{}), jobFor(table.UUID, table.MetadataLocation), &jobtest.Progress{})
		require.True(t, jobs.IsPermanent(err), name)
		naming := map[string]int{}
		for _, f := range table.Files {
			switch f.Kind {
			case tabletest.KindMetadata, tabletest.KindManifestList, tabletest.KindStatistics, tabletest.KindPartitionStatistics:
			case tabletest.KindManifest:
				data, _ := zoo.Object(f.Path)
				reader, err := manifest.NewReader(bytes.NewReader(data), f.Path, 0)
				require.NoError(t, err)
				live := 0
				var entry manifest.Entry
				for more, err := reader.Next(&entry); more; more, err = reader.Next(&entry) {
					require.NoError(t, err)
					if entry.Status != manifest.StatusDeleted {
						live++
						naming[string(entry.Path)]++
					}
				}
				require.Equal(t, live > 0, slices.Contains(y.keys(), f.Path), "%s: %s names %d", name, f.Path, live)
			default:
				require.Contains(t, y.keys(), f.Path)
			}
		}
		for _, n := range naming {
			repeated += n - 1
		}
	}
	require.Positive(t, repeated, "no file is named twice: the test shows nothing")
}

func TestForgettingDeletesTheMetadataAndLeavesTheFilesOutside(t *testing.T) {
	t.Parallel()
	y, table, outside := addedFiles(t)
	receipt, err := run(t, y.tables(purge.Policy{Outside: purge.OutsideForget}), jobFor(table.UUID, table.MetadataLocation), &jobtest.Progress{})
	require.NoError(t, err)
	require.ElementsMatch(t, outside, receipt.Kept[purge.OutsideScope].Paths)
	require.NotContains(t, y.keys(), table.MetadataLocation)
	for _, path := range outside {
		require.Contains(t, y.keys(), path)
	}
}

func TestTheJobsLocationsOnlyNarrow(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	table, _ := y.write(icebergtable.Options{Properties: map[string]string{"write.data.path": "s3://other/data/t"}})
	job := jobFor(table.UUID, table.MetadataLocation)
	job.Locations = []string{table.Location, "s3://warehouse/"}
	receipt, err := run(t, y.tables(purge.Policy{}), job, &jobtest.Progress{})
	require.True(t, jobs.IsPermanent(err), "the data path is not among the job's locations")
	require.EqualValues(t, table.Count(tabletest.KindData), receipt.Kept[purge.OutsideScope].Counts[purge.Data].Files)
	for _, path := range filesOf(table, tabletest.KindData) {
		require.Contains(t, y.keys(), path)
	}
}

func TestACatalogsLocationsBoundEveryScope(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	table, _ := y.write(icebergtable.Options{Properties: map[string]string{"write.data.path": "s3://other/data/t"}})
	small := newYardOn(t, y.server, "s3://warehouse/db/t")
	for _, scope := range []purge.Scope{purge.ScopeTable, purge.ScopeCatalog} {
		_, err := run(t, small.tables(purge.Policy{Scope: scope}), jobFor(table.UUID, table.MetadataLocation), &jobtest.Progress{})
		require.True(t, jobs.IsPermanent(err))
		for _, path := range filesOf(table, tabletest.KindData) {
			require.Contains(t, y.keys(), path)
		}
	}
}

func TestGCDisabledKeepsDataAndDeleteFilesWhoeverSaysIt(t *testing.T) {
	t.Parallel()
	no := false
	for name, o := range map[string]icebergtable.Options{
		"table": {PositionDeletes: true, Properties: map[string]string{"gc.enabled": "FALSE"}},
		"odd":   {PositionDeletes: true, Properties: map[string]string{"gc.enabled": "yes"}},
		"job":   {PositionDeletes: true},
	} {
		y := newYard(t)
		table, neighbours := y.write(o)
		job := jobFor(table.UUID, table.MetadataLocation)
		if name == "job" {
			job.GCEnabled = &no
		}
		receipt, err := run(t, y.tables(purge.Policy{}), job, &jobtest.Progress{})
		require.NoError(t, err, name)
		require.False(t, receipt.GCEnabled)
		want := append(slices.Clone(neighbours), filesOf(table, tabletest.KindData)...)
		want = append(want, filesOf(table, tabletest.KindPositionDeletes)...)
		slices.Sort(want)
		require.Equal(t, want, y.keys(), name)
		kept := fileCounts(receipt.Kept[purge.GCDisabled].Counts)
		require.EqualValues(t, table.Count(tabletest.KindData), kept[purge.Data])
		require.EqualValues(t, table.Count(tabletest.KindPositionDeletes), kept[purge.PositionDeletes])
	}
}

func TestFilesThatOnlyDeletedEntriesNameAreKeptUnlessTheJobSaysSo(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	table, neighbours := y.write(icebergtable.Options{DeletedOnly: true})
	require.NotEmpty(t, table.DeletedOnly)
	full := y.server.Snapshot()
	job := jobFor(table.UUID, table.MetadataLocation)
	receipt, err := run(t, y.tables(purge.Policy{}), job, &jobtest.Progress{})
	require.NoError(t, err)
	require.Equal(t, table.DeletedOnly, receipt.Kept[purge.DeletedEntry].Paths)
	want := append(slices.Clone(neighbours), table.DeletedOnly...)
	slices.Sort(want)
	require.Equal(t, want, y.keys())
	require.Equal(t, countsOf(table.Files), fileCounts(receipt.Deleted))

	y.server.Restore(full)
	job.Params = json.RawMessage(`{"deleted_entries":true}`)
	receipt, err = run(t, y.tables(purge.Policy{}), job, &jobtest.Progress{})
	require.NoError(t, err)
	require.Equal(t, neighbours, y.keys())
	require.Empty(t, receipt.Kept)
}

func TestListNamesEveryPathOnce(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	table, _ := y.write(icebergtable.Everything())
	cfg := y.config(purge.Policy{})
	var listed []string
	cfg.List = func(r purge.PathRecord) {
		require.Equal(t, "deleted", r.Action)
		listed = append(listed, r.Location)
	}
	handler, err := purge.New(cfg)
	require.NoError(t, err)
	_, err = run(t, handler, jobFor(table.UUID, table.MetadataLocation), &jobtest.Progress{})
	require.NoError(t, err)
	var want []string
	for _, f := range table.Files {
		want = append(want, f.Path)
	}
	require.ElementsMatch(t, want, listed)
}

func TestGzipMetadataOfAnyNameIsRead(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	table, neighbours := y.write(icebergtable.Options{GzipMetadata: true})
	_, err := run(t, y.tables(purge.Policy{}), jobFor(table.UUID, table.MetadataLocation), &jobtest.Progress{})
	require.NoError(t, err)
	require.Equal(t, neighbours, y.keys())
}

func TestDeletionVectorsOfAV3TableGoOnceEach(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	table, neighbours := y.write(icebergtable.Options{FormatVersion: 3, PositionDeletes: true, Branch: true})
	require.NotZero(t, table.Count(tabletest.KindDV))
	receipt, err := run(t, y.tables(purge.Policy{}), jobFor(table.UUID, table.MetadataLocation), &jobtest.Progress{})
	require.NoError(t, err)
	require.Equal(t, countsOf(table.Files), fileCounts(receipt.Deleted))
	require.Equal(t, neighbours, y.keys())
}
