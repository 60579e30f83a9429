package orphans_test

import (
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"deckhand/internal/jobtest"
	"deckhand/internal/maintenance"
	mt "deckhand/internal/maintenance/maintenancetest"
	"deckhand/internal/polaris"
	"deckhand/internal/pulltest"
	"deckhand/internal/secret"
	"deckhand/internal/tabletest"
	"deckhand/internal/tabletest/icebergtable"
	"deckhand/jobs"
	"deckhand/jobs/orphans"
)

// A catalog of local files vends nothing and writes file:/ where the table has
// file:///.
func TestATableOfLocalFilesIsSearchedOverREST(t *testing.T) {
	t.Parallel()
	lake := pulltest.New(t, "")
	made := lake.Written(t, pulltest.In("zoo", "t"), icebergtable.Everything())
	require.NoError(t, tabletest.Neighbours(made.Location).WriteFolder())
	folder := strings.TrimPrefix(made.Location, "file://")
	files := func() (found []string) {
		require.NoError(t, filepath.WalkDir(lake.Warehouse(), func(path string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() {
				found = append(found, strings.TrimPrefix(path, folder+"/"))
			}
			return err
		}))
		return found
	}
	before := files()
	plant := func(name string) {
		path := filepath.Join(folder, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
		require.NoError(t, os.WriteFile(path, []byte("orphan"), 0o600))
	}
	orphaned := []string{"data/left over%2F é.parquet", "data/gone/deep/f", "metadata/x-m0.avro"}
	for _, name := range append(slices.Clone(orphaned), "data/_SUCCESS", "sub/metadata/v1.metadata.json", "sub/f") {
		plant(name)
	}
	// A link is nobody's file: what it leads to may be the table's.
	require.NoError(t, os.Symlink(filepath.Join(folder, "data"), filepath.Join(folder, "also-data")))
	planted := files()
	makeOld(t, lake.Warehouse())
	plant("data/young.parquet")

	search := func(params string) *orphans.Receipt {
		r, err := searchLocally(t, lake, params)
		require.NoError(t, err)
		return r
	}
	r := search(quickly)
	want := append(without(planted, append(orphaned, made.DeletedOnly...)...), "data/young.parquet")
	require.ElementsMatch(t, without(want, deletedOnly(made, folder)...), files())
	require.Subset(t, files(), without(before, deletedOnly(made, folder)...))
	require.EqualValues(t, len(orphaned)+len(made.DeletedOnly), r.Deleted.Total().Files)
	require.NoDirExists(t, filepath.Join(folder, "data/gone"), "folders that became empty go too")
	require.EqualValues(t, 1, r.Kept[orphans.Young].Counts.Total().Files)
	require.EqualValues(t, 1, r.Kept[orphans.UnknownAge].Counts.Total().Files)

	plant("data/once more")
	require.NoError(t, os.Chtimes(filepath.Join(folder, "data/once more"), time.Time{}, time.Now().Add(-tenDays)))
	r = search(`{"quarantine":"2d"}`)
	require.EqualValues(t, 1, r.Moved.Total().Files)
	require.NoFileExists(t, filepath.Join(folder, "data/once more"))
	moved := filepath.Join(strings.TrimPrefix(r.Trash[0], "file://"), "data/once more")
	require.FileExists(t, moved)
	r = search(`{"quarantine":"2d"}`) // its time is ten days ago, but it was moved just now
	require.Empty(t, r.Deleted)
	require.FileExists(t, moved)
}

// deletedOnly are files that only entries of status DELETED name.
func deletedOnly(made *icebergtable.Table, folder string) (names []string) {
	for _, path := range made.DeletedOnly {
		names = append(names, strings.TrimPrefix(path, "file://"+folder+"/"))
	}
	return names
}

// searchLocally runs one search of the table zoo.t.
func searchLocally(t *testing.T, lake *pulltest.Lake, params string) (*orphans.Receipt, error) {
	t.Helper()
	client, err := polaris.New(polaris.Config{
		URI: lake.Server.URI(), Warehouse: "lake", Credential: secret.String(lake.Credential), RequestsPerSecond: 10_000,
		Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, client.Close()) }()
	handler, err := orphans.New(orphans.Config{Config: maintenance.Config{
		Catalogs: []maintenance.Catalog{{Realm: "POLARIS", Name: "lake", Client: client}}, Logger: slog.New(slog.DiscardHandler),
	}})
	require.NoError(t, err)
	return jobtest.Run[orphans.Receipt](t.Context(), t, handler, mt.Job(jobs.Orphans, params), &jobtest.Progress{})
}

// makeOld makes all files and links of a folder ten days old.
func makeOld(t *testing.T, folder string) {
	t.Helper()
	old := unix.NsecToTimeval(time.Now().Add(-tenDays).UnixNano())
	require.NoError(t, filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
		if err == nil {
			err = unix.Lutimes(path, []unix.Timeval{old, old})
		}
		return err
	}))
}
