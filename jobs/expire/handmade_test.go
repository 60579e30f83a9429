package expire_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	"deckhand/internal/maintenance/maintenancetest"
	"deckhand/internal/receipt"
	"deckhand/internal/s3test"
	"deckhand/internal/tabletest"
	"deckhand/jobs"
)

func TestAFileThatWasDeletedAndAddedAgainStays(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	d := maintenancetest.NewDraft()
	d.Manifest("m1", "again", "never-again", "moved", "-tombstone")
	d.Manifest("m2", "-again", "-never-again", "moved")
	d.Manifest("m3", "again")
	d.Snapshot("m1")
	d.Snapshot("m2")
	d.Snapshot("m2", "m3")
	y.Lay(d, nil)
	r, err := y.expire(expireAll)
	require.NoError(t, err)
	y.Has(true, "data/again", "data/moved", "data/tombstone", "metadata/m2", "metadata/m3", "metadata/list-3.avro")
	y.Has(false, "data/never-again", "metadata/m1", "metadata/list-1.avro", "metadata/list-2.avro")
	require.Equal(t, map[string]int64{"data": 1, "manifest": 1, "manifest-list": 2}, fileCounts(r))
}

// A new branch is asserted by nobody. What its snapshot reaches comes off the list
// when the table is loaded again.
func TestWhatASnapshotReachesThatCameBeforeTheCommitStays(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	d := maintenancetest.NewDraft()
	d.Manifest("m1", "a", "b")
	d.Manifest("m2", "c", "d")
	d.Manifest("m3", "e")
	d.Manifest("late", "c", "new")
	d.Snapshot("m1")
	d.Snapshot("m2")
	d.Snapshot("m3")
	late := tabletest.HandmadeList{Path: maintenancetest.InHome("metadata/list-late.avro"), Manifests: []string{maintenancetest.InHome("metadata/m1"), maintenancetest.InHome("metadata/late")}}
	d.Lists = append(d.Lists, late)
	y.Lay(d, nil)
	y.Ledger.Race = func() {
		y.Ledger.Change(
			object{"action": "add-snapshot", "snapshot": object{"snapshot-id": 9, "sequence-number": 9, "parent-snapshot-id": 3,
				"timestamp-ms": 1_700_000_000_009, "manifest-list": late.Path, "summary": object{"operation": "append"}}},
			maintenancetest.SetRef("audit", "branch", 9))
	}
	r, err := y.expire(expireAll)
	require.NoError(t, err)
	require.Zero(t, r.Conflicts)
	y.Has(true, "data/a", "data/b", "data/c", "data/e", "data/new", "metadata/m1", "metadata/m3", "metadata/late", "metadata/list-late.avro")
	y.Has(false, "data/d", "metadata/m2", "metadata/list-1.avro")
}

func TestNothingIsCommittedWhileSomethingThatStaysCannotBeRead(t *testing.T) {
	t.Parallel()
	for _, broken := range []string{"metadata/m2", "metadata/list-2.avro"} {
		for name, damage := range map[string]func(y *yard){
			"damaged": func(y *yard) {
				y.Put(maintenancetest.InHome(broken), tabletest.BreakSync(y.Get(maintenancetest.InHome(broken))))
			},
			"absent": func(y *yard) { y.Remove(maintenancetest.InHome(broken)) },
		} {
			y := newYard(t)
			d := maintenancetest.NewDraft()
			d.Manifest("m1", "a")
			d.Manifest("m2", "b")
			d.Snapshot("m1")
			d.Snapshot("m2")
			y.Lay(d, nil)
			damage(y)
			keys, location := y.Keys(), y.Ledger.Location
			for _, params := range []string{expireAll, `{"older-than":"0s","retain-last":1,"dry-run":true}`} {
				_, err := y.expire(params)
				require.True(t, jobs.IsPermanent(err), "%s %s: %v", broken, name, err)
				require.ErrorContains(t, err, maintenancetest.InHome(broken))
				require.ErrorContains(t, err, "nothing was removed or deleted")
				require.Equal(t, keys, y.Keys())
				require.Equal(t, location, y.Ledger.Location)
			}
		}
	}
}

