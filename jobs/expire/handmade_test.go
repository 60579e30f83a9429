package expire_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	"deckhand/internal/receipt"
	"deckhand/internal/s3test"
	"deckhand/internal/tabletest"
	"deckhand/jobs"
)

const home = "s3://warehouse/db/t"

func inHome(name string) string { return home + "/" + name }

// draft describes a table by snapshot: which manifests each one's list names, and
// which files each manifest.
type draft struct {
	tabletest.HandmadeTable
	snapshots []object
}

func newDraft() *draft {
	return &draft{HandmadeTable: tabletest.HandmadeTable{Location: home, Root: inHome("metadata/v0.metadata.json")}}
}

// manifest adds one whose entries are live, or deleted with a "-" before.
func (d *draft) manifest(name string, files ...string) {
	made := tabletest.HandmadeManifest{Path: inHome("metadata/" + name)}
	for _, f := range files {
		e := tabletest.HandmadeEntry{Status: 1, Path: f, Size: 10}
		if rest, deleted := strings.CutPrefix(f, "-"); deleted {
			e.Status, e.Path = 2, rest
		}
		if !strings.Contains(e.Path, "://") {
			e.Path = inHome("data/" + e.Path)
		}
		made.Entries = append(made.Entries, e)
	}
	d.Manifests = append(d.Manifests, made)
}

// snapshot adds the next one, a child of the last.
func (d *draft) snapshot(manifests ...string) {
	n := len(d.snapshots) + 1
	list := tabletest.HandmadeList{Path: inHome(fmt.Sprintf("metadata/list-%d.avro", n))}
	for _, m := range manifests {
		list.Manifests = append(list.Manifests, inHome("metadata/"+m))
	}
	d.Lists = append(d.Lists, list)
	s := object{"snapshot-id": n, "sequence-number": n, "timestamp-ms": 1_700_000_000_000 + n, "manifest-list": list.Path, "schema-id": 0}
	if n > 1 {
		s["parent-snapshot-id"] = n - 1
	}
	d.snapshots = append(d.snapshots, s)
}

// lay puts the table and the files that it names into the store, and opens it.
func (y *yard) lay(d *draft, more object) {
	y.load(tabletest.Neighbours(home))
	for _, m := range d.Manifests {
		for _, e := range m.Entries {
			y.put(e.Path, []byte("0123456789"))
		}
	}
	d.Metadata = complete(d.snapshots)
	for key, value := range more {
		d.Metadata[key] = value
		if files, is := value.([]object); is && strings.Contains(key, "statistics") {
			for _, f := range files {
				y.put(f["statistics-path"].(string), []byte("1234567"))
			}
		}
	}
	y.load(d.Objects())
	y.open(d.Root)
}

// has checks which of the files are there.
func (y *yard) has(there bool, names ...string) {
	y.t.Helper()
	for _, name := range names {
		if !strings.Contains(name, "://") {
			name = inHome(name)
		}
		bucket, key, err := tabletest.SplitS3(name)
		require.NoError(y.t, err)
		require.Equal(y.t, there, y.server.Has(bucket, key), name)
	}
}

func TestAFileThatWasDeletedAndAddedAgainStays(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	d := newDraft()
	d.manifest("m1", "again", "never-again", "moved", "-tombstone")
	d.manifest("m2", "-again", "-never-again", "moved")
	d.manifest("m3", "again")
	d.snapshot("m1")
	d.snapshot("m2")
	d.snapshot("m2", "m3")
	y.lay(d, nil)
	r, err := y.expire(expireAll)
	require.NoError(t, err)
	y.has(true, "data/again", "data/moved", "data/tombstone", "metadata/m2", "metadata/m3", "metadata/list-3.avro")
	y.has(false, "data/never-again", "metadata/m1", "metadata/list-1.avro", "metadata/list-2.avro")
	require.Equal(t, map[string]int64{"data": 1, "manifest": 1, "manifest-list": 2}, fileCounts(r))
}

// A new branch is asserted by nobody. What its snapshot reaches comes off the list
// when the table is loaded again.
func TestWhatASnapshotReachesThatCameBeforeTheCommitStays(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	d := newDraft()
	d.manifest("m1", "a", "b")
	d.manifest("m2", "c", "d")
	d.manifest("m3", "e")
	d.manifest("late", "c", "new")
	d.snapshot("m1")
	d.snapshot("m2")
	d.snapshot("m3")
	late := tabletest.HandmadeList{Path: inHome("metadata/list-late.avro"), Manifests: []string{inHome("metadata/m1"), inHome("metadata/late")}}
	d.Lists = append(d.Lists, late)
	y.lay(d, nil)
	y.ledger.race = func() {
		y.ledger.change(
			object{"action": "add-snapshot", "snapshot": object{"snapshot-id": 9, "sequence-number": 9, "parent-snapshot-id": 3,
				"timestamp-ms": 1_700_000_000_009, "manifest-list": late.Path, "summary": object{"operation": "append"}}},
			setRef("audit", "branch", 9))
	}
	r, err := y.expire(expireAll)
	require.NoError(t, err)
	require.Zero(t, r.Conflicts)
	y.has(true, "data/a", "data/b", "data/c", "data/e", "data/new", "metadata/m1", "metadata/m3", "metadata/late", "metadata/list-late.avro")
	y.has(false, "data/d", "metadata/m2", "metadata/list-1.avro")
}

