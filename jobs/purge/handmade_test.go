package purge_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/s3test"
	"deckhand/internal/tabletest"
	"deckhand/jobs"
	"deckhand/jobs/purge"
)

const home = "s3://warehouse/db/t"

// numbered is a table with a list over some manifests, each with its own files;
// more adds to it.
func numbered(manifests, files int) tabletest.HandmadeTable {
	h := tabletest.HandmadeTable{Location: home, Root: home + "/metadata/9.metadata.json"}
	list := tabletest.HandmadeList{Path: home + "/metadata/l1.avro"}
	for m := range manifests {
		made := tabletest.HandmadeManifest{Path: fmt.Sprintf("%s/metadata/m%03d.avro", home, m)}
		for f := range files {
			made.Entries = append(made.Entries, entry(fmt.Sprintf("%s/data/%d-%d", home, m, f)))
		}
		h.Manifests = append(h.Manifests, made)
		list.Manifests = append(list.Manifests, made.Path)
	}
	h.Lists = append(h.Lists, list)
	return h
}

func entry(path string) tabletest.HandmadeEntry {
	return tabletest.HandmadeEntry{Status: 1, Path: path, Size: 100}
}

// lay puts the table's metadata and an object for each path that its entries
// name into the store, and returns the neighbours.
func (y *yard) lay(h tabletest.HandmadeTable) (neighbours []string) {
	y.load(tabletest.Neighbours(h.Location))
	neighbours = y.keys()
	for _, m := range h.Manifests {
		for _, e := range m.Entries {
			if bucket, key, err := tabletest.SplitS3(e.Path); err == nil {
				y.server.Put(bucket, key, []byte("x"))
			}
		}
	}
	y.load(h.Objects())
	return neighbours
}

func (y *yard) purge(policy purge.Policy, h tabletest.HandmadeTable, progress *memory) (*purge.Receipt, error) {
	return run(y.t, y.tables(policy), jobFor(tabletest.HandmadeUUID, h.Root), progress)
}

// refuse makes the store refuse to delete the objects.
func (y *yard) refuse(locations ...string) {
	y.server.Fault(func(int64, string, *http.Request) *s3test.Fault {
		return &s3test.Fault{Key: func(key string) string {
			for _, l := range locations {
				if strings.HasSuffix(l, "/"+key) {
					return "AccessDenied"
				}
			}
			return ""
		}}
	})
}

func TestWhatEntriesNameAboveTheDataGoesWithItsOwnLevel(t *testing.T) {
	t.Parallel()
	h := numbered(40, 1)
	// The first manifest claims the last one, the list, the statistics, an earlier
	// metadata file and the root as its data files.
	h.Metadata = map[string]any{
		"statistics":   []any{map[string]any{"statistics-path": home + "/metadata/s.puffin", "file-size-in-bytes": 7}},
		"metadata-log": []any{map[string]any{"metadata-file": home + "/metadata/8.metadata.json"}},
	}
	for _, path := range []string{h.Manifests[39].Path, h.Lists[0].Path, home + "/metadata/s.puffin", home + "/metadata/8.metadata.json", h.Root} {
		h.Manifests[0].Entries = append(h.Manifests[0].Entries, entry(path))
	}
	y := newYard(t)
	neighbours := y.lay(h)
	full := y.server.Snapshot()
	receipt, err := y.purge(purge.Policy{}, h, &memory{})
	require.NoError(t, err)
	require.Equal(t, neighbours, y.keys())
	require.Equal(t, purge.Counts{
		purge.Data: {Files: 40, Bytes: 4000}, purge.Manifests: receipt.Deleted[purge.Manifests],
		purge.ManifestLists: receipt.Deleted[purge.ManifestLists], purge.Statistics: {Files: 1, Bytes: 7},
		purge.MetadataFiles: receipt.Deleted[purge.MetadataFiles],
	}, receipt.Deleted)
	require.EqualValues(t, 40, receipt.Deleted[purge.Manifests].Files)
	require.EqualValues(t, 2, receipt.Deleted[purge.MetadataFiles].Files)
	require.Empty(t, receipt.Absent)

	y.server.Restore(full)
	y.refuse(home + "/data/7-0")
	_, err = y.purge(purge.Policy{}, h, &memory{})
	require.True(t, jobs.IsPermanent(err))
	require.Contains(t, y.keys(), h.Root)
	require.Contains(t, y.keys(), h.Lists[0].Path)
}

