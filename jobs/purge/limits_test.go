package purge_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	"deckhand/internal/s3test"
	"deckhand/internal/tabletest"
	"deckhand/internal/tabletest/icebergtable"
	"deckhand/jobs"
	"deckhand/jobs/purge"
)

func TestPathsThatNoSettingCouldAllowSaySo(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"hdfs://cluster/x", "relative/x", home + "/../other/x", "s3://warehouse/" + strings.Repeat("x", 9000)} {
		h := numbered(1, 1)
		h.Manifests[0].Entries = append(h.Manifests[0].Entries, entry(path))
		y := newYard(t)
		y.lay(numbered(1, 1))
		y.load(h.Objects())
		receipt, err := y.purge(purge.Policy{Scope: purge.ScopeCatalog}, h, &jobtest.Progress{})
		require.ErrorContains(t, err, "purge.outside: forget", path[:10])
		require.NotContains(t, err.Error(), "add their location", path[:10])
		require.EqualValues(t, 1, receipt.Kept[purge.OutsideScope].Counts[purge.Data].Files)
	}
}

func TestParamsAreReadToTheLetter(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	h := numbered(1, 1)
	y.lay(h)
	before := y.keys()
	for params, message := range map[string]string{
		`{"DELETED_entries":true}`:                        `unknown field "DELETED_entries"`,
		`{"deleted_entries":true,"deleted_entries":true}`: "twice",
		`{"deleted_entries":"yes"}`:                       "bool",
		`[]`:                                              "not an object",
	} {
		job := jobFor(tabletest.HandmadeUUID, h.Root)
		job.Params = json.RawMessage(params)
		_, err := run(t, y.tables(purge.Policy{}), job, &jobtest.Progress{})
		require.ErrorContains(t, err, message, params)
		require.True(t, jobs.IsPermanent(err))
	}
	require.Equal(t, before, y.keys())
}

func TestACheckpointOfAnotherTableIsNotTakenOver(t *testing.T) {
	t.Parallel()
	h := numbered(2, 1)
	for name, checkpoint := range map[string]string{
		"another uuid":     fmt.Sprintf(`{"uuid":"other","metadata_location":%q,"level":5}`, h.Root),
		"another location": fmt.Sprintf(`{"uuid":%q,"metadata_location":"s3://warehouse/other","level":5}`, tabletest.HandmadeUUID),
		"a level too high": fmt.Sprintf(`{"uuid":%q,"metadata_location":%q,"level":99}`, tabletest.HandmadeUUID, h.Root),
		"another plan":     fmt.Sprintf(`{"uuid":%q,"metadata_location":%q,"level":0,"plan":1,"stride":1,"done":"Aw=="}`, tabletest.HandmadeUUID, h.Root),
	} {
		y := newYard(t)
		neighbours := y.lay(h)
		job := jobFor("", h.Root)
		job.EntityID = "1"
		receipt, err := run(t, y.tables(purge.Policy{}), job, jobtest.After(json.RawMessage(checkpoint)))
		require.NoError(t, err, name)
		require.Equal(t, neighbours, y.keys(), name)
		require.EqualValues(t, 2, receipt.Deleted[purge.Data].Files, name)
	}
}

func TestLongNamesFitIntoCheckpointAndReceipt(t *testing.T) {
	t.Parallel()
	long := "s3://warehouse/" + strings.Repeat("&", 990)
	h := tabletest.HandmadeTable{Location: long, Root: long + "/9.json", Metadata: map[string]any{
		"properties": map[string]any{"write.data.path": "s3://other/" + strings.Repeat("<", 990), "write.metadata.path": long + "/meta"},
	}}
	manifest := tabletest.HandmadeManifest{Path: long + "/m.avro"}
	for i := range 300 {
		manifest.Entries = append(manifest.Entries, entry(fmt.Sprintf("s3://warehouse/%s/%d", strings.Repeat(">", 1000), i)))
	}
	h.Manifests = append(h.Manifests, manifest)
	h.Lists = append(h.Lists, tabletest.HandmadeList{Path: long + "/l.avro", Manifests: []string{manifest.Path}})
	y := newYard(t)
	y.load(h.Objects())
	receipt, err := y.purge(purge.Policy{}, h, &jobtest.Progress{})
	require.ErrorContains(t, err, "300 files")
	require.EqualValues(t, 300, receipt.Kept[purge.OutsideScope].Counts[purge.Data].Files)
}

