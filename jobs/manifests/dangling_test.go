package manifests_test

import (
	"strings"
	"testing"

	"github.com/apache/iceberg-go"
	"github.com/stretchr/testify/require"

	"deckhand/internal/maintenance/maintenancetest"
)

const (
	positions  = iceberg.EntryContentPosDeletes
	equalities = iceberg.EntryContentEqDeletes
)

// filesOf are the names of the live files of main, without those of manifests.
func (y *yard) filesOf() map[string]bool {
	y.T.Helper()
	m := y.Metadata()
	names := map[string]bool{}
	for path := range y.Reach(m)[m.CurrentSnapshotID] {
		if name, found := strings.CutPrefix(path, maintenancetest.InHome("data/")); found {
			names[name] = true
		}
	}
	return names
}

func TestExactlyTheDeleteFilesThatApplyToNothingAreDropped(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		version int
		specs   []iceberg.PartitionSpec
		// files by the spec of their manifest; those whose name begins with "x" are
		// dangling.
		files map[int][]forged
	}{
		"position deletes of a partition": {version: 2, files: map[int][]forged{0: {
			{path: "a.parquet", partition: int32(1), sequence: 5},
			{path: "same", content: positions, partition: int32(1), sequence: 5},
			{path: "later", content: positions, partition: int32(1), sequence: 6},
			{path: "xolder", content: positions, partition: int32(1), sequence: 4},
			{path: "xempty", content: positions, partition: int32(2), sequence: 9},
			{path: "xnull", content: positions, sequence: 9},
		}}},
		"equality deletes of a partition": {version: 2, files: map[int][]forged{0: {
			{path: "a.parquet", partition: int32(1), sequence: 5},
			{path: "b.parquet", partition: int32(1), sequence: 9},
			{path: "xsame", content: equalities, partition: int32(1), sequence: 5},
			{path: "later", content: equalities, partition: int32(1), sequence: 6},
			{path: "xolder", content: equalities, partition: int32(1), sequence: 4},
			{path: "xempty", content: equalities, partition: int32(2), sequence: 9},
		}}},
		"position deletes of one file": {version: 2, files: map[int][]forged{0: {
			{path: "a.parquet", partition: int32(1), sequence: 5},
			{path: "gone.parquet", partition: int32(1), sequence: 5, deleted: true},
			{path: "bounded", content: positions, partition: int32(1), sequence: 6, bounds: "a.parquet"},
			{path: "xbounded", content: positions, partition: int32(1), sequence: 6, bounds: "gone.parquet"},
			{path: "cut", content: positions, partition: int32(1), sequence: 6, bounds: "gon"},
		}}},
		// iceberg-go writes the name only in v3
		"position deletes that name their file": {version: 3, files: map[int][]forged{0: {
			{path: "a.parquet", partition: int32(1), sequence: 5},
			{path: "named", content: positions, partition: int32(1), sequence: 6, about: "a.parquet"},
			{path: "xnamed", content: positions, partition: int32(1), sequence: 6, about: "gone.parquet"},
		}}},
		"deletion vectors": {version: 3, files: map[int][]forged{0: {
			{path: "a.parquet", partition: int32(1), sequence: 5},
			{path: "live.puffin", format: iceberg.PuffinFile, content: positions, partition: int32(1), sequence: 6, about: "a.parquet"},
			{path: "xgone.puffin", format: iceberg.PuffinFile, content: positions, partition: int32(1), sequence: 6, about: "gone.parquet"},
		}}},
		"an unpartitioned spec": {version: 2, specs: []iceberg.PartitionSpec{unpartitioned(0), byKey(1)}, files: map[int][]forged{
			0: {
				{path: "everywhere", content: equalities, sequence: 6},
				{path: "xnowhere", content: equalities, sequence: 5},
				{path: "unsure", content: positions, sequence: 5},
				{path: "xnever", content: positions, sequence: 4},
			},
			1: {
				{path: "a.parquet", partition: int32(1), sequence: 5},
				{path: "xother", content: equalities, partition: int32(2), sequence: 6},
			},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			y := newYard(t)
			f := y.forge(test.version, test.specs...)
			want, gone, dropped := map[string]bool{}, map[string]bool{}, int64(0)
			for spec, files := range test.files {
				var data, deletes []forged
				for _, file := range files {
					if file.content == iceberg.EntryContentData {
						data = append(data, file)
					} else {
						deletes = append(deletes, file)
					}
					switch {
					case strings.HasPrefix(file.path, "x"):
						dropped++
						gone[file.path] = true
					case !file.deleted:
						want[file.path] = true
					}
				}
				if len(data) > 0 {
					f.manifest(spec, data...)
				}
				if len(deletes) > 0 {
					f.manifest(spec, deletes...)
				}
			}
			f.open(nil)
			keys := y.Keys()
			kept, err := y.rewrite(`{"remove-dangling-deletes":false}`)
			require.NoError(t, err)
			require.Empty(t, kept.Dropped)

			dry, err := y.rewrite(`{"dry-run":true}`)
			require.NoError(t, err)
			require.Equal(t, keys, y.Keys())

			r, err := y.rewrite(`{}`)
			require.NoError(t, err)
			require.Equal(t, want, y.filesOf())
			require.Equal(t, gone, y.removedBy())
			require.Equal(t, dropped, r.Dropped.Total().Files)
			require.Equal(t, dry.Dropped, r.Dropped)
			require.Equal(t, dry.Written.Files, r.Written.Files)
			summary := current(t, y.Metadata()).Summary
			require.Equal(t, idText(dropped), summary["removed-delete-files"])
			require.Equal(t, idText(9-dropped), summary["total-delete-files"])
			require.Equal(t, idText(2000-10*dropped), idText(number(summary["total-position-deletes"])+number(summary["total-equality-deletes"])))

			again, err := y.rewrite(`{}`)
			require.NoError(t, err)
			require.Zero(t, again.Replaced)
		})
	}
}

