package manifests_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/apache/iceberg-go"
	"github.com/stretchr/testify/require"

	"deckhand/internal/maintenance/maintenancetest"
	"deckhand/internal/s3test"
	"deckhand/jobs"
)

// What a person gets to read, and that nothing was committed.
func TestWhatStopsARewritingSaysWhatToDo(t *testing.T) {
	t.Parallel()
	list := maintenancetest.InHome("metadata/snap-forged.avro")
	for name, test := range map[string]struct {
		params string
		spoil  func(f *forge)
		says   []string
	}{
		"a field of sort-by is a column": {
			params: `{"sort-by":["id"]}`, says: []string{`sort-by names "id"`, "(k)", "name fields of the partition"},
		},
		"a spec that is not there": {
			params: `{"spec-id":9}`, says: []string{"spec-id is 9", "no such partition spec"},
		},
		"a key that is none": {params: `{"sort_bye":["k"]}`, says: []string{"sort_bye"}},
		"a property that is no size": {
			params: `{}`, says: []string{"commit.manifest.target-size-bytes", `"8 MB"`, "correct it, or set target-size-bytes"},
			spoil: func(f *forge) {
				f.Ledger.Change(object{"action": "set-properties", "updates": object{"commit.manifest.target-size-bytes": "8 MB"}})
			},
		},
		"a list that is damaged": {
			params: `{}`, says: []string{list, "mend it or roll the table back"},
			spoil: func(f *forge) { f.Put(list, []byte("no avro")) },
		},
		"a list that is not there": {
			params: `{}`, says: []string{list, "not found", "mend it or roll the table back"},
			spoil: func(f *forge) { f.Remove(list) },
		},
		"keys that may not write": {
			params: `{}`, says: []string{"write a manifest", "access denied", "TABLE_WRITE_DATA"},
			spoil: func(f *forge) {
				f.Server.Fault(func(_ int64, op string, _ *http.Request) *s3test.Fault {
					if op != "PutObject" {
						return nil
					}
					return &s3test.Fault{Status: http.StatusForbidden, Code: "AccessDenied"}
				})
			},
		},
		"locations that leave the table out": {
			params: `{}`, says: []string{"outside the allowed locations", "add the table's location"},
			spoil: func(f *forge) {
				f.Storage.Locations = []string{"s3://warehouse/db/t/metadata-of-another", "s3://other/"}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := aForge(t, 2)
			if test.spoil != nil {
				test.spoil(f)
			}
			location, keys := f.Ledger.Location, f.Keys()
			r, err := f.rewrite(test.params)
			require.Error(t, err)
			require.True(t, jobs.IsPermanent(err), err)
			for _, text := range test.says {
				require.ErrorContains(t, err, text)
			}
			require.Zero(t, r.Written)
			require.Equal(t, location, f.Ledger.Location)
			f.Server.Fault(nil)
			require.Equal(t, keys, f.Keys())
		})
	}
}

// A manifest that cannot be read or not be carried stays, and the others are
// rewritten.
func TestAManifestThatCannotBeRewrittenStaysAndIsSaid(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spoil  func(f *forge, path string, data []byte)
		reason string
		says   string
	}{
		"damaged":     {func(f *forge, path string, _ []byte) { f.Put(path, []byte("Obj\x01 and no more")) }, "unreadable", "corrupt"},
		"not there":   {func(f *forge, path string, _ []byte) { f.Remove(path) }, "unreadable", "not found"},
		"cut":         {func(f *forge, path string, data []byte) { f.Put(path, data[:len(data)-1]) }, "unreadable", "the manifest list says"},
		"cut between": {func(f *forge, path string, data []byte) { f.Put(path, betweenBlocks(data)) }, "unreadable", "the manifest list says"},
		"denied": {func(f *forge, path string, _ []byte) {
			f.Server.Fault(func(_ int64, op string, r *http.Request) *s3test.Fault {
				if op != "GetObject" || !strings.HasSuffix(path, r.URL.Path) {
					return nil
				}
				return &s3test.Fault{Status: http.StatusForbidden, Code: "AccessDenied"}
			})
		}, "unreadable", "access denied"},
		"of another spec": {func(f *forge, path string, data []byte) {
			header := bytes.Replace(data, []byte("partition-spec-id\x020"), []byte("partition-spec-id\x027"), 1)
			require.NotEqual(f.T, data, header)
			f.Put(path, header)
		}, "cannot be written anew without loss", "partition-spec-id"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			y := newYard(t)
			f := y.forge(2)
			for n := range 6 {
				f.manifest(0, forged{path: string(rune('a'+n)) + ".parquet", partition: int32(n), sequence: int64(n + 1)})
			}
			f.open(nil)
			bad := f.named[2].FilePath()
			whole := f.Get(bad)
			test.spoil(f, bad, whole)
			r, err := f.rewrite(`{}`)
			require.NoError(t, err)
			require.EqualValues(t, 5, r.Replaced.Files)
			require.EqualValues(t, 1, r.Written.Files)
			require.EqualValues(t, 5, r.Entries)
			kept := r.Kept[kindOf(test.reason)]
			require.EqualValues(t, 1, kept.Counts.Total().Files, r.Kept)
			require.Contains(t, kept.Paths[0], bad)
			require.Contains(t, kept.Paths[0], test.says)

			f.Server.Fault(nil)
			f.Put(bad, whole)
			var paths []string
			for _, m := range f.manifestsOf(current(t, f.Metadata())) {
				paths = append(paths, m.FilePath())
			}
			require.Len(t, paths, 2)
			require.Contains(t, paths, bad)
			require.Len(t, f.filesOf(), 6)
		})
	}
}