func TestWhatIsLeftIsListedUpToALimit(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	h := numbered(1, 1)
	y.lay(h)
	h.Location += "/" // a slash at the end is the same place
	y.load(h.Objects())
	for i := range 10_050 {
		y.server.Put("warehouse", fmt.Sprintf("db/t/loose/%05d", i), []byte("ab"))
	}
	receipt, err := y.purge(purge.Policy{}, h, &jobtest.Progress{})
	require.NoError(t, err)
	require.True(t, receipt.Left.AtLeast)
	require.EqualValues(t, 10_000, receipt.Left.Files)
	require.EqualValues(t, 20_000, receipt.Left.Bytes)
	require.Len(t, receipt.Left.Paths, 100)
	require.Len(t, slices.DeleteFunc(y.keys(), func(key string) bool { return !strings.Contains(key, "/loose/") }), 10_050)
}

func TestAManifestThatIsGoneIsNotCountedAsDeleted(t *testing.T) {
	t.Parallel()
	h := numbered(3, 1)
	h.Manifests[1].Absent = true
	h.Lists = append(h.Lists, tabletest.HandmadeList{Path: home + "/metadata/l2.avro", Absent: true})
	y := newYard(t)
	y.lay(h)
	full := y.server.Snapshot()
	receipt, err := y.purge(purge.Policy{}, h, &jobtest.Progress{})
	require.NoError(t, err)
	require.Equal(t, map[purge.Kind]int64{purge.Manifests: 1, purge.ManifestLists: 1}, fileCounts(receipt.Absent))
	require.ElementsMatch(t, []string{h.Manifests[1].Path, home + "/metadata/l2.avro"}, receipt.AbsentPaths)
	require.Equal(t, map[purge.Kind]int64{purge.Data: 2, purge.Manifests: 2, purge.ManifestLists: 1, purge.MetadataFiles: 1}, fileCounts(receipt.Deleted))

	for n := int64(1); n <= 10; n++ {
		y.server.Restore(full)
		progress := &jobtest.Progress{}
		_ = cutOff(y, y.tables(purge.Policy{}), tabletest.HandmadeUUID, h.Root, progress, n, n%2 == 0)
		resumed, err := y.purge(purge.Policy{}, h, progress)
		require.NoError(t, err)
		require.Equal(t, receipt.Deleted, resumed.Deleted, "request %d", n)
		require.Equal(t, receipt.Absent, resumed.Absent, "request %d", n)
		require.ElementsMatch(t, receipt.AbsentPaths, resumed.AbsentPaths, "request %d", n)
	}
}

func TestDoneManifestsAreNotDeletedAgainWhenResumed(t *testing.T) {
	t.Parallel()
	h := numbered(6, 700)
	y := newYard(t)
	neighbours := y.lay(h)
	y.refuse(home + "/data/5-3")
	progress := &jobtest.Progress{}
	_, err := y.purge(purge.Policy{}, h, progress)
	require.True(t, jobs.IsPermanent(err))
	require.Greater(t, progress.Saves(), 2, "no checkpoint was stored on the way")
	y.server.Fault(nil)
	y.server.ResetCounts()
	receipt, err := y.purge(purge.Policy{}, h, progress)
	require.NoError(t, err)
	require.Equal(t, neighbours, y.keys())
	require.EqualValues(t, 1+3, y.server.Counts()["DeleteObjects"], "700 files of one manifest, and manifests, list and root")
	require.EqualValues(t, 6*700, receipt.Deleted[purge.Data].Files)
	require.EqualValues(t, 6*700*100, receipt.Deleted[purge.Data].Bytes)
}

