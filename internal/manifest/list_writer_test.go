package manifest

import (
	"bytes"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"deckhand/internal/manifest/partition"
)

// keptOf is a list of one manifest of the given content.
func keptOf(t testing.TB, version int, deletes bool, rowID, existing, added int64) *Kept {
	t.Helper()
	content := int64(0)
	if deletes {
		content = 1
	}
	var out *Kept
	data := foreignFile(t, listSchema(3), "null", join(text("s3://w/m.avro"), long(10), long(0), long(content), long(4), long(3), long(77),
		long(1), long(2), long(3), long(added), long(existing), long(5), long(0), long(0), appendOptional(nil, rowID)))
	require.NoError(t, CarryList(bytes.NewReader(data), "old.avro", version, func(k *Kept) error {
		out = k
		return nil
	}))
	require.Equal(t, rowID, out.FirstRowID)
	require.Equal(t, [3]int64{added, existing, 5}, [3]int64{out.AddedRows, out.ExistingRows, out.DeletedRows})
	return out
}

func TestRowIDsAreAssignedToManifestsThatNeedThem(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w, err := NewListWriter(&out, "l.avro", ListConfig{FormatVersion: 3, SnapshotID: 8, ParentSnapshotID: 7, SequenceNumber: 9, FirstRowID: 1000})
	require.NoError(t, err)
	require.NoError(t, w.Add(&Written{Path: "all-have-theirs", ExistingFiles: 3, ExistingRows: 30}))
	require.NoError(t, w.Add(&Written{Path: "some-have-none", ExistingFiles: 3, ExistingRows: 40, UnassignedRows: 10}))
	require.NoError(t, w.Add(&Written{Path: "deletes", Deletes: true, ExistingFiles: 3, ExistingRows: 50}))
	require.NoError(t, w.Keep(keptOf(t, 3, false, 17, 100, 100)))
	require.NoError(t, w.Keep(keptOf(t, 3, false, -1, 5, 6)))
	require.NoError(t, w.Keep(keptOf(t, 3, true, -1, 7, 8)))
	require.NoError(t, w.Keep(keptOf(t, 3, false, -1, 1, 0)))
	written, err := w.Close()
	require.NoError(t, err)
	require.Equal(t, &WrittenList{Length: int64(out.Len()), AddedRows: 40 + 5 + 6 + 1}, written)
	var rows []any
	for _, m := range rawRecords(t, out.Bytes()) {
		rows = append(rows, m["first_row_id"])
	}
	require.Equal(t, []any{int64(1000), int64(1000), nil, int64(17), int64(1040), nil, int64(1051)}, rows)
}

func TestRowIDsThatOverflowAreAnError(t *testing.T) {
	t.Parallel()
	for _, kept := range []*Kept{
		keptOf(t, 3, false, -1, math.MaxInt64-10, 20), keptOf(t, 3, false, -1, -2, 0),
	} {
		w, err := NewListWriter(io.Discard, "l.avro", ListConfig{FormatVersion: 3, FirstRowID: 5})
		require.NoError(t, err)
		require.ErrorContains(t, w.Keep(kept), "keep s3://w/m.avro: ")
		w.Abort()
	}
	_, err := NewListWriter(io.Discard, "l.avro", ListConfig{FormatVersion: 3, FirstRowID: -1})
	require.ErrorContains(t, err, "is negative")
}

func TestAListSaysOfEachVersionWhatItHasFieldsFor(t *testing.T) {
	t.Parallel()
	m := &Written{
		Path: "s3://w/new.avro", Length: 123, SpecID: 3, MinSequenceNumber: 2, ExistingFiles: 4, ExistingRows: 50,
		Partitions: []partition.Summary{{ContainsNull: true, Lower: []byte{}, Upper: []byte("z")}, {ContainsNaN: true}},
	}
	for version := 1; version <= newestVersion; version++ {
		var out bytes.Buffer
		w, err := NewListWriter(&out, "l.avro", ListConfig{FormatVersion: version, SnapshotID: 8, ParentSnapshotID: -1, SequenceNumber: 9})
		require.NoError(t, err)
		require.NoError(t, w.Add(m))
		_, err = w.Close()
		require.NoError(t, err)
		got := rawRecords(t, out.Bytes())[0]
		want := map[string]any{
			"manifest_path": m.Path, "manifest_length": int64(123), "partition_spec_id": int32(3), "added_snapshot_id": int64(8),
			"added_files_count": int32(0), "existing_files_count": int32(4), "deleted_files_count": int32(0),
			"added_rows_count": int64(0), "existing_rows_count": int64(50), "deleted_rows_count": int64(0), "key_metadata": nil,
			"partitions": []any{
				map[string]any{"contains_null": true, "contains_nan": false, "lower_bound": []byte{}, "upper_bound": []byte("z")},
				map[string]any{"contains_null": false, "contains_nan": true, "lower_bound": nil, "upper_bound": nil},
			},
		}
		if version > 1 {
			want["content"], want["sequence_number"], want["min_sequence_number"] = int32(0), int64(9), int64(2)
		}
		if version > 2 {
			want["first_row_id"] = int64(0)
		}
		require.Equal(t, want, got)
		var c container
		require.NoError(t, c.init(bytes.NewReader(out.Bytes()), "l.avro"))
		require.Equal(t, "8", c.meta["snapshot-id"])
		require.Equal(t, "null", c.meta["parent-snapshot-id"])
		c.close()
	}
	w, err := NewListWriter(io.Discard, "l.avro", ListConfig{FormatVersion: 1})
	require.NoError(t, err)
	require.ErrorContains(t, w.Add(&Written{Deletes: true}), "no delete manifests")
	require.ErrorIs(t, w.Keep(keptOf(t, 2, false, -1, 1, 1)), errOtherVersion)
}

