package polaris_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/polaris"
	"deckhand/internal/standin"
)

func TestADescriptionTellsWhatATableIsAndWhereItLies(t *testing.T) {
	t.Parallel()
	s := setStage(t, standin.Options{})
	s.rewrite(map[string]any{
		"format-version": 2,
		"properties": map[string]string{
			"write.data.path": "s3://data/t", "write.metadata.path": "s3://warehouse/t/meta", "write.folder-storage.path": "s3://old/t",
		},
		"metadata-log": []any{map[string]any{"timestamp-ms": 1, "metadata-file": "s3://warehouse/t/metadata/0.json"}},
	})
	c := s.connect(t)
	d, err := c.DescribeTable(t.Context(), in("t", "n"), "")
	require.NoError(t, err)
	require.NotEmpty(t, d.ETag)
	require.Equal(t, &polaris.Description{
		ETag: d.ETag, UUID: "8f1c7a1e-4a0b-4c33-9d8e-0f3a1de1c001", MetadataLocation: "s3://warehouse/" + ordersFile,
		MetadataLog: []string{"s3://warehouse/t/metadata/0.json"},
		Locations:   []string{"s3://warehouse/t", "s3://data/t", "s3://old/t"},
	}, d)
	d, err = c.DescribeTable(t.Context(), in("t", "n"), d.ETag)
	require.NoError(t, err)
	require.Equal(t, &polaris.Description{NotModified: true}, d)
}

// Polaris refuses to leave out the history of a table with statistics of a snapshot
// that no ref has.
func TestATableThatCannotBeToldWithoutItsHistoryIsAskedForWithIt(t *testing.T) {
	t.Parallel()
	s := setStage(t, standin.Options{})
	s.Fault(func(_ int64, kind standin.Kind, r *http.Request) *standin.Fault {
		if kind == standin.LoadTable && r.URL.Query().Get("snapshots") == "refs" {
			return &standin.Fault{Status: 400, Type: "IllegalArgumentException", Message: "Cannot find snapshot"}
		}
		return nil
	})
	d, err := s.connect(t).DescribeTable(t.Context(), in("t", "n"), "")
	require.NoError(t, err)
	require.NotEmpty(t, d.UUID)
}

func TestAbsentAndUnreadableAreToldApart(t *testing.T) {
	t.Parallel()
	s := setStage(t, standin.Options{})
	c := s.connect(t)
	for _, id := range []polaris.Identifier{in("absent", "n"), in("t", "absent")} {
		_, err := c.DescribeTable(t.Context(), id, "")
		require.ErrorIs(t, err, polaris.ErrNotFound)
	}
	require.NoError(t, c.Present(t.Context()))

	// How Polaris says that the metadata file is missing, on S3 and in a local folder.
	for _, status := range []int{400, 404} {
		s.Fault(standin.OnNth(1, standin.LoadTable, standin.Fault{
			Status: status, Type: "NotFoundException", Message: "Failed to open input stream for file: file:/w/n/t/metadata/1.metadata.json",
		}))
		_, err := c.DescribeTable(t.Context(), in("t", "n"), "")
		require.ErrorIs(t, err, polaris.ErrRejected)
		require.NotErrorIs(t, err, polaris.ErrNotFound)
		require.ErrorContains(t, err, "metadata file is missing")
	}
	s.Fault(standin.OnNth(1, standin.LoadTable, standin.Fault{
		Status: 404, Type: "NotFoundException", Message: "Unable to find matching target resource method",
	}))
	_, err := c.DescribeTable(t.Context(), in("t", "n"), "")
	require.NotErrorIs(t, err, polaris.ErrNotFound)
	require.ErrorContains(t, err, "check rest.uri")
}