func TestABytesOfAReceiptAreThoseOfTheObjects(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	table, _ := y.write(icebergtable.Everything())
	want := map[purge.Kind]int64{}
	for _, f := range table.Files {
		want[purge.Kind(f.Kind)] += int64(len(table.Objects[f.Path]))
	}
	root := int64(len(table.Objects[table.MetadataLocation]))
	want[purge.MetadataFiles] = root // the sizes of earlier ones are nowhere written
	receipt, err := run(t, y.tables(purge.Policy{}), jobFor(table.UUID, table.MetadataLocation), &jobtest.Progress{})
	require.NoError(t, err)
	got := map[purge.Kind]int64{}
	for kind, count := range receipt.Deleted {
		got[kind] = count.Bytes
	}
	require.Equal(t, want, got)
	require.Equal(t, y.server.Counts()["GetObject"], receipt.Requests.ByOperation["GetObject"])
}

func TestADeletedEntryOfAFileThatIsLiveElsewhereChangesNothing(t *testing.T) {
	t.Parallel()
	h := numbered(2, 1)
	h.Manifests[0].Entries = append(h.Manifests[0].Entries, tabletest.HandmadeEntry{Status: 2, Path: home + "/data/1-0", Size: 100},
		tabletest.HandmadeEntry{Status: 2, Path: "s3a" + strings.TrimPrefix(home, "s3") + "/data/1-0", Size: 100})
	y := newYard(t)
	neighbours := y.lay(h)
	receipt, err := y.purge(purge.Policy{}, h, &jobtest.Progress{})
	require.NoError(t, err)
	require.Empty(t, receipt.Kept)
	require.EqualValues(t, 2, receipt.Deleted[purge.Data].Files)
	require.Equal(t, neighbours, y.keys())
}

func TestTwoCatalogsOfOneNameAreRefused(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	cfg := y.config(purge.Policy{})
	cfg.Catalogs = append(cfg.Catalogs, cfg.Catalogs[0])
	_, err := purge.New(cfg)
	require.ErrorContains(t, err, "lake")
}

func TestAViewIsPurgedOnlyInsideTheJobsLocations(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	view := tabletest.NewView("s3://warehouse/db/v", firstUUID, 1, 2)
	y.load(view.Objects)
	before := y.keys()
	job := viewJob(view)
	job.Locations = []string{"s3://warehouse/db/elsewhere"}
	_, err := run(t, y.views(), job, &jobtest.Progress{})
	require.True(t, jobs.IsPermanent(err))
	require.Equal(t, before, y.keys())
	job.Locations = []string{"s3://warehouse/db/v"}
	_, err = run(t, y.views(), job, &jobtest.Progress{})
	require.NoError(t, err)
	require.Empty(t, y.keys())
}

func TestAViewWhoseFolderMayNotBeListedIsNotPurged(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	view := tabletest.NewView("s3://warehouse/db/v", firstUUID, 1, 2)
	y.load(view.Objects)
	before := y.keys()
	y.server.Fault(func(_ int64, op string, _ *http.Request) *s3test.Fault {
		if op == "ListObjectsV2" {
			return &s3test.Fault{Status: 403, Code: "AccessDenied"}
		}
		return nil
	})
	_, err := run(t, y.views(), viewJob(view), &jobtest.Progress{})
	require.ErrorContains(t, err, "allow the worker to list")
	require.True(t, jobs.IsPermanent(err))
	require.Equal(t, before, y.keys())
}

func TestALocalViewGoesWithItsFolders(t *testing.T) {
	t.Parallel()
	warehouse := t.TempDir()
	view := tabletest.NewView("file://"+warehouse+"/db/v", firstUUID, 1, 2)
	require.NoError(t, view.Objects.WriteFolder())
	y := newYardOn(t, nil, "file://"+warehouse)
	_, err := run(t, y.views(), viewJob(view), &jobtest.Progress{})
	require.NoError(t, err)
	require.Equal(t, []string{"db/"}, tree(t, warehouse))
}
