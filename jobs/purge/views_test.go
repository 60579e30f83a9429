package purge_test

import (
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

func (y *yard) views() *purge.Views {
	handler, err := purge.NewViews(y.config(purge.Policy{}))
	require.NoError(y.t, err)
	return handler
}

func viewJob(view *tabletest.View) *jobs.Job {
	job := jobFor(view.UUID, view.MetadataLocation())
	job.Kind = jobs.PurgeView
	return job
}

const (
	firstUUID  = "11111111-1111-4111-8111-111111111111"
	secondUUID = "22222222-2222-4222-8222-222222222222"
)

func TestAViewReCreatedAtTheSamePlaceKeepsItsFiles(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	dropped := tabletest.NewView("s3://warehouse/db/v", firstUUID, 1, 4)
	living := tabletest.NewView("s3://warehouse/db/v", secondUUID, 2, 3)
	y.load(dropped.Objects)
	y.load(living.Objects)
	y.server.Put("warehouse", "db/v/metadata/00009-x.metadata.json", []byte("{"))
	y.server.Put("warehouse", "db/v/metadata/notes.txt", []byte("x"))
	table, err := icebergtable.Write(t.Context(), icebergtable.Options{Location: "s3://warehouse/db/v"})
	require.NoError(t, err)
	y.load(table.Objects)

	receipt, err := run(t, y.views(), viewJob(dropped), &jobtest.Progress{})
	require.NoError(t, err)
	require.EqualValues(t, 4, receipt.Deleted[purge.MetadataFiles].Files)
	require.EqualValues(t, 3, receipt.Kept[purge.AnotherView].Counts[purge.MetadataFiles].Files)
	want := append(slices.Clone(living.MetadataLocations), "s3://warehouse/db/v/metadata/00009-x.metadata.json",
		"s3://warehouse/db/v/metadata/notes.txt")
	for _, f := range table.Files {
		want = append(want, f.Path)
	}
	slices.Sort(want)
	require.Equal(t, want, y.keys())
}

func TestAViewPurgeCutOffAnywhereEndsTheSame(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	view := tabletest.NewView("s3://warehouse/db/v", firstUUID, 1, 3)
	y.load(view.Objects)
	full := y.server.Snapshot()
	for n := int64(1); n <= 8; n++ {
		y.server.Restore(full)
		y.server.Fault(func(i int64, _ string, _ *http.Request) *s3test.Fault {
			if i >= n {
				return &s3test.Fault{Status: 500, Code: "InternalError", Serve: i == n}
			}
			return nil
		})
		progress := &jobtest.Progress{}
		if _, err := run(t, y.views(), viewJob(view), progress); err != nil {
			require.ErrorIs(t, err, jobs.ErrUnavailable)
			y.server.Fault(nil)
			receipt, err := run(t, y.views(), viewJob(view), progress)
			require.NoError(t, err, "request %d", n)
			require.EqualValues(t, 3, receipt.Deleted[purge.MetadataFiles].Files, "request %d", n)
		}
		y.server.Fault(nil)
		require.Empty(t, y.keys(), "request %d", n)
	}
}

func TestAViewOfAnotherUUIDIsNotPurged(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	view := tabletest.NewView("s3://warehouse/db/v", firstUUID, 1, 2)
	y.load(view.Objects)
	before := y.keys()
	job := viewJob(view)
	job.TableUUID = secondUUID
	_, err := run(t, y.views(), job, &jobtest.Progress{})
	require.True(t, jobs.IsPermanent(err))
	require.ErrorContains(t, err, firstUUID)

	table, err := icebergtable.Write(t.Context(), icebergtable.Options{Location: "s3://warehouse/db/t"})
	require.NoError(t, err)
	y.load(table.Objects)
	job = jobFor(table.UUID, table.MetadataLocation)
	_, err = run(t, y.views(), job, &jobtest.Progress{})
	require.ErrorContains(t, err, "not a view's metadata")
	_, err = run(t, y.tables(purge.Policy{}), viewJob(view), &jobtest.Progress{})
	require.ErrorContains(t, err, "not a table's metadata")
	require.Subset(t, y.keys(), before)
}