func TestAPassingFailureOfOneDataFileStopsBeforeTheManifests(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"InternalError", "SlowDown"} {
		y := newYard(t)
		h := numbered(3, 4)
		neighbours := y.lay(h)
		failing := code == "InternalError"
		first := true
		y.server.Fault(func(int64, string, *http.Request) *s3test.Fault {
			return &s3test.Fault{Key: func(key string) string {
				if strings.HasSuffix(key, "/data/1-2") && (failing || first) {
					first = false
					return code
				}
				return ""
			}}
		})
		progress := &memory{}
		receipt, err := y.purge(purge.Policy{}, h, progress)
		if !failing {
			require.NoError(t, err, "to be slowed down is not a failure")
			require.Positive(t, receipt.Requests.Throttled)
			require.Equal(t, neighbours, y.keys())
			continue
		}
		require.ErrorIs(t, err, jobs.ErrUnavailable)
		for _, m := range h.Manifests {
			require.Contains(t, y.keys(), m.Path)
		}
		y.server.Fault(nil)
		_, err = y.purge(purge.Policy{}, h, progress)
		require.NoError(t, err)
		require.Equal(t, neighbours, y.keys())
	}
}

func TestFilesThatAnotherPolicyLeftAreNotReportedDeleted(t *testing.T) {
	t.Parallel()
	h := numbered(3, 1)
	for m := range h.Manifests {
		h.Manifests[m].Entries = append(h.Manifests[m].Entries, entry(fmt.Sprintf("s3://other/x/%d", m)))
	}
	y := newYard(t)
	neighbours := y.lay(h)
	y.refuse(home + "/data/2-0")
	progress := &memory{}
	_, err := y.purge(purge.Policy{Outside: purge.OutsideForget}, h, progress)
	require.True(t, jobs.IsPermanent(err))
	y.server.Fault(nil)
	receipt, err := y.purge(purge.Policy{Scope: purge.ScopeCatalog}, h, progress)
	require.NoError(t, err)
	require.EqualValues(t, 6, receipt.Deleted[purge.Data].Files)
	require.Equal(t, neighbours, y.keys())
}

// A store that does not let the worker list answers 403 for what is not there.
func TestARequeueAfterARefusalFinishesWithoutTheRightToList(t *testing.T) {
	t.Parallel()
	for _, refused := range []string{home + "/data/1-1", home + "/metadata/m001.avro", home + "/metadata/l1.avro",
		home + "/metadata/s.puffin", home + "/metadata/8.metadata.json", home + "/metadata/9.metadata.json"} {
		t.Run(refused[len(home)+1:], func(t *testing.T) {
			t.Parallel()
			h := numbered(3, 2)
			h.Metadata = map[string]any{
				"statistics":   []any{map[string]any{"statistics-path": home + "/metadata/s.puffin", "file-size-in-bytes": 7}},
				"metadata-log": []any{map[string]any{"metadata-file": home + "/metadata/8.metadata.json"}},
			}
			y := newYard(t)
			neighbours := y.lay(h)
			y.server.Put("warehouse", "db/t/metadata/s.puffin", []byte("1234567"))
			y.server.Put("warehouse", "db/t/metadata/8.metadata.json", []byte("{}"))
			hide := func(refusing bool) {
				y.server.Fault(func(_ int64, op string, r *http.Request) *s3test.Fault {
					if op == "ListObjectsV2" || op == "GetObject" && !y.server.Has("warehouse", strings.TrimPrefix(r.URL.Path, "/warehouse/")) {
						return &s3test.Fault{Status: 403, Code: "AccessDenied"}
					}
					return &s3test.Fault{Key: func(key string) string {
						if refusing && strings.HasSuffix(refused, "/"+key) {
							return "AccessDenied"
						}
						return ""
					}}
				})
			}
			hide(true)
			progress := &memory{}
			_, err := y.purge(purge.Policy{}, h, progress)
			require.ErrorContains(t, err, refused)
			_, err = y.purge(purge.Policy{}, h, progress)
			require.ErrorContains(t, err, refused, "requeued too early")
			hide(false)
			receipt, err := y.purge(purge.Policy{}, h, progress)
			require.NoError(t, err)
			require.Equal(t, neighbours, y.keys())
			require.Equal(t, map[purge.Kind]int64{purge.Data: 6, purge.Manifests: 3, purge.ManifestLists: 1, purge.Statistics: 1, purge.MetadataFiles: 2},
				fileCounts(receipt.Deleted))
			require.False(t, receipt.AtMost)
			require.Empty(t, receipt.Absent)
		})
	}
}