// betweenBlocks is a manifest cut where its only block begins: an Avro file without
// entries that looks whole.
func betweenBlocks(data []byte) []byte {
	sync := data[len(data)-16:]
	at := bytes.Index(data, sync)
	return data[:at+16]
}

func TestATableWithNothingToGainIsLeftAlone(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	f := y.forge(2)
	f.manifest(0, forged{path: "a.parquet", partition: int32(1), sequence: 1})
	f.manifest(0, forged{path: "d", content: equalities, partition: int32(1), sequence: 2})
	f.manifest(0, forged{path: "gone.parquet", partition: int32(1), sequence: 1, deleted: true})
	f.open(nil)
	location, keys := f.Ledger.Location, f.Keys()
	r, err := f.rewrite(`{}`)
	require.NoError(t, err)
	require.Zero(t, r.Written)
	require.Zero(t, r.Replaced)
	require.Equal(t, r.Before, r.After)
	require.EqualValues(t, 50, r.LastSequenceNumber)
	require.Equal(t, location, f.Ledger.Location)
	require.Equal(t, keys, f.Keys())
	var text bytes.Buffer
	require.NoError(t, r.WriteText(&text))
	require.Contains(t, text.String(), "nothing")
	require.Contains(t, text.String(), "of 3 manifests")
}

func TestATableWithoutASnapshotIsLeftAlone(t *testing.T) {
	t.Parallel()
	f := aForge(t, 2)
	f.Edit(f.Ledger.Location, func(m object) {
		m["snapshots"], m["current-snapshot-id"], m["refs"] = []any{}, -1, object{}
	})
	r, err := f.rewrite(`{}`)
	require.NoError(t, err)
	require.Contains(t, strings.Join(r.Notes, " "), "no snapshot")
}

func TestSpecIDLeavesTheOthersAlone(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	f := y.forge(2, unpartitioned(0), byKey(1))
	for n := range 3 {
		f.manifest(0, forged{path: string(rune('a'+n)) + ".parquet", sequence: 1})
		f.manifest(1, forged{path: string(rune('f'+n)) + ".parquet", partition: int32(n), sequence: 1})
	}
	f.open(nil)
	full := f.Server.Snapshot()
	location := f.Ledger.Location
	r, err := f.rewrite(`{"spec-id":1}`)
	require.NoError(t, err)
	require.EqualValues(t, 3, r.Replaced.Files)
	require.Contains(t, strings.Join(r.Notes, " "), "3 manifests of other partition specs than 1")
	f.Server.Restore(full)
	f.Open(location)
	r, err = f.rewrite(`{}`)
	require.NoError(t, err)
	require.EqualValues(t, 6, r.Replaced.Files)
	require.EqualValues(t, 2, r.Written.Files)
	specs := map[int32]int{}
	for _, m := range f.manifestsOf(current(t, f.Metadata())) {
		specs[m.PartitionSpecID()]++
		require.Equal(t, iceberg.ManifestContentData, m.ManifestContent())
	}
	require.Equal(t, map[int32]int{0: 1, 1: 1}, specs)
}

func TestManifestsThatNameNothingAreLeftOut(t *testing.T) {
	t.Parallel()
	f := aForge(t, 2)
	_, err := f.rewrite(`{}`)
	require.NoError(t, err)
	f.change([]string{"f1.parquet"}, forged{path: "g1.parquet", partition: int32(1)})
	f.change([]string{"g1.parquet"}, forged{path: "g2.parquet", partition: int32(1)})
	f.change([]string{"g2.parquet"}, forged{path: "g3.parquet", partition: int32(1)})
	f.change([]string{"g3.parquet"})
	before := f.currentContent()
	r, err := f.rewrite(`{}`)
	require.NoError(t, err)
	require.EqualValues(t, 3, r.Replaced.Files)
	require.Zero(t, r.Written)
	require.Equal(t, r.Before.Files-3, r.After.Files)
	require.Equal(t, before, f.currentContent())
}
