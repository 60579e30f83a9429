package orphans_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	mt "deckhand/internal/maintenance/maintenancetest"
	"deckhand/internal/pulltest"
	"deckhand/internal/tabletest/icebergtable"
	"deckhand/jobs"
)

// What lies behind a link is listed under its own name, which nothing names.
func TestFilesThatAreNamedThroughALinkStopTheRun(t *testing.T) {
	t.Parallel()
	for name, link := range map[string]func(folder string) (to string){
		"a folder": func(folder string) string {
			require.NoError(t, os.Rename(folder+"/data", folder+"/moved"))
			require.NoError(t, os.Symlink(folder+"/moved", folder+"/data"))
			return folder + "/moved"
		},
		"a file": func(folder string) string {
			files, err := filepath.Glob(folder + "/data/*.parquet")
			require.NoError(t, err)
			require.NotEmpty(t, files)
			require.NoError(t, os.MkdirAll(folder+"/moved", 0o750))
			for _, file := range files {
				require.NoError(t, os.Rename(file, folder+"/moved/"+filepath.Base(file)))
				require.NoError(t, os.Symlink(folder+"/moved/"+filepath.Base(file), file))
			}
			return folder + "/moved"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lake := pulltest.New(t, "")
			made := lake.Written(t, pulltest.In("zoo", "t"), icebergtable.Options{Files: 2, Snapshots: 1})
			to := link(strings.TrimPrefix(made.Location, "file://"))
			makeOld(t, lake.Warehouse())
			before, err := os.ReadDir(to)
			require.NoError(t, err)
			_, err = searchLocally(t, lake, quickly)
			require.True(t, jobs.IsPermanent(err), "%v", err)
			require.ErrorContains(t, err, "symbolic link")
			after, err := os.ReadDir(to)
			require.NoError(t, err)
			require.Equal(t, before, after)
		})
	}
}

// A bucket by its alias, a folder through a link above the table: the location has one
// name and all that the table names has the other.
func TestATableThatNamesItsFilesByAnotherPathThanItsLocationsIsRefused(t *testing.T) {
	t.Parallel()
	for named, params := range map[string]string{
		"s3://other/db/t/metadata/v0.metadata.json":   `{"prefix-mismatch-mode":"DELETE"}`,
		"s3://other/link/t/metadata/v0.metadata.json": quickly,
	} {
		y := small(t)
		y.Put(named, y.Get(y.Ledger.Location))
		y.Open(named)
		y.refuses(params, "current metadata file is listed as s3://warehouse/db/t/metadata/v0.metadata.json, and named "+named)
	}
	// An older one of the same name is none.
	y := small(t)
	older := mt.InHome("meta2/v0.metadata.json")
	y.Put(older, y.Get(y.Ledger.Location))
	y.Edit(older, func(m mt.Object) { m["last-updated-ms"] = 1_600_000_000_000 })
	y.Edit(y.Ledger.Location, func(m mt.Object) { m["properties"] = mt.Object{"write.metadata.path": mt.InHome("meta2")} })
	_, err := y.search(quickly)
	require.NoError(t, err)
	y.Has(false, "meta2/v0.metadata.json")
}