func TestNoDeleteFileIsDroppedWhileADataManifestCannotBeRead(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	f := y.forge(2)
	f.manifest(0, forged{path: "a.parquet", partition: int32(1), sequence: 5})
	f.manifest(0, forged{path: "b.parquet", partition: int32(2), sequence: 5})
	f.manifest(0, forged{path: "p", content: positions, partition: int32(2), sequence: 9})
	f.open(nil)
	damaged := f.named[1].FilePath()
	whole := y.Get(damaged)
	for _, broken := range [][]byte{nil, []byte("no avro"), whole[:len(whole)-20]} {
		y.Put(damaged, broken)
		location := y.Ledger.Location
		r, err := y.rewrite(`{}`)
		require.NoError(t, err)
		require.Empty(t, r.Dropped)
		require.Zero(t, r.Replaced)
		require.Equal(t, location, y.Ledger.Location)
		require.Contains(t, strings.Join(r.Notes, "\n"), "no delete file was dropped: manifest "+damaged)
		require.EqualValues(t, 1, r.Kept["unreadable"].Counts.Total().Files)
	}
}

// Iceberg's Java library takes a spec of void fields alone for unpartitioned, however
// they are spelled: its equality deletes apply everywhere.
func TestEqualityDeletesOfASpecOfVoidFieldsApplyEverywhere(t *testing.T) {
	t.Parallel()
	for _, spelled := range []string{"void", "VOID"} {
		y := newYard(t)
		void := iceberg.NewPartitionSpecID(0, iceberg.PartitionField{SourceIDs: []int{2}, FieldID: 1000, Name: "k", Transform: iceberg.VoidTransform{}})
		f := y.forge(2, void, byKey(1))
		f.manifest(1, forged{path: "a.parquet", partition: int32(1), sequence: 5})
		f.manifest(0, forged{path: "everywhere", content: equalities, sequence: 6}, forged{path: "xnowhere", content: equalities, sequence: 5})
		f.open(nil)
		f.Edit(f.Ledger.Location, func(m object) {
			m["partition-specs"].([]any)[0].(object)["fields"].([]any)[0].(object)["transform"] = spelled
		})
		_, err := y.rewrite(`{}`)
		require.NoError(t, err)
		require.Equal(t, map[string]bool{"a.parquet": true, "everywhere": true}, y.filesOf(), spelled)
	}
}
