package purge_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
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

func (y *yard) purge(policy purge.Policy, h tabletest.HandmadeTable, progress *jobtest.Progress) (*purge.Receipt, error) {
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
	receipt, err := y.purge(purge.Policy{}, h, &jobtest.Progress{})
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
	_, err = y.purge(purge.Policy{}, h, &jobtest.Progress{})
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
		progress := &jobtest.Progress{}
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
	progress := &jobtest.Progress{}
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
			progress := &jobtest.Progress{}
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
	progress := &jobtest.Progress{}
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
	receipt, err := y.purge(purge.Policy{}, h, &jobtest.Progress{})
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
			receipt, err := y.purge(policy, h, &jobtest.Progress{})
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
	_, err := y.purge(purge.Policy{}, h, &jobtest.Progress{})
	require.True(t, jobs.IsPermanent(err))
	want := y.keys()
	require.Contains(t, want, h.Manifests[2].Path)
	for n := int64(1); n <= 11; n++ {
		y.server.Restore(full)
		progress := &jobtest.Progress{}
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
	progress := &jobtest.Progress{}
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
	_, err := y.purge(purge.Policy{}, h, &jobtest.Progress{})
	require.ErrorContains(t, err, "encrypted")
	require.True(t, jobs.IsPermanent(err))
	require.Equal(t, before, y.keys())
}
