package expire_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	"deckhand/internal/maintenance/maintenancetest"
	"deckhand/internal/polaris"
	"deckhand/internal/tabletest"
	"deckhand/internal/tabletest/icebergtable"
	"deckhand/jobs"
	"deckhand/jobs/expire"
)

// twoSnapshots is a table of which one snapshot with one file may go.
func (y *yard) twoSnapshots(more object) {
	d := maintenancetest.NewDraft()
	d.Manifest("m1", "a")
	d.Manifest("m2", "b")
	d.Snapshot("m1")
	d.Snapshot("m2")
	y.Lay(d, more)
}

func TestTablesThatMustNotBeTouchedAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		more    object
		answer  error
		job     *jobs.Job
		message string
	}{
		"gc":             {more: object{"properties": object{"gc.enabled": "false"}}, message: "gc.enabled"},
		"encrypted":      {more: object{"properties": object{"encryption.key-id": "k"}}, message: "encrypted"},
		"newer":          {more: object{"format-version": 4}, message: "newer"},
		"a view":         {answer: polaris.ErrNotATable, message: polaris.ErrNotATable.Error()},
		"no privilege":   {answer: polaris.ErrForbidden, message: polaris.ErrForbidden.Error()},
		"no catalog":     {answer: polaris.ErrNoCatalog, message: polaris.ErrNoCatalog.Error()},
		"a property":     {more: object{"properties": object{"history.expire.min-snapshots-to-keep": "many"}}, job: jobWith(`{}`), message: "many"},
		"a setting":      {job: jobWith(`{"retain-last":"x"}`), message: "params of the job"},
		"an id of a ref": {job: jobWith(`{"snapshot-ids":[2]}`), message: "needed by main"},
		"not configured": {job: func() *jobs.Job {
			j := jobWith(expireAll)
			j.Catalog = "pond"
			return j
		}(), message: `catalog "pond"`},
	} {
		y := newYard(t)
		y.twoSnapshots(c.more)
		keys := y.Keys()
		if c.answer != nil {
			y.Ledger.Fault = func(int, string) maintenancetest.Fault {
				return maintenancetest.Fault{Err: fmt.Errorf("load: %w", c.answer)}
			}
		}
		if c.job == nil {
			c.job = jobWith(expireAll)
		}
		_, err := jobtest.Run[expire.Receipt](t.Context(), t, y.handler(nil), c.job, &jobtest.Progress{})
		require.True(t, jobs.IsPermanent(err), "%s: %v", name, err)
		require.ErrorContains(t, err, c.message, name)
		require.Equal(t, keys, y.Keys(), name)
		require.Empty(t, y.Ledger.Commits, name)
	}
}

func TestATableThatWasMadeAnewIsDoneAndGetsItsOwnJob(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.twoSnapshots(nil)
	keys, job := y.Keys(), jobWith(expireAll)
	job.TableUUID = "99999999-1111-4111-8111-111111111111"
	receipt, err := jobtest.Run[expire.Receipt](t.Context(), t, y.handler(nil), job, &jobtest.Progress{})
	require.NoError(t, err, "a dead letter would keep the new table from being maintained")
	require.True(t, receipt.Gone)
	require.Contains(t, strings.Join(receipt.Notes, " "), "created anew")
	require.Equal(t, keys, y.Keys())
	require.Empty(t, y.Ledger.Commits)
}

func TestATableOutsideTheCatalogsLocationsIsLeftAlone(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.twoSnapshots(nil)
	y.Storage.Locations = []string{"s3://warehouse/elsewhere"}
	keys := y.Keys()
	_, err := y.expire(expireAll)
	require.True(t, jobs.IsPermanent(err), err)
	require.ErrorContains(t, err, "outside the allowed locations")
	require.Equal(t, keys, y.Keys())
	require.Empty(t, y.Ledger.Commits)
}

func TestATableThatDisownsItsFilesAfterTheCommitKeepsThem(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.twoSnapshots(nil)
	y.Ledger.Race = func() {
		y.Ledger.Change(object{"action": "set-properties", "updates": object{"gc.enabled": "false"}})
	}
	_, err := y.expire(expireAll)
	require.True(t, jobs.IsPermanent(err), err)
	require.ErrorContains(t, err, "gc.enabled")
	y.Has(true, "data/a", "metadata/m1", "metadata/list-1.avro")
}

