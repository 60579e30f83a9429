package purge_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	"deckhand/internal/s3test"
	"deckhand/internal/tabletest/icebergtable"
	"deckhand/jobs"
	"deckhand/jobs/purge"
)

func TestJobsThatMustNotRunAreRefusedBeforeAnythingIsDeleted(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	table, _ := y.write(icebergtable.Options{})
	v4 := strings.Replace(string(metadataOf(t, y, table)), `"format-version":2`, `"format-version":4`, 1)
	y.server.Put("warehouse", "db/v4.metadata.json", []byte(v4))
	encrypted := strings.Replace(string(metadataOf(t, y, table)), `"format-version":2`,
		`"encryption-keys":[{"key-id":"k"}],"format-version":2`, 1)
	y.server.Put("warehouse", "db/encrypted.metadata.json", []byte(encrypted))
	y.server.Put("warehouse", "db/broken.metadata.json", []byte(`{"format-version":2,"location":"s3://w`))
	y.server.Put("warehouse", "db/list.metadata.json", []byte(`[1,2]`))
	before := y.keys()

	for name, c := range map[string]struct {
		change  func(*jobs.Job)
		message string
	}{
		"an unknown catalog":          {func(j *jobs.Job) { j.Catalog = "pond" }, `catalog "pond" of realm "POLARIS" is not configured`},
		"another realm":               {func(j *jobs.Job) { j.Realm = "OTHER" }, `realm "OTHER"`},
		"an unsupported scheme":       {func(j *jobs.Job) { j.MetadataLocation = "hdfs://x/m.metadata.json" }, "hdfs"},
		"outside the catalog":         {func(j *jobs.Job) { j.MetadataLocation = "s3://elsewhere/m.metadata.json" }, "outside the allowed locations"},
		"dots in the location":        {func(j *jobs.Job) { j.MetadataLocation = "s3://warehouse/x/../db/m.metadata.json" }, "outside the allowed locations"},
		"another table":               {func(j *jobs.Job) { j.TableUUID = "00000000-0000-0000-0000-000000000001" }, "UUID " + table.UUID},
		"a root that is not there":    {func(j *jobs.Job) { j.MetadataLocation = "s3://warehouse/db/t/metadata/99.metadata.json" }, "99.metadata.json does not exist"},
		"a newer format":              {func(j *jobs.Job) { j.MetadataLocation = "s3://warehouse/db/v4.metadata.json" }, "v4"},
		"an encrypted table":          {func(j *jobs.Job) { j.MetadataLocation = "s3://warehouse/db/encrypted.metadata.json" }, "encrypted"},
		"a truncated metadata file":   {func(j *jobs.Job) { j.MetadataLocation = "s3://warehouse/db/broken.metadata.json" }, "damaged"},
		"something else than a table": {func(j *jobs.Job) { j.MetadataLocation = "s3://warehouse/db/list.metadata.json" }, "damaged"},
		"a mistyped parameter":        {func(j *jobs.Job) { j.Params = json.RawMessage(`{"dry_run":true}`) }, `unknown field "dry_run"`},
	} {
		job := jobFor(table.UUID, table.MetadataLocation)
		c.change(job)
		progress := &jobtest.Progress{}
		_, err := run(t, y.tables(purge.Policy{}), job, progress)
		require.ErrorContains(t, err, c.message, name)
		require.True(t, jobs.IsPermanent(err), "%s: %v", name, err)
		require.Nil(t, progress.Checkpoint(), name)
		require.Equal(t, before, y.keys(), name)
	}
}

func metadataOf(t *testing.T, y *yard, table *icebergtable.Table) []byte {
	t.Helper()
	data, ok := table.Objects[table.MetadataLocation]
	require.True(t, ok)
	encoded, err := json.Marshal(json.RawMessage(data)) // compact
	require.NoError(t, err)
	return encoded
}

