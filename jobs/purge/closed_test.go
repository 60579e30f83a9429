package purge_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	"deckhand/internal/storage"
	"deckhand/internal/tabletest"
	"deckhand/jobs"
	"deckhand/jobs/purge"
)

func TestAPurgeThatBeginsWhileItsWorkerClosesIsLeftToAnother(t *testing.T) {
	t.Parallel()
	stores, err := storage.NewStores(storage.Config{Name: "lake", Locations: []string{"s3://warehouse/"}, S3: storage.S3Config{FromJob: true}}, nil)
	require.NoError(t, err)
	require.NoError(t, stores.Close())
	y := &yard{t: t, stores: stores, locations: []string{"s3://warehouse/"}}
	job := jobFor(tabletest.HandmadeUUID, "s3://warehouse/db/t/metadata/v1.metadata.json")
	job.Storage = &jobs.Storage{Type: "S3", Region: "eu-north-1"}
	_, err = run(t, y.tables(purge.Policy{}), job, &jobtest.Progress{})
	require.ErrorIs(t, err, jobs.ErrUnavailable)
	require.False(t, jobs.IsPermanent(err), "it is left to another worker")

	job.Storage.Endpoint = "nowhere"
	_, err = run(t, y.tables(purge.Policy{}), job, &jobtest.Progress{})
	require.True(t, jobs.IsPermanent(err))
}