func TestATableThatIsCreatedAnewMeanwhileIsLeftAlone(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.twoSnapshots(nil)
	y.Ledger.Fault = func(n int, _ string) maintenancetest.Fault {
		if n == 3 { // the load before the deletes
			y.Ledger.Location = maintenancetest.InHome("metadata/another.metadata.json")
			y.Put(y.Ledger.Location, []byte(strings.ReplaceAll(string(y.Get(maintenancetest.InHome("metadata/v0.metadata.json"))), "11111111-1111", "22222222-1111")))
		}
		return maintenancetest.Fault{}
	}
	_, err := y.expire(expireAll)
	require.True(t, jobs.IsPermanent(err), err)
	require.ErrorContains(t, err, "created anew while it was worked on")
	y.Has(true, "data/a", "metadata/m1")
}

func TestExplicitSnapshotsGoBesideTheOldOnes(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	d := maintenancetest.NewDraft()
	for n := 1; n <= 4; n++ {
		d.Manifest(fmt.Sprint("m", n), fmt.Sprint("f", n))
		d.Snapshot(fmt.Sprint("m", n))
	}
	y.Lay(d, nil)
	r, err := y.expire(`{"older-than":"1000000h","snapshot-ids":[2,77]}`)
	require.NoError(t, err)
	require.Equal(t, []string{"2"}, r.Removed.SnapshotIDs)
	require.Contains(t, r.Notes, "the table has no snapshot 77")
	y.Has(false, "data/f2")
	y.Has(true, "data/f1", "data/f3", "data/f4")
}

func TestARefThatIsTooOldGoesAndEveryOtherIsAsserted(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	d := maintenancetest.NewDraft()
	d.Manifest("m1", "a")
	d.Manifest("m2", "b")
	d.Snapshot("m1")
	d.Snapshot("m2")
	y.Lay(d, object{"refs": object{
		"main": object{"snapshot-id": 2, "type": "branch"},
		"old":  object{"snapshot-id": 1, "type": "tag", "max-ref-age-ms": 1},
		"kept": object{"snapshot-id": 1, "type": "tag"},
	}})
	r, err := y.expire(expireAll)
	require.NoError(t, err)
	require.Equal(t, expire.Removed{Refs: []string{"old"}}, r.Removed)
	require.Empty(t, r.Deleted)
	require.Equal(t, [][]string{{"remove-snapshot-ref"}}, y.Ledger.Commits)
	require.NotContains(t, y.Metadata().Refs, "old")
	require.Contains(t, y.Metadata().Refs, "kept")
	y.Has(true, "data/a", "metadata/m1", "metadata/list-1.avro")
}

func TestSchemasAndSpecsGoThatNothingUses(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	d := maintenancetest.NewDraft()
	d.Manifest("m1", "a")
	d.Manifest("m2", "b")
	for range 3 {
		d.Snapshot("m1")
	}
	d.Snapshots[0]["schema-id"], d.Snapshots[1]["schema-id"], d.Snapshots[2]["schema-id"] = 0, 1, 2
	schemas, specs := []object{}, []object{}
	for id := range 5 {
		schemas = append(schemas, object{"schema-id": id, "type": "struct", "fields": []any{}})
		specs = append(specs, object{"spec-id": id, "fields": []any{}})
	}
	more := object{
		"schemas": schemas, "current-schema-id": 3, "partition-specs": specs, "default-spec-id": 2,
		"refs": object{"main": object{"snapshot-id": 3, "type": "branch"}, "kept": object{"snapshot-id": 1, "type": "tag"}},
	}
	y.Lay(d, more)
	full, location := y.Server.Snapshot(), y.Ledger.Location
	r, err := y.expire(expireAll)
	require.NoError(t, err)
	require.Empty(t, r.Removed.Schemas)
	require.Len(t, y.Metadata().SchemaIDs, 5)

	y.Server.Restore(full)
	y.Open(location)
	r, err = y.expire(`{"older-than":"0s","retain-last":1,"clean-expired-metadata":true}`)
	require.NoError(t, err)
	require.Equal(t, []int{1, 4}, r.Removed.Schemas)
	require.Equal(t, []int{1, 3, 4}, r.Removed.Specs, "the manifests are of spec 0")
	m := y.Metadata()
	require.Equal(t, []int{0, 2, 3}, m.SchemaIDs)
	require.Equal(t, []int{0, 2}, m.SpecIDs)

	// The same with no snapshot to remove, and again with nothing at all.
	y.Server.Restore(full)
	y.Open(location)
	r, err = y.expire(`{"older-than":"1000000h","clean-expired-metadata":true}`)
	require.NoError(t, err)
	require.Equal(t, []int{4}, r.Removed.Schemas)
	require.Zero(t, r.Removed.Snapshots)
	r, err = y.expire(`{"older-than":"1000000h","clean-expired-metadata":true}`)
	require.NoError(t, err)
	require.True(t, r.Removed.Empty())

	// Someone changes the current schema before the commit.
	y.Server.Restore(full)
	y.Open(location)
	y.Ledger.Race = func() { y.Ledger.Change(object{"action": "test-current-schema", "schema-id": 4}) }
	r, err = y.expire(`{"older-than":"1000000h","clean-expired-metadata":true}`)
	require.NoError(t, err)
	require.Equal(t, 1, r.Conflicts)
	require.Equal(t, []int{3}, r.Removed.Schemas)
}