// What a guard says may change while a purge is cut off, at whatever level.
func TestGuardsAreAskedAtEveryClaim(t *testing.T) {
	t.Parallel()
	const another = "00000000-0000-0000-0000-000000000001"
	y := newYard(t)
	table, neighbours := y.write(icebergtable.Everything())
	root := table.Objects[table.MetadataLocation]
	key := strings.TrimPrefix(table.MetadataLocation, "s3://warehouse/")
	job, progress := jobFor(table.UUID, table.MetadataLocation), &jobtest.Progress{}
	claims := 0
	for done := false; !done; claims++ {
		var deletes atomic.Int64
		y.server.Fault(func(_ int64, op string, _ *http.Request) *s3test.Fault {
			if strings.HasPrefix(op, "Delete") && deletes.Add(1) > 1 {
				return &s3test.Fault{Status: 500, Code: "InternalError"}
			}
			return nil
		})
		_, err := run(t, y.tables(purge.Policy{}), job, progress)
		if done = err == nil; done {
			break
		}
		require.ErrorIs(t, err, jobs.ErrUnavailable)
		y.server.Fault(nil)

		y.server.Put("warehouse", key, []byte(strings.ReplaceAll(string(root), table.UUID, another)))
		before, saved := y.keys(), progress.Checkpoint()
		refused, err := run(t, y.tables(purge.Policy{}), job, progress)
		require.ErrorContains(t, err, "UUID "+another)
		require.True(t, jobs.IsPermanent(err))
		require.Empty(t, refused.Verified)
		require.Empty(t, refused.Deleted)
		require.Equal(t, before, y.keys())
		require.JSONEq(t, string(saved), string(progress.Checkpoint()))
		y.server.Put("warehouse", key, root)
	}
	require.Greater(t, claims, 3, "cut off at several levels")
	require.Equal(t, neighbours, y.keys())
}

func TestATableWithoutUUIDIsNotPurgedForAJobThatHasOne(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	table, _ := y.write(icebergtable.Options{FormatVersion: 1})
	bare := strings.Replace(string(metadataOf(t, y, table)), `"table-uuid":"`+table.UUID+`",`, "", 1)
	require.NotContains(t, bare, "table-uuid")
	bucketKey := strings.TrimPrefix(table.MetadataLocation, "s3://warehouse/")
	y.server.Put("warehouse", bucketKey, []byte(bare))
	_, err := run(t, y.tables(purge.Policy{}), jobFor(table.UUID, table.MetadataLocation), &jobtest.Progress{})
	require.ErrorContains(t, err, "has no UUID")

	job := jobFor("", table.MetadataLocation)
	job.EntityID = "17"
	_, err = run(t, y.tables(purge.Policy{}), job, &jobtest.Progress{})
	require.NoError(t, err)
	require.NotContains(t, y.keys(), table.MetadataLocation)
}

func TestAMissingRootMeansDoneOnlyWhenThePurgeHadBegun(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	table, neighbours := y.write(icebergtable.Everything())
	job := jobFor(table.UUID, table.MetadataLocation)
	progress := &jobtest.Progress{}
	_, err := run(t, y.tables(purge.Policy{}), job, progress)
	require.NoError(t, err)

	receipt, err := run(t, y.tables(purge.Policy{}), job, progress)
	require.NoError(t, err, "the result was not stored and the job came again")
	require.Equal(t, countsOf(table.Files), fileCounts(receipt.Deleted))
	require.Equal(t, neighbours, y.keys())

	_, err = run(t, y.tables(purge.Policy{}), job, &jobtest.Progress{})
	require.ErrorContains(t, err, "had not begun")
	require.True(t, jobs.IsPermanent(err))

	other := jobFor("00000000-0000-0000-0000-000000000001", table.MetadataLocation)
	_, err = run(t, y.tables(purge.Policy{}), other, progress)
	require.ErrorContains(t, err, "had not begun", "the checkpoint is another table's")
}