func TestWhatAnUnreadableManifestOfARemovedSnapshotNamesStays(t *testing.T) {
	t.Parallel()
	for _, broken := range []string{"metadata/m1", "metadata/list-1.avro"} {
		for _, absent := range []bool{false, true} {
			y := newYard(t)
			d := maintenancetest.NewDraft()
			d.Manifest("m1", "a")
			d.Manifest("m2", "b")
			d.Manifest("m3", "c")
			d.Snapshot("m1")
			d.Snapshot("m2")
			d.Snapshot("m3")
			y.Lay(d, nil)
			if absent {
				y.Remove(maintenancetest.InHome(broken))
			} else {
				y.Put(maintenancetest.InHome(broken), []byte("Obj\x01 no Avro"))
			}
			full, location := y.Server.Snapshot(), y.Ledger.Location
			r, err := y.expire(expireAll)
			require.NoError(t, err)
			y.Has(true, "data/a", "data/c")
			y.Has(false, "data/b", "metadata/m2", "metadata/list-2.avro")
			y.Has(!absent, broken)
			require.Equal(t, 2, r.Removed.Snapshots)
			if absent {
				require.Equal(t, []string{maintenancetest.InHome(broken)}, r.AbsentPaths)
				require.Empty(t, r.Kept)
			} else {
				require.EqualValues(t, 1, r.Kept[receipt.Unreadable].Counts.Total().Files)
				require.Contains(t, r.Kept[receipt.Unreadable].Paths[0], broken)
				require.Contains(t, strings.Join(r.Notes, " "), "cannot be read")
			}
			want := y.Files()

			// The same when it is cut off in any place.
			for _, c := range y.cuts(r) {
				y.Server.Restore(full)
				y.Open(location)
				y.Ledger.Requests = 0
				progress := &jobtest.Progress{}
				if y.cutOff(c, progress) == nil {
					continue
				}
				again, err := y.run(t.Context(), expireAll, progress)
				require.NoError(t, err, c)
				require.Equal(t, want, y.Files(), "%s absent %t: %s", broken, absent, c)
				require.Equal(t, r.Deleted, again.Deleted, c)
				require.Equal(t, r.Kept, again.Kept, c)
				require.Equal(t, r.Absent, again.Absent, c)
			}
		}
	}
}

// A manifest that could not be read when it was planned is not read later either:
// nobody has looked whether what it names stays.
func TestAManifestThatIsMendedAfterThePlanDeletesNothing(t *testing.T) {
	t.Parallel()
	for _, large := range []int64{0, -1} {
		y := newYard(t)
		y.large = large
		d := maintenancetest.NewDraft()
		d.Manifest("m1", "shared", "own")
		d.Manifest("m2", "shared")
		d.Manifest("m0", "zero")
		d.Snapshot("m1", "m0")
		d.Snapshot("m2")
		y.Lay(d, nil)
		whole := y.Get(maintenancetest.InHome("metadata/m1"))
		y.Put(maintenancetest.InHome("metadata/m1"), []byte("Obj\x01 no Avro"))
		y.Ledger.Race = func() { y.Put(maintenancetest.InHome("metadata/m1"), whole) }
		_, err := y.expire(expireAll)
		require.NoError(t, err)
		y.Has(true, "data/shared", "metadata/m2")
		y.Has(false, "data/zero")
		y.Has(large < 0, "data/own", "metadata/m1")
	}
}

func TestTooManyUnreadableManifestsEndTheJobDeadAndLoseNothing(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	d := maintenancetest.NewDraft()
	var names []string
	for n := range 33 {
		names = append(names, fmt.Sprintf("m%02d", n))
		d.Manifest(names[n], fmt.Sprintf("f%02d", n))
	}
	d.Manifest("last", "z")
	d.Snapshot(names...)
	d.Snapshot("last")
	y.Lay(d, nil)
	good := map[string][]byte{}
	for _, name := range names {
		good[name] = y.Get(maintenancetest.InHome("metadata/" + name))
		y.Put(maintenancetest.InHome("metadata/"+name), []byte("x"))
	}
	_, err := y.expire(expireAll)
	require.True(t, jobs.IsPermanent(err), err)
	require.ErrorContains(t, err, "33 manifests and lists")
	y.Has(true, "metadata/m00", "metadata/list-1.avro")
	for name, data := range good {
		y.Put(maintenancetest.InHome("metadata/"+name), data)
	}
	r, err := y.expire(expireAll)
	require.NoError(t, err)
	require.Equal(t, 1, r.Finished)
	require.EqualValues(t, 33, r.Deleted[receipt.Data].Files)
}

func TestFilesOutsideTheTableAreKeptAndCounted(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	d := maintenancetest.NewDraft()
	outside := []string{"s3://warehouse/db/other/data/x", "s3://elsewhere/y", maintenancetest.Home + "/data/../../other/z", "gs://bucket/w"}
	d.Manifest("m1", append([]string{"a"}, outside[:1]...)...)
	d.Manifest("m2", "b")
	d.Snapshot("m1")
	d.Snapshot("m2")
	y.Lay(d, nil)
	for _, path := range outside[1:] {
		d.Manifests[0].Entries = append(d.Manifests[0].Entries, tabletest.HandmadeEntry{Status: 1, Path: path, Size: 5})
	}
	y.Load(d.Objects())
	r, err := y.expire(expireAll)
	require.NoError(t, err)
	y.Has(true, outside[0], "data/b")
	y.Has(false, "data/a", "metadata/m1")
	require.EqualValues(t, 4, r.Kept[receipt.OutsideScope].Counts[receipt.Data].Files)
	require.Equal(t, map[string]int64{"data": 1, "manifest": 1, "manifest-list": 1}, fileCounts(r))
}