func TestWhatIsNoRecordOfTheTableIsLeftAlone(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.twoSnapshots(nil)
	odd := []string{"metadata/deckhand-expire/a.json", "metadata/deckhand-expire/b.json", "metadata/deckhand-expire/c.txt", "metadata/deckhand-expire/d.json"}
	y.Put(maintenancetest.InHome(odd[0]), []byte("no json"))
	y.Put(maintenancetest.InHome(odd[1]), []byte(`{"v":1,"id":"b","table_uuid":"22222222-1111-4111-8111-111111111111","snapshots":[{"id":2,"manifest_list":"`+maintenancetest.InHome("metadata/list-2.avro")+`"}]}`))
	y.Put(maintenancetest.InHome(odd[2]), []byte("x"))
	y.Put(maintenancetest.InHome(odd[3]), []byte(`{"v":2,"id":"d","table_uuid":"`+tabletest.HandmadeUUID+`"}`))
	r, err := y.expire(expireAll)
	require.NoError(t, err)
	require.Len(t, r.Notes, 3)
	y.Has(true, odd...)
	y.Has(true, "data/b", "metadata/list-2.avro")
	y.Has(false, "data/a")
}

func TestARecordCannotDeleteWhatTheTableReaches(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.twoSnapshots(object{"metadata-log": []object{{"metadata-file": maintenancetest.InHome("metadata/base.json"), "timestamp-ms": 1}}})
	y.Put(maintenancetest.InHome("metadata/base.json"), []byte("x"))
	forged := `{"v":1,"id":"x","job":"forged","table_uuid":"` + tabletest.HandmadeUUID + `","base":"` + maintenancetest.InHome("metadata/base.json") + `",
		"snapshots":[{"id":5,"manifest_list":"` + maintenancetest.InHome("metadata/list-2.avro") + `","manifests":["` + maintenancetest.InHome("metadata/m1") + `"]}],
		"statistics":[{"path":"` + maintenancetest.InHome("metadata/base.json") + `","size":1},{"path":"s3://warehouse/db/t2/data/1.parquet","size":1}]}`
	y.Put(maintenancetest.InHome("metadata/deckhand-expire/x.json"), []byte(forged))
	keys := y.Keys()
	r, err := y.expire(`{"older-than":"1000000h"}`)
	require.NoError(t, err)
	require.Equal(t, 1, r.Finished)
	require.Len(t, y.Keys(), len(keys)-1, "only the record went")
	y.Has(false, "metadata/deckhand-expire/x.json")
}

// The log of a table is cut after a hundred commits, say. Then nobody can tell.
func TestNoFileGoesWhenTheLogBeginsAfterTheCommit(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.twoSnapshots(nil)
	progress := &jobtest.Progress{}
	require.Error(t, y.cutOff(maintenancetest.Cut{Catalog: true, N: 2, Served: true}, progress)) // the commit
	y.Edit(y.Ledger.Location, func(m object) { delete(m, "metadata-log") })
	keys := y.Keys()
	_, err := y.run(t.Context(), expireAll, progress)
	require.True(t, jobs.IsPermanent(err), err)
	require.ErrorContains(t, err, "delete the record")
	require.Equal(t, keys, y.Keys())
	require.Equal(t, int64(2), y.Metadata().CurrentSnapshotID)
}

// The folder of the records, and those that became empty, go too.
func TestATableOnDiskIsExpired(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	folder := t.TempDir()
	y.Storage.Locations = []string{"file://" + folder}
	made, err := icebergtable.Write(t.Context(), icebergtable.Options{
		Location: "file://" + folder + "/db/t", Partitioned: true, Files: 8, Snapshots: 4,
	})
	require.NoError(t, err)
	y.Load(made.Objects)
	y.Open(made.MetadataLocation)
	before := y.Metadata()
	require.NotEmpty(t, before.Snapshots)
	r, err := y.expire(expireAll)
	require.NoError(t, err)
	require.Len(t, y.Metadata().Snapshots, 1)
	require.EqualValues(t, len(before.Snapshots)-1, r.Removed.Snapshots)
	require.NoDirExists(t, folder+"/db/t/metadata/deckhand-expire")
	all := y.Reach(y.Metadata())
	for file := range all.Union(y.Metadata()) {
		path, err := tabletest.LocalPath(file)
		require.NoError(t, err)
		require.FileExists(t, path)
	}
}
