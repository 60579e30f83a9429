package purge_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	"deckhand/internal/s3test"
	"deckhand/internal/tabletest"
	"deckhand/internal/tabletest/icebergtable"
	"deckhand/jobs"
	"deckhand/jobs/purge"
)

func (y *yard) files(policy purge.Policy) *purge.Files {
	handler, err := purge.NewFiles(y.config(policy))
	require.NoError(y.t, err)
	return handler
}

// listed are the kinds that the built-in executor puts into lists of files.
var listed = []tabletest.FileKind{tabletest.KindManifestList, tabletest.KindStatistics, tabletest.KindPartitionStatistics}

// abandon removes the metadata files, as the built-in executor does first, and
// makes the job of what is left.
func (y *yard) abandon(t testing.TB, table *icebergtable.Table) (job *jobs.Job, left []tabletest.File) {
	t.Helper()
	params := jobs.FilesParams{Manifests: filesOf(table, tabletest.KindManifest)}
	for _, f := range table.Files {
		switch {
		case f.Kind == tabletest.KindMetadata:
			y.remove(f.Path)
			continue
		case slices.Contains(listed, f.Kind):
			params.Files = append(params.Files, f.Path)
		}
		left = append(left, f)
	}
	job = jobFor(table.UUID, "")
	job.Locations = []string{table.Location}
	require.NoError(t, job.SetFiles("4711", params))
	require.NoError(t, job.Validate())
	return job, left
}

func TestATableWithoutMetadataIsPurgedByItsManifests(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	table, neighbours := y.write(icebergtable.Everything())
	job, left := y.abandon(t, table)
	before := y.keys()

	job.DryRun = true
	dry, err := run(t, y.files(purge.Policy{}), job, &jobtest.Progress{})
	require.NoError(t, err)
	require.Equal(t, before, y.keys())

	job.DryRun = false
	receipt, err := run(t, y.files(purge.Policy{}), job, &jobtest.Progress{})
	require.NoError(t, err)
	require.Equal(t, neighbours, y.keys())
	require.Equal(t, dry.Deleted, receipt.Deleted)
	got := fileCounts(receipt.Deleted)
	want := countsOf(left)
	for _, kind := range []purge.Kind{purge.Data, purge.PositionDeletes, purge.EqualityDeletes, purge.Manifests, purge.ManifestLists} {
		require.NotZero(t, want[kind])
		require.Equal(t, want[kind], got[kind], kind)
	}
	require.EqualValues(t, len(left), receipt.Deleted.Total().Files)
	require.Zero(t, receipt.Left.Files)
	require.Contains(t, receipt.Notes[0], "UUID could not be compared")
}

func TestAPurgeOfFilesCutOffAnywhereEndsTheSame(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	table, neighbours := y.write(icebergtable.Everything())
	job, left := y.abandon(t, table)
	full, handler := y.server.Snapshot(), y.files(purge.Policy{})
	whole, err := run(t, handler, job, &jobtest.Progress{})
	require.NoError(t, err)
	require.EqualValues(t, len(left), whole.Deleted.Total().Files)
	var requests int64
	for _, n := range whole.Requests.ByOperation {
		requests += n
	}
	interrupted := 0
	for n := int64(1); n <= requests; n++ {
		for _, served := range []bool{false, true} {
			y.server.Restore(full)
			y.server.Fault(func(i int64, _ string, _ *http.Request) *s3test.Fault {
				if i >= n {
					return &s3test.Fault{Status: 500, Code: "InternalError", Serve: served && i == n}
				}
				return nil
			})
			progress := &jobtest.Progress{}
			_, err := run(t, handler, job, progress)
			y.server.Fault(nil)
			if err != nil {
				interrupted++
				require.ErrorIs(t, err, jobs.ErrUnavailable)
				receipt, err := run(t, handler, job, progress)
				require.NoError(t, err)
				require.Equal(t, whole.Deleted, receipt.Deleted, "request %d", n)
			}
			require.Equal(t, neighbours, y.keys(), "request %d", n)
		}
	}
	require.Positive(t, interrupted)
}

func TestADamagedManifestKeepsItselfAndTheListedFilesUntilARequeue(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	table, neighbours := y.write(icebergtable.Everything())
	job, _ := y.abandon(t, table)
	broken := filesOf(table, tabletest.KindManifest)[0]
	bucket, key, err := tabletest.SplitS3(broken)
	require.NoError(t, err)
	y.server.Put(bucket, key, tabletest.BreakSync(table.Objects[broken]))

	progress := &jobtest.Progress{}
	receipt, err := run(t, y.files(purge.Policy{}), job, progress)
	require.True(t, jobs.IsPermanent(err))
	require.ErrorContains(t, err, broken)
	require.Positive(t, receipt.Deleted[purge.Data].Files)
	require.NotContains(t, receipt.Deleted, purge.Manifests)
	for _, kind := range append([]tabletest.FileKind{tabletest.KindManifest}, listed...) {
		require.Subset(t, y.keys(), filesOf(table, kind))
	}

	y.server.Put(bucket, key, table.Objects[broken])
	_, err = run(t, y.files(purge.Policy{}), job, progress)
	require.NoError(t, err)
	require.Equal(t, neighbours, y.keys())
}