func TestAJobThatIsPublishedAgainAfterItsEndIsDoneAndNotDead(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	table, neighbours := y.write(icebergtable.Options{})
	job := jobFor(table.UUID, table.MetadataLocation)
	receipt, err := run(t, y.tables(purge.Policy{}), job, &jobtest.Progress{})
	require.NoError(t, err)
	encoded, err := json.Marshal(receipt)
	require.NoError(t, err)
	ended := &jobs.Result{JobID: job.ID, Outcome: jobs.Completed, Receipt: encoded}
	again, err := run(t, y.tables(purge.Policy{}), job, &jobtest.Progress{Before: ended})
	require.NoError(t, err)
	require.Contains(t, again.Notes[0], "completed before")
	require.Equal(t, neighbours, y.keys())

	dead := &jobs.Result{JobID: job.ID, Outcome: jobs.Dead, Receipt: encoded}
	_, err = run(t, y.tables(purge.Policy{}), job, &jobtest.Progress{Before: dead})
	require.ErrorContains(t, err, "had not begun")
	other := jobFor(table.UUID, table.Location+"/metadata/elsewhere.metadata.json")
	_, err = run(t, y.tables(purge.Policy{}), other, &jobtest.Progress{Before: ended})
	require.ErrorContains(t, err, "had not begun")
}

// Without the right to list, S3 answers 403 for what is not there.
func TestAHiddenRootIsDoneOnlyAtItsOwnLevel(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	table, neighbours := y.write(icebergtable.Options{})
	job := jobFor(table.UUID, table.MetadataLocation)
	hide := func(_ int64, op string, r *http.Request) *s3test.Fault {
		if op == "ListObjectsV2" {
			return &s3test.Fault{Status: 403, Code: "AccessDenied"}
		}
		if op == "GetObject" && !y.server.Has("warehouse", strings.TrimPrefix(r.URL.Path, "/warehouse/")) {
			return &s3test.Fault{Status: 403, Code: "AccessDenied"}
		}
		return nil
	}
	y.server.Fault(hide)
	progress := &jobtest.Progress{}
	receipt, err := run(t, y.tables(purge.Policy{}), job, progress)
	require.NoError(t, err, "a listing that is denied does not fail the purge")
	require.NotEmpty(t, receipt.Left.Unknown)
	require.Equal(t, neighbours, y.keys())

	receipt, err = run(t, y.tables(purge.Policy{}), job, progress)
	require.NoError(t, err)
	require.Equal(t, countsOf(table.Files), fileCounts(receipt.Deleted))

	_, err = run(t, y.tables(purge.Policy{}), job, &jobtest.Progress{})
	require.ErrorContains(t, err, "access denied")
	require.True(t, jobs.IsPermanent(err))

	begun := fmt.Sprintf(`{"uuid":%q,"metadata_location":%q,"level":4}`, table.UUID, table.MetadataLocation)
	_, err = run(t, y.tables(purge.Policy{}), job, jobtest.After(json.RawMessage(begun)))
	require.ErrorContains(t, err, "access denied", "below its own level the root is not done")
	require.True(t, jobs.IsPermanent(err))
}

func TestAStoreThatIsAwaySpendsNoAttempt(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	table, neighbours := y.write(icebergtable.Options{})
	for _, op := range []string{"GetObject", "DeleteObjects"} {
		y.server.Fault(func(_ int64, found string, _ *http.Request) *s3test.Fault {
			if op == found {
				return &s3test.Fault{Status: 500, Code: "InternalError"}
			}
			return nil
		})
		_, err := run(t, y.tables(purge.Policy{}), jobFor(table.UUID, table.MetadataLocation), &jobtest.Progress{})
		require.ErrorIs(t, err, jobs.ErrUnavailable, op)
		require.False(t, jobs.IsPermanent(err))
	}
	y.server.Fault(nil)
	_, err := run(t, y.tables(purge.Policy{}), jobFor(table.UUID, table.MetadataLocation), &jobtest.Progress{})
	require.NoError(t, err)
	require.Equal(t, neighbours, y.keys())
}