func TestNothingIsCommittedWhileSomethingThatStaysCannotBeRead(t *testing.T) {
	t.Parallel()
	for _, broken := range []string{"metadata/m2", "metadata/list-2.avro"} {
		for name, damage := range map[string]func(y *yard){
			"damaged": func(y *yard) { y.put(inHome(broken), tabletest.BreakSync(y.get(inHome(broken)))) },
			"absent":  func(y *yard) { y.remove(inHome(broken)) },
		} {
			y := newYard(t)
			d := newDraft()
			d.manifest("m1", "a")
			d.manifest("m2", "b")
			d.snapshot("m1")
			d.snapshot("m2")
			y.lay(d, nil)
			damage(y)
			keys, location := y.keys(), y.ledger.location
			for _, params := range []string{expireAll, `{"older-than":"0s","retain-last":1,"dry-run":true}`} {
				_, err := y.expire(params)
				require.True(t, jobs.IsPermanent(err), "%s %s: %v", broken, name, err)
				require.ErrorContains(t, err, inHome(broken))
				require.ErrorContains(t, err, "nothing was removed or deleted")
				require.Equal(t, keys, y.keys())
				require.Equal(t, location, y.ledger.location)
			}
		}
	}
}

func TestWhatAnUnreadableManifestOfARemovedSnapshotNamesStays(t *testing.T) {
	t.Parallel()
	for _, broken := range []string{"metadata/m1", "metadata/list-1.avro"} {
		for _, absent := range []bool{false, true} {
			y := newYard(t)
			d := newDraft()
			d.manifest("m1", "a")
			d.manifest("m2", "b")
			d.manifest("m3", "c")
			d.snapshot("m1")
			d.snapshot("m2")
			d.snapshot("m3")
			y.lay(d, nil)
			if absent {
				y.remove(inHome(broken))
			} else {
				y.put(inHome(broken), []byte("Obj\x01 no Avro"))
			}
			full, location := y.server.Snapshot(), y.ledger.location
			r, err := y.expire(expireAll)
			require.NoError(t, err)
			y.has(true, "data/a", "data/c")
			y.has(false, "data/b", "metadata/m2", "metadata/list-2.avro")
			y.has(!absent, broken)
			require.Equal(t, 2, r.Removed.Snapshots)
			if absent {
				require.Equal(t, []string{inHome(broken)}, r.AbsentPaths)
				require.Empty(t, r.Kept)
			} else {
				require.EqualValues(t, 1, r.Kept[receipt.Unreadable].Counts.Total().Files)
				require.Contains(t, r.Kept[receipt.Unreadable].Paths[0], broken)
				require.Contains(t, strings.Join(r.Notes, " "), "cannot be read")
			}
			want := y.files()

			// The same when it is cut off in any place.
			for _, c := range y.cuts(r) {
				y.server.Restore(full)
				y.open(location)
				y.ledger.requests = 0
				progress := &jobtest.Progress{}
				if y.cutOff(c, progress) == nil {
					continue
				}
				again, err := y.run(t.Context(), expireAll, progress)
				require.NoError(t, err, c)
				require.Equal(t, want, y.files(), "%s absent %t: %s", broken, absent, c)
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
		d := newDraft()
		d.manifest("m1", "shared", "own")
		d.manifest("m2", "shared")
		d.manifest("m0", "zero")
		d.snapshot("m1", "m0")
		d.snapshot("m2")
		y.lay(d, nil)
		whole := y.get(inHome("metadata/m1"))
		y.put(inHome("metadata/m1"), []byte("Obj\x01 no Avro"))
		y.ledger.race = func() { y.put(inHome("metadata/m1"), whole) }
		_, err := y.expire(expireAll)
		require.NoError(t, err)
		y.has(true, "data/shared", "metadata/m2")
		y.has(false, "data/zero")
		y.has(large < 0, "data/own", "metadata/m1")
	}
}

func TestTooManyUnreadableManifestsEndTheJobDeadAndLoseNothing(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	d := newDraft()
	var names []string
	for n := range 33 {
		names = append(names, fmt.Sprintf("m%02d", n))
		d.manifest(names[n], fmt.Sprintf("f%02d", n))
	}
	d.manifest("last", "z")
	d.snapshot(names...)
	d.snapshot("last")
	y.lay(d, nil)
	good := map[string][]byte{}
	for _, name := range names {
		good[name] = y.get(inHome("metadata/" + name))
		y.put(inHome("metadata/"+name), []byte("x"))
	}
	_, err := y.expire(expireAll)
	require.True(t, jobs.IsPermanent(err), err)
	require.ErrorContains(t, err, "33 manifests and lists")
	y.has(true, "metadata/m00", "metadata/list-1.avro")
	for name, data := range good {
		y.put(inHome("metadata/"+name), data)
	}
	r, err := y.expire(expireAll)
	require.NoError(t, err)
	require.Equal(t, 1, r.Finished)
	require.EqualValues(t, 33, r.Deleted[receipt.Data].Files)
}

func TestFilesOutsideTheTableAreKeptAndCounted(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	d := newDraft()
	outside := []string{"s3://warehouse/db/other/data/x", "s3://elsewhere/y", home + "/data/../../other/z", "gs://bucket/w"}
	d.manifest("m1", append([]string{"a"}, outside[:1]...)...)
	d.manifest("m2", "b")
	d.snapshot("m1")
	d.snapshot("m2")
	y.lay(d, nil)
	for _, path := range outside[1:] {
		d.Manifests[0].Entries = append(d.Manifests[0].Entries, tabletest.HandmadeEntry{Status: 1, Path: path, Size: 5})
	}
	y.load(d.Objects())
	r, err := y.expire(expireAll)
	require.NoError(t, err)
	y.has(true, outside[0], "data/b")
	y.has(false, "data/a", "metadata/m1")
	require.EqualValues(t, 4, r.Kept[receipt.OutsideScope].Counts[receipt.Data].Files)
	require.Equal(t, map[string]int64{"data": 1, "manifest": 1, "manifest-list": 1}, fileCounts(r))
}

func TestEntriesThatNameMetadataDeleteNone(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	d := newDraft()
	above := []string{"metadata/m2", "metadata/list-2.avro", "metadata/v0.metadata.json", "metadata/s.puffin", "metadata/old.metadata.json"}
	d.manifest("m1", "a")
	d.manifest("m2", "b")
	for _, name := range above {
		d.Manifests[0].Entries = append(d.Manifests[0].Entries, tabletest.HandmadeEntry{Status: 1, Path: inHome(name), Size: 5})
	}
	d.snapshot("m1")
	d.snapshot("m2")
	y.put(inHome("metadata/old.metadata.json"), []byte("x"))
	y.lay(d, object{
		"statistics":   []object{{"snapshot-id": 2, "statistics-path": inHome("metadata/s.puffin"), "file-size-in-bytes": 7}},
		"metadata-log": []object{{"metadata-file": inHome("metadata/old.metadata.json"), "timestamp-ms": 1}},
	})
	y.load(d.Objects())
	r, err := y.expire(expireAll)
	require.NoError(t, err)
	y.has(true, above...)
	y.has(false, "data/a")
	require.Equal(t, map[string]int64{"data": 1, "manifest": 1, "manifest-list": 1}, fileCounts(r))
}

func TestStatisticsGoWithTheirSnapshotsUnlessAnotherHasTheSameFile(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	d := newDraft()
	d.manifest("m1", "a")
	d.snapshot("m1")
	d.snapshot("m1")
	statistics := func(snapshot int, name string) object {
		return object{"snapshot-id": snapshot, "statistics-path": inHome("metadata/" + name), "file-size-in-bytes": 7}
	}
	y.lay(d, object{
		"statistics":           []object{statistics(1, "s1"), statistics(2, "s2"), statistics(1, "shared")},
		"partition-statistics": []object{statistics(1, "p1"), statistics(2, "p2"), statistics(2, "shared")},
	})
	r, err := y.expire(expireAll)
	require.NoError(t, err)
	y.has(true, "metadata/s2", "metadata/p2", "metadata/shared", "data/a", "metadata/m1")
	y.has(false, "metadata/s1", "metadata/p1")
	require.Equal(t, map[string]int64{"statistics": 1, "partition-statistics": 1, "manifest-list": 1}, fileCounts(r))
	require.EqualValues(t, 7, r.Deleted[receipt.Statistics].Bytes)
}

func TestNoManifestIsReadWhenNoneGoes(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	d := newDraft()
	d.manifest("m1", "a")
	d.manifest("m2", "b")
	d.snapshot("m1")
	d.snapshot("m1", "m2")
	y.lay(d, nil)
	y.server.ResetCounts()
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
		d := newDraft()
		d.manifest("m1", "a", "b")
		d.manifest("m2", "c")
		d.snapshot("m1")
		d.snapshot("m2")
		y.lay(d, object{"statistics": []object{{"snapshot-id": 1, "statistics-path": inHome("metadata/s1"), "file-size-in-bytes": 7}}})
		y.server.Fault(func(int64, string, *http.Request) *s3test.Fault {
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
		y.has(true, stays...)
		require.EqualValues(t, 1, r.Kept[receipt.Refused].Counts.Total().Files)
		y.server.Fault(nil)
		r, err = y.run(t.Context(), expireAll, progress)
		require.NoError(t, err, refused)
		y.has(false, stays...)
		y.has(true, "data/c", "metadata/m2", "metadata/list-2.avro")
		require.Equal(t, map[string]int64{"data": 2, "manifest": 1, "manifest-list": 1, "statistics": 1}, fileCounts(r), refused)
		require.Equal(t, 1, r.Removed.Snapshots)
	}
}
