package expire_test

import (
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	"deckhand/internal/maintenance"
	"deckhand/internal/maintenance/maintenancetest"
	"deckhand/internal/polaris"
	"deckhand/internal/pulltest"
	"deckhand/internal/secret"
	"deckhand/internal/tabletest"
	"deckhand/internal/tabletest/icebergtable"
	"deckhand/jobs/expire"
)

// A catalog of local files vends nothing and writes file:/ where the table has
// file:///. The table's own locations are what may be read and deleted.
func TestATableOfLocalFilesIsExpiredOverREST(t *testing.T) {
	t.Parallel()
	lake := pulltest.New(t, "")
	made := lake.Written(t, pulltest.In("zoo", "t"), icebergtable.Everything())
	neighbours := tabletest.Neighbours(made.Location)
	require.NoError(t, neighbours.WriteFolder())
	client, err := polaris.New(polaris.Config{
		URI: lake.Server.URI(), Warehouse: "lake", Credential: secret.String(lake.Credential), RequestsPerSecond: 10_000,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, client.Close()) }()
	handler, err := expire.New(maintenance.Config{Catalogs: []maintenance.Catalog{{Realm: "POLARIS", Name: "lake", Client: client}}})
	require.NoError(t, err)
	id := polaris.Identifier{Namespace: []string{"zoo"}, Name: "t"}
	before, err := client.Load(t.Context(), id, polaris.LoadOptions{})
	require.NoError(t, err)
	r, err := jobtest.Run[expire.Receipt](t.Context(), t, handler, jobWith(expireAll), &jobtest.Progress{})
	require.NoError(t, err)
	after, err := client.Load(t.Context(), id, polaris.LoadOptions{})
	require.NoError(t, err)
	require.NotRegexp(t, "^file:///", after.MetadataLocation, "the other spelling")
	require.Equal(t, before.Metadata.Refs, after.Metadata.Refs)
	require.Less(t, len(after.Metadata.Snapshots), len(before.Metadata.Snapshots))

	y := newYard(t)
	y.Storage.Locations = []string{"file://" + lake.Warehouse()}
	wanted := y.Reach(after.Metadata).Union(after.Metadata)
	for path := range neighbours {
		wanted[path] = true
	}
	var left []string
	require.NoError(t, filepath.WalkDir(lake.Warehouse(), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && !maintenancetest.IsMetadata(path) {
			left = append(left, "file://"+path)
		}
		return err
	}))
	for _, path := range left {
		if !wanted[path] {
			require.Contains(t, made.DeletedOnly, path, "it is reached no more")
		}
		delete(wanted, path)
	}
	for path := range wanted {
		require.Regexp(t, "metadata.json$", path, "missing")
	}
	require.Positive(t, r.Deleted.Total().Files)
}