func TestARequeueWithAWiderScopeFinishesWithoutTheRightToList(t *testing.T) {
	t.Parallel()
	h := numbered(3, 2)
	h.Manifests[1].Entries = append(h.Manifests[1].Entries, entry("s3://other/x"))
	y := newYard(t)
	neighbours := y.lay(h)
	y.server.Fault(func(_ int64, op string, r *http.Request) *s3test.Fault {
		if op == "ListObjectsV2" || op == "GetObject" && !y.server.Has("warehouse", strings.TrimPrefix(r.URL.Path, "/warehouse/")) {
			return &s3test.Fault{Status: 403, Code: "AccessDenied"}
		}
		return nil
	})
	progress := &memory{}
	for range 3 {
		receipt, err := y.purge(purge.Policy{}, h, progress)
		require.ErrorContains(t, err, "s3://other/x")
		require.Equal(t, map[purge.Kind]int64{purge.Manifests: 1, purge.ManifestLists: 1, purge.MetadataFiles: 1},
			fileCounts(receipt.Kept[purge.NamesKept].Counts))
		require.Empty(t, receipt.Absent)
	}
	receipt, err := y.purge(purge.Policy{Scope: purge.ScopeCatalog}, h, progress)
	require.NoError(t, err)
	require.Equal(t, neighbours, y.keys())
	require.Equal(t, map[purge.Kind]int64{purge.Manifests: 3, purge.ManifestLists: 1, purge.MetadataFiles: 1, purge.Data: receipt.Deleted[purge.Data].Files},
		fileCounts(receipt.Deleted))
	require.True(t, receipt.AtMost, "the files beside the one outside were met in every run")
	require.Empty(t, receipt.Absent)
}

func TestAListThatNamesAHeldManifestInAnotherSpellingStays(t *testing.T) {
	t.Parallel()
	h := numbered(2, 1)
	h.Manifests[1].Entries[0].Path = "s3://other/x"
	h.Lists = append(h.Lists, tabletest.HandmadeList{
		Path: home + "/metadata/l2.avro", Manifests: []string{strings.Replace(h.Manifests[1].Path, "s3://", "s3a://", 1)},
	}, tabletest.HandmadeList{Path: "s3a" + strings.TrimPrefix(h.Lists[0].Path, "s3")})
	h.Lists[2].Absent = true // the same object as the first, in another spelling
	y := newYard(t)
	y.lay(h)
	receipt, err := y.purge(purge.Policy{}, h, &memory{})
	require.True(t, jobs.IsPermanent(err))
	require.Contains(t, y.keys(), home+"/metadata/l1.avro")
	require.Contains(t, y.keys(), home+"/metadata/l2.avro")
	require.EqualValues(t, 2, receipt.Kept[purge.NamesKept].Counts[purge.ManifestLists].Files)
}

func TestMetadataOutsideTheScopeKeepsTheRoot(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*tabletest.HandmadeTable){
		"manifest": func(h *tabletest.HandmadeTable) {
			h.Manifests[0].Path = "s3://other/m.avro"
			h.Lists[0].Manifests[0] = "s3://other/m.avro"
		},
		"list": func(h *tabletest.HandmadeTable) { h.Lists[0].Path = "s3://other/l.avro" },
		"statistics": func(h *tabletest.HandmadeTable) {
			h.Metadata = map[string]any{"statistics": []any{map[string]any{"statistics-path": "s3://other/s.puffin"}}}
		},
		"earlier metadata": func(h *tabletest.HandmadeTable) {
			h.Metadata = map[string]any{"metadata-log": []any{map[string]any{"metadata-file": "s3://other/8.metadata.json"}}}
		},
		"root": func(h *tabletest.HandmadeTable) { h.Root = "s3://other/9.metadata.json" },
	} {
		for _, policy := range []purge.Policy{{}, {Outside: purge.OutsideForget}} {
			h := numbered(2, 1)
			change(&h)
			y := newYard(t)
			y.lay(h)
			before := slices.DeleteFunc(y.keys(), func(key string) bool { return !strings.HasPrefix(key, "s3://other/") })
			receipt, err := y.purge(policy, h, &memory{})
			require.EqualValues(t, 1, receipt.Kept[purge.OutsideScope].Counts.Total().Files, name)
			for _, key := range before {
				require.Contains(t, y.keys(), key, name)
			}
			if policy.Outside == purge.OutsideForget {
				require.NoError(t, err, name)
				continue
			}
			require.True(t, jobs.IsPermanent(err), "%s: %v", name, err)
			require.Contains(t, y.keys(), h.Root, name)
		}
	}
}

func TestARunCutOffAmongHeldFilesKeepsThemWhenResumed(t *testing.T) {
	t.Parallel()
	h := numbered(4, 1)
	h.Manifests[2].Entries = append(h.Manifests[2].Entries, entry("s3://other/x"))
	y := newYard(t)
	y.lay(h)
	full := y.server.Snapshot()
	handler := y.tables(purge.Policy{})
	_, err := y.purge(purge.Policy{}, h, &memory{})
	require.True(t, jobs.IsPermanent(err))
	want := y.keys()
	require.Contains(t, want, h.Manifests[2].Path)
	for n := int64(1); n <= 11; n++ {
		y.server.Restore(full)
		progress := &memory{}
		_ = cutOff(y, handler, tabletest.HandmadeUUID, h.Root, progress, n, n%2 == 0)
		_, err := y.purge(purge.Policy{}, h, progress)
		require.True(t, jobs.IsPermanent(err), "request %d: %v", n, err)
		require.Equal(t, want, y.keys(), "request %d", n)
	}
}