func TestEntriesThatNameMetadataDeleteNone(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	d := maintenancetest.NewDraft()
	above := []string{"metadata/m2", "metadata/list-2.avro", "metadata/v0.metadata.json", "metadata/s.puffin", "metadata/old.metadata.json"}
	d.Manifest("m1", "a")
	d.Manifest("m2", "b")
	for _, name := range above {
		d.Manifests[0].Entries = append(d.Manifests[0].Entries, tabletest.HandmadeEntry{Status: 1, Path: maintenancetest.InHome(name), Size: 5})
	}
	d.Snapshot("m1")
	d.Snapshot("m2")
	y.Put(maintenancetest.InHome("metadata/old.metadata.json"), []byte("x"))
	y.Lay(d, object{
		"statistics":   []object{{"snapshot-id": 2, "statistics-path": maintenancetest.InHome("metadata/s.puffin"), "file-size-in-bytes": 7}},
		"metadata-log": []object{{"metadata-file": maintenancetest.InHome("metadata/old.metadata.json"), "timestamp-ms": 1}},
	})
	y.Load(d.Objects())
	r, err := y.expire(expireAll)
	require.NoError(t, err)
	y.Has(true, above...)
	y.Has(false, "data/a")
	require.Equal(t, map[string]int64{"data": 1, "manifest": 1, "manifest-list": 1}, fileCounts(r))
}

func TestStatisticsGoWithTheirSnapshotsUnlessAnotherHasTheSameFile(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	d := maintenancetest.NewDraft()
	d.Manifest("m1", "a")
	d.Snapshot("m1")
	d.Snapshot("m1")
	statistics := func(snapshot int, name string) object {
		return object{"snapshot-id": snapshot, "statistics-path": maintenancetest.InHome("metadata/" + name), "file-size-in-bytes": 7}
	}
	y.Lay(d, object{
		"statistics":           []object{statistics(1, "s1"), statistics(2, "s2"), statistics(1, "shared")},
		"partition-statistics": []object{statistics(1, "p1"), statistics(2, "p2"), statistics(2, "shared")},
	})
	r, err := y.expire(expireAll)
	require.NoError(t, err)
	y.Has(true, "metadata/s2", "metadata/p2", "metadata/shared", "data/a", "metadata/m1")
	y.Has(false, "metadata/s1", "metadata/p1")
	require.Equal(t, map[string]int64{"statistics": 1, "partition-statistics": 1, "manifest-list": 1}, fileCounts(r))
	require.EqualValues(t, 7, r.Deleted[receipt.Statistics].Bytes)
}

func TestNoManifestIsReadWhenNoneGoes(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	d := maintenancetest.NewDraft()
	d.Manifest("m1", "a")
	d.Manifest("m2", "b")
	d.Snapshot("m1")
	d.Snapshot("m1", "m2")
	y.Lay(d, nil)
	y.Server.ResetCounts()
	r, err := y.expire(expireAll)
	require.NoError(t, err)
	require.EqualValues(t, 2, r.Requests.ByOperation["GetObject"], "two lists")
	require.Equal(t, map[string]int64{"manifest-list": 1}, fileCounts(r))
}

// What the store refuses keeps all that names it, and a later expiry goes on there.
func TestARefusedDeleteEndsItsLevelAndIsFinishedLater(t *testing.T) {
	t.Parallel()
	for refused, stays := range map[string][]string{
		"data/a":               {"data/a", "metadata/m1", "metadata/list-1.avro", "metadata/s1"},
		"metadata/m1":          {"metadata/m1", "metadata/list-1.avro", "metadata/s1"},
		"metadata/list-1.avro": {"metadata/list-1.avro", "metadata/s1"},
		"metadata/s1":          {"metadata/s1"},
	} {
		y := newYard(t)
		d := maintenancetest.NewDraft()
		d.Manifest("m1", "a", "b")
		d.Manifest("m2", "c")
		d.Snapshot("m1")
		d.Snapshot("m2")
		y.Lay(d, object{"statistics": []object{{"snapshot-id": 1, "statistics-path": maintenancetest.InHome("metadata/s1"), "file-size-in-bytes": 7}}})
		y.Server.Fault(func(int64, string, *http.Request) *s3test.Fault {
			return &s3test.Fault{Key: func(key string) string {
				if strings.HasSuffix(key, refused) {
					return "AccessDenied"
				}
				return ""
			}}
		})
		progress := &jobtest.Progress{}
		r, err := y.run(t.Context(), expireAll, progress)
		require.True(t, jobs.IsPermanent(err), refused)
		require.ErrorContains(t, err, refused)
		y.Has(true, stays...)
		require.EqualValues(t, 1, r.Kept[receipt.Refused].Counts.Total().Files)
		y.Server.Fault(nil)
		r, err = y.run(t.Context(), expireAll, progress)
		require.NoError(t, err, refused)
		y.Has(false, stays...)
		y.Has(true, "data/c", "metadata/m2", "metadata/list-2.avro")
		require.Equal(t, map[string]int64{"data": 2, "manifest": 1, "manifest-list": 1, "statistics": 1}, fileCounts(r), refused)
		require.Equal(t, 1, r.Removed.Snapshots)
	}
}