func TestAManifestWithoutSummariesHasNone(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w, err := NewListWriter(&out, "l.avro", ListConfig{FormatVersion: 2})
	require.NoError(t, err)
	require.NoError(t, w.Add(&Written{Path: "m"}))
	require.NoError(t, w.Add(&Written{Path: "m", Partitions: []partition.Summary{}}))
	_, err = w.Close()
	require.NoError(t, err)
	got := rawRecords(t, out.Bytes())
	require.Nil(t, got[0]["partitions"])
	require.NotNil(t, got[1]["partitions"])
	require.Empty(t, got[1]["partitions"])
}

func TestAListThatLacksWhatTheNewOneNeedsIsNotCarried(t *testing.T) {
	t.Parallel()
	carry := func(schema string, version int, entry ...[]byte) error {
		return CarryList(bytes.NewReader(foreignFile(t, schema, "null", join(entry...))), "m.avro", version, func(*Kept) error { return nil })
	}
	v1 := func(deleted []byte) []byte {
		return join(text("p"), long(1), long(0), long(7), long(0), deleted, long(0), long(0), long(0), long(0), long(0), long(0))
	}
	require.NoError(t, carry(listSchema(1), 1, v1(long(0))))
	requireNotCarried(t, carry(listSchema(1), 2, v1(long(0))), "added_files_count (504)")
	without := strings.Replace(listSchema(3), `"field-id":514`, `"field-id":999`, 1)
	requireNotCarried(t, carry(without, 3), "deleted_rows_count (514)")
	deletes := join(text("p"), long(1), long(0), long(1), long(4), long(3), long(7), long(1), long(2), long(3), long(4), long(5), long(6), long(0), long(0))
	require.NoError(t, carry(listSchema(2), 2, deletes))
	requireNotCarried(t, carry(listSchema(2), 1, deletes), "content (517)")
	requireNotCarried(t, carry(listSchema(2), 1, bytes.Replace(deletes, join(long(0), long(1), long(4)), join(long(0), long(0), long(4)), 1)), "sequence_number (515)")
	before := join(text("p"), long(1), long(0), long(0), long(0), long(0), deletes[len(join(text("p"), long(1), long(0), long(1), long(4), long(3))):])
	require.NoError(t, carry(listSchema(2), 1, before)) // zero is what v1 means without the fields
	extra := strings.Replace(listSchema(2), `{"name":"key_metadata"`, `{"name":"x","type":["null","long"],"field-id":600},{"name":"key_metadata"`, 1)
	half := deletes[:len(deletes)-1]
	require.NoError(t, carry(extra, 3, half, long(0), long(0)))
	requireNotCarried(t, carry(extra, 3, half, long(1), long(9), long(0)), "x (600)")
	require.ErrorContains(t, carry(listSchema(2), 4), "format version 4 is not known")
}

func TestABrokenListIsCorrupt(t *testing.T) {
	t.Parallel()
	entry := join(text("p"), long(1), long(0), long(1), long(4), long(3), long(7), long(1), long(2), long(3), long(4), long(5), long(6), long(0), long(0))
	file := foreignFile(t, listSchema(2), "null", entry, entry)
	head := len(foreignFile(t, listSchema(2), "null")) - len(rawBlock(0, nil))
	for n := range len(file) {
		err := CarryList(bytes.NewReader(file[:n]), "m.avro", 3, func(*Kept) error { return nil })
		if n == head {
			require.NoError(t, err)
			continue
		}
		requireCorrupt(t, err, "cut short")
	}
	err := CarryList(iotest.ErrReader(errDisk), "m.avro", 3, nil)
	require.ErrorIs(t, err, errDisk)
	err = CarryList(bytes.NewReader(file), "m.avro", 3, func(*Kept) error { return errDisk })
	require.Equal(t, errDisk, err)
}

func TestAManifestOfDeletedFilesAloneHasTheSequenceNumberOfItsSnapshot(t *testing.T) {
	t.Parallel()
	for version := 2; version <= newestVersion; version++ {
		var out bytes.Buffer
		w, err := NewListWriter(&out, "l.avro", ListConfig{FormatVersion: version, SnapshotID: 8, ParentSnapshotID: 7, SequenceNumber: 9, FirstRowID: 30})
		require.NoError(t, err)
		require.NoError(t, w.Add(&Written{Path: "d", Deletes: true, DeletedFiles: 3, DeletedRows: 40}))
		require.ErrorContains(t, w.Add(&Written{Path: "d", Deletes: true, DeletedFiles: math.MaxInt32 + 1}), "more than a manifest may have")
		written, err := w.Close()
		require.NoError(t, err)
		require.Zero(t, written.AddedRows)
		got := rawRecords(t, out.Bytes())[0]
		require.Equal(t, []any{int64(9), int32(0), int32(0), int32(3), int64(0), int64(40)}, []any{got["min_sequence_number"],
			got["added_files_count"], got["existing_files_count"], got["deleted_files_count"], got["existing_rows_count"], got["deleted_rows_count"]})
	}
}