func TestMoreHeldManifestsThanACheckpointHoldsAreAllKept(t *testing.T) {
	t.Parallel()
	h := numbered(140, 1)
	for m := range 135 {
		h.Manifests[m].Entries = append(h.Manifests[m].Entries, entry(fmt.Sprintf("s3://other/x/%d", m)))
	}
	y := newYard(t)
	neighbours := y.lay(h)
	progress := &memory{}
	_, err := y.purge(purge.Policy{}, h, progress)
	require.ErrorContains(t, err, "135 files")
	for m := range 135 {
		require.Contains(t, y.keys(), h.Manifests[m].Path)
	}
	require.Contains(t, y.keys(), h.Lists[0].Path)
	_, err = y.purge(purge.Policy{Scope: purge.ScopeCatalog}, h, progress)
	require.NoError(t, err)
	require.Equal(t, neighbours, y.keys())
}

func TestAnEncryptedManifestIsFoundBeforeAnythingIsDeleted(t *testing.T) {
	t.Parallel()
	h := numbered(2, 1)
	h.Lists = append(h.Lists, tabletest.HandmadeList{Path: home + "/metadata/l2.avro", Manifests: []string{home + "/metadata/secret.avro"}, Encrypted: true})
	y := newYard(t)
	y.lay(h)
	before := y.keys()
	_, err := y.purge(purge.Policy{}, h, &memory{})
	require.ErrorContains(t, err, "encrypted")
	require.True(t, jobs.IsPermanent(err))
	require.Equal(t, before, y.keys())
}

func TestPathsThatNoSettingCouldAllowSaySo(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"hdfs://cluster/x", "relative/x", home + "/../other/x", "s3://warehouse/" + strings.Repeat("x", 9000)} {
		h := numbered(1, 1)
		h.Manifests[0].Entries = append(h.Manifests[0].Entries, entry(path))
		y := newYard(t)
		y.lay(numbered(1, 1))
		y.load(h.Objects())
		receipt, err := y.purge(purge.Policy{Scope: purge.ScopeCatalog}, h, &memory{})
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
		_, err := run(t, y.tables(purge.Policy{}), job, &memory{})
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
		receipt, err := run(t, y.tables(purge.Policy{}), job, &memory{checkpoint: json.RawMessage(checkpoint)})
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
	receipt, err := y.purge(purge.Policy{}, h, &memory{})
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
	receipt, err := y.purge(purge.Policy{}, h, &memory{})
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
	receipt, err := y.purge(purge.Policy{}, h, &memory{})
	require.NoError(t, err)
	require.Equal(t, map[purge.Kind]int64{purge.Manifests: 1, purge.ManifestLists: 1}, fileCounts(receipt.Absent))
	require.ElementsMatch(t, []string{h.Manifests[1].Path, home + "/metadata/l2.avro"}, receipt.AbsentPaths)
	require.Equal(t, map[purge.Kind]int64{purge.Data: 2, purge.Manifests: 2, purge.ManifestLists: 1, purge.MetadataFiles: 1}, fileCounts(receipt.Deleted))

	for n := int64(1); n <= 10; n++ {
		y.server.Restore(full)
		progress := &memory{}
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
	progress := &memory{}
	_, err := y.purge(purge.Policy{}, h, progress)
	require.True(t, jobs.IsPermanent(err))
	require.Greater(t, progress.saves, 2, "no checkpoint was stored on the way")
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
	table, _ := y.write(everything())
	want := map[purge.Kind]int64{}
	for _, f := range table.Files {
		want[purge.Kind(f.Kind)] += int64(len(table.Objects[f.Path]))
	}
	root := int64(len(table.Objects[table.MetadataLocation]))
	want[purge.MetadataFiles] = root // the sizes of earlier ones are nowhere written
	receipt, err := run(t, y.tables(purge.Policy{}), jobFor(table.UUID, table.MetadataLocation), &memory{})
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
	receipt, err := y.purge(purge.Policy{}, h, &memory{})
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
	_, err := run(t, y.views(), job, &memory{})
	require.True(t, jobs.IsPermanent(err))
	require.Equal(t, before, y.keys())
	job.Locations = []string{"s3://warehouse/db/v"}
	_, err = run(t, y.views(), job, &memory{})
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
	_, err := run(t, y.views(), viewJob(view), &memory{})
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
	_, err := run(t, y.views(), viewJob(view), &memory{})
	require.NoError(t, err)
	require.Equal(t, []string{"db/"}, tree(t, warehouse))
}
