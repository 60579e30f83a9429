package expire_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/maintenance/maintenancetest"
	"deckhand/internal/tabletest"
)

// Someone else expires the snapshot that kept a manifest, after the commit and
// before the table is loaded again: the manifest goes too, and nobody has looked
// yet whether what it names stays.
func TestAManifestThatGoesOnlyAfterThePlanDeletesNothingThatStays(t *testing.T) {
	t.Parallel()
	for _, large := range []int64{0, -1} {
		y := newYard(t)
		y.large = large
		d := maintenancetest.NewDraft()
		d.Manifest("m1", "old")
		d.Manifest("kept", "shared", "own")
		d.Manifest("rewritten", "shared", "a", "b", "c", "d", "e", "f")
		d.Snapshot("m1", "kept")
		d.Snapshot("kept")
		d.Snapshot("rewritten")
		y.Lay(d, object{"refs": object{
			"main": object{"snapshot-id": 3, "type": "branch"}, "saved": object{"snapshot-id": 2, "type": "tag"},
		}})
		y.Ledger.Fault = func(n int, _ string) maintenancetest.Fault {
			if n == 3 { // the load before the deletes
				y.Ledger.Change(
					object{"action": "remove-snapshot-ref", "ref-name": "saved"},
					object{"action": "remove-snapshots", "snapshot-ids": []int64{2}})
			}
			return maintenancetest.Fault{}
		}
		r, err := y.expire(expireAll)
		require.NoError(t, err)
		require.Equal(t, 1, r.Removed.Snapshots)
		y.Has(true, "data/shared", "data/a", "data/f", "metadata/rewritten")
		y.Has(false, "data/old", "metadata/m1", "metadata/list-1.avro")
	}
}

// One object, named in the ways that engines mix.
func TestAFileUnderTwoSpellingsIsOneFile(t *testing.T) {
	t.Parallel()
	for _, large := range []int64{0, -1} {
		y := newYard(t)
		y.large = large
		d := maintenancetest.NewDraft()
		a := func(name string) string { return "s3a://warehouse/db/t/" + name }
		d.Manifest("m1", "data", "gone")
		d.Manifest("m2", a("data/data"), "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8")
		d.Manifest("m3", "x9")
		d.Snapshot("m1", "m3")
		d.Snapshot("m2")
		d.Lists[1].Manifests = append(d.Lists[1].Manifests, a("metadata/m3"))
		// The same list under another name is that of a third snapshot.
		d.Snapshot("m2", "m3")
		d.Lists[2] = tabletest.HandmadeList{Path: d.Lists[2].Path, Manifests: d.Lists[1].Manifests}
		statistics := func(snapshot int, path string) object {
			return object{"snapshot-id": snapshot, "statistics-path": path, "file-size-in-bytes": 7}
		}
		d.Snapshots[2]["manifest-list"] = a("metadata/list-2.avro")
		y.Lay(d, object{"statistics": []object{
			statistics(1, maintenancetest.InHome("metadata/s.puffin")), statistics(3, a("metadata/s.puffin")), statistics(9, maintenancetest.InHome("metadata/nobodys.puffin")),
		}})
		r, err := y.expire(expireAll)
		require.NoError(t, err)
		require.Equal(t, 2, r.Removed.Snapshots)
		y.Has(true, "data/data", "data/x9", "metadata/m2", "metadata/m3", "metadata/list-2.avro", "metadata/s.puffin", "metadata/nobodys.puffin")
		y.Has(false, "data/gone", "metadata/m1", "metadata/list-1.avro")
	}
}

// A manifest that two branches share stays with either of them.
func TestAManifestThatAnotherBranchSharesStays(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	d := maintenancetest.NewDraft()
	d.Manifest("m1", "a", "b")
	d.Manifest("m2", "-a", "b")
	d.Manifest("side", "c")
	d.Snapshot("m1")
	d.Snapshot("m1", "side")
	d.Snapshot("m2")
	d.Snapshots[2]["parent-snapshot-id"] = 1
	y.Lay(d, object{"refs": object{
		"main": object{"snapshot-id": 3, "type": "branch"}, "audit": object{"snapshot-id": 2, "type": "branch"},
	}})
	_, err := y.expire(expireAll)
	require.NoError(t, err)
	y.Has(true, "data/a", "data/b", "data/c", "metadata/m1", "metadata/side", "metadata/list-2.avro")
	y.Has(false, "metadata/list-1.avro")
}

// One Puffin file holds the deletion vectors of several data files; it goes with
// the last of them.
func TestAPuffinFileOfSeveralVectorsGoesWithTheLast(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	d := maintenancetest.NewDraft()
	d.Manifest("d1", "shared.puffin", "alone.puffin")
	d.Manifest("d2", "-alone.puffin", "shared.puffin")
	d.Snapshot("d1")
	d.Snapshot("d2")
	y.Lay(d, object{"format-version": 3, "next-row-id": 100})
	_, err := y.expire(expireAll)
	require.NoError(t, err)
	y.Has(true, "data/shared.puffin")
	y.Has(false, "data/alone.puffin")
}

// A table of format 1 may have no refs: its current snapshot is main all the same.
func TestATableWithoutRefsKeepsItsCurrentSnapshot(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	d := maintenancetest.NewDraft()
	for n := 1; n <= 3; n++ {
		d.Manifest(fmt.Sprint("m", n), fmt.Sprint("f", n))
		d.Snapshot(fmt.Sprint("m", n))
	}
	y.Lay(d, object{"format-version": 1, "refs": nil, "current-snapshot-id": 2})
	_, err := y.expire(expireAll)
	require.NoError(t, err)
	require.Equal(t, int64(2), y.Metadata().CurrentSnapshotID)
	y.Has(true, "data/f2", "metadata/m2", "metadata/list-2.avro")
	y.Has(false, "data/f1", "data/f3")
}

// Tables lie in tables. Only what the outer one's own manifests name goes, and none
// of what they name outside of its places: added files, and those of a
// write.data.path that was given up.
func TestFilesOfOthersInsideAndOutsideTheLocationStay(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	d := maintenancetest.NewDraft()
	elsewhere := []string{"s3://warehouse/landing/added.parquet", "s3://other/given-up/x.parquet"}
	d.Manifest("m1", append([]string{"a", "s3://other/data/t/y.parquet"}, elsewhere...)...)
	d.Manifest("m2", "b")
	d.Snapshot("m1")
	d.Snapshot("m2")
	nested := []string{"inner/data/a", "inner/metadata/m1", "inner/metadata/deckhand-expire/x.json", "data/a2", "data/a/b"}
	for _, name := range nested {
		y.Put(maintenancetest.InHome(name), []byte("another table's"))
	}
	y.Lay(d, object{"properties": object{"write.data.path": "s3://other/data/t"}})
	r, err := y.expire(expireAll)
	require.NoError(t, err)
	y.Has(true, append(nested, elsewhere...)...)
	y.Has(false, "data/a", "s3://other/data/t/y.parquet")
	require.Len(t, r.Kept, 1)
}