func TestAListedFileThatAnEntryNamesGoesWithTheListedFiles(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	h := numbered(3, 1)
	list := h.Lists[0].Path
	// Another spelling of the same object.
	h.Manifests[0].Entries = append(h.Manifests[0].Entries, entry("s3a"+list[len("s3"):]))
	neighbours := y.lay(h)
	y.remove(h.Root)
	params := jobs.FilesParams{Files: []string{list}}
	for _, m := range h.Manifests {
		params.Manifests = append(params.Manifests, m.Path)
	}
	job := jobFor(tabletest.HandmadeUUID, "")
	job.Locations = []string{home}
	require.NoError(t, job.SetFiles("4711", params))

	y.refuse(h.Manifests[2].Entries[0].Path)
	progress := &jobtest.Progress{}
	receipt, err := run(t, y.files(purge.Policy{}), job, progress)
	require.True(t, jobs.IsPermanent(err))
	require.EqualValues(t, 2, receipt.Deleted[purge.Data].Files)
	require.Contains(t, y.keys(), list, "the manifests are still there")

	y.server.Fault(nil)
	receipt, err = run(t, y.files(purge.Policy{}), job, progress)
	require.NoError(t, err)
	require.EqualValues(t, 1, receipt.Deleted[purge.ManifestLists].Files)
	require.Equal(t, neighbours, y.keys())
}

func TestFilesOutsideTheJobsLocationsAreKeptWithWhatNamesThem(t *testing.T) {
	t.Parallel()
	y, table, outside := addedFiles(t)
	params := jobs.FilesParams{}
	for _, f := range table.Files {
		switch f.Kind {
		case tabletest.KindManifest:
			params.Manifests = append(params.Manifests, f.Path)
		case tabletest.KindManifestList:
			params.Files = append(params.Files, f.Path)
		default:
		}
	}
	job := jobFor(table.UUID, "")
	job.Locations = []string{table.Location}
	require.NoError(t, job.SetFiles("4711", params))

	progress := &jobtest.Progress{}
	receipt, err := run(t, y.files(purge.Policy{}), job, progress)
	require.True(t, jobs.IsPermanent(err))
	require.ErrorContains(t, err, "purge.scope: catalog")
	require.ElementsMatch(t, outside, receipt.Kept[purge.OutsideScope].Paths)
	require.Subset(t, y.keys(), append(slices.Clone(outside), params.Files...))

	_, err = run(t, y.files(purge.Policy{Scope: purge.ScopeCatalog}), job, progress)
	require.NoError(t, err)
	for _, path := range slices.Concat(outside, params.Files, params.Manifests) {
		require.NotContains(t, y.keys(), path)
	}
}

func TestListedFilesOutsideAreNeverDeleted(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	table, neighbours := y.write(icebergtable.Options{})
	y.server.CreateBucket("secret")
	y.server.Put("secret", "x", []byte("x"))
	before := y.keys()
	for _, policy := range []purge.Policy{{}, {Scope: purge.ScopeCatalog}, {Outside: purge.OutsideForget}} {
		job := jobFor(table.UUID, "")
		job.Locations = []string{table.Location, "s3://secret/"}
		files := []string{"s3://secret/x", "/etc/passwd", "s3://warehouse/db/t/../u/x", "gs://b/x"}
		if policy.Scope != purge.ScopeCatalog {
			files = append(files, neighbours...)
		}
		require.NoError(t, job.SetFiles("4711", jobs.FilesParams{Files: files, Manifests: []string{"s3://secret/x"}}))
		_, err := run(t, y.files(policy), job, &jobtest.Progress{})
		if policy.Outside != purge.OutsideForget {
			require.True(t, jobs.IsPermanent(err))
		}
		require.Equal(t, before, y.keys())
	}
}

func TestAPurgeOfFilesRefusesWhatItCannotBound(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	table, _ := y.write(icebergtable.Options{})
	job, _ := y.abandon(t, table)
	before := y.keys()
	for want, change := range map[string]func(*jobs.Job){
		"names no locations":          func(j *jobs.Job) { j.Locations = nil },
		"unknown field":               func(j *jobs.Job) { j.Params = json.RawMessage(`{"manifests":["s3://w/m"],"dry_run":true}`) },
		"neither manifests nor files": func(j *jobs.Job) { j.Params = nil },
		"a manifest or file is empty": func(j *jobs.Job) { j.Params = json.RawMessage(`{"files":[""]}`) },
		`catalog "pond" of realm`:     func(j *jobs.Job) { j.Catalog = "pond" },
		"read the locations":          func(j *jobs.Job) { j.Locations = []string{"s3://warehouse/a/../b"} },
	} {
		changed := *job
		change(&changed)
		_, err := run(t, y.files(purge.Policy{}), &changed, &jobtest.Progress{})
		require.True(t, jobs.IsPermanent(err), want)
		require.ErrorContains(t, err, want)
		require.Equal(t, before, y.keys())
	}
}

func TestAPurgeOfFilesHonoursGCDisabled(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	table, neighbours := y.write(icebergtable.Options{})
	job, _ := y.abandon(t, table)
	no := false
	job.GCEnabled = &no
	receipt, err := run(t, y.files(purge.Policy{}), job, &jobtest.Progress{})
	require.NoError(t, err)
	want := append(slices.Clone(neighbours), filesOf(table, tabletest.KindData)...)
	slices.Sort(want)
	require.Equal(t, want, y.keys())
	require.EqualValues(t, table.Count(tabletest.KindData), receipt.Kept[purge.GCDisabled].Counts[purge.Data].Files)
}
