package conformance

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/catalog/rest"
	"github.com/apache/iceberg-go/table"
	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	"deckhand/internal/maintenance"
	"deckhand/jobs"
	"deckhand/jobs/expire"
	"deckhand/jobs/manifests"
	"deckhand/jobs/orphans"
)

// grown is a table with rows, whose files lie in a local folder. An engine writes
// and reads it, as root.
type grown struct {
	t       *testing.T
	s       *suite
	catalog *rest.Catalog
	name    table.Identifier
	folder  string
}

// grownCommits are those of a grown table, each of which adds a row, a data file and a manifest.
const grownCommits = 6

// growTable writes a table of a version of the format.
func (s *suite) growTable(t *testing.T, version string) *grown {
	t.Helper()
	options := []rest.Option{rest.WithWarehouseLocation(s.Warehouse)}
	if s.Root != "" {
		options = append(options, rest.WithCredential(s.Root), rest.WithScope("PRINCIPAL_ROLE:ALL"))
	}
	if s.Realm != "" {
		options = append(options, rest.WithHeaders(map[string]string{"Polaris-Realm": s.Realm}))
	}
	g := &grown{t: t, s: s, name: table.Identifier{"maintained", "v" + version}}
	var err error
	g.catalog, err = rest.NewCatalog(t.Context(), s.Warehouse, s.URI, options...)
	require.NoError(t, err)
	t.Cleanup(func() { _ = g.catalog.Close() })
	s.root.createNamespace(t, "maintained")
	schema := iceberg.NewSchema(0, iceberg.NestedField{ID: 1, Name: "id", Type: iceberg.PrimitiveTypes.Int64})
	created, err := g.catalog.CreateTable(t.Context(), g.name, schema, catalog.WithProperties(iceberg.Properties{"format-version": version}))
	require.NoError(t, err)
	g.folder = strings.TrimPrefix(strings.TrimPrefix(created.Location(), "file:"), "//")
	columns, err := table.SchemaToArrowSchema(schema, nil, true, false)
	require.NoError(t, err)
	for row := range grownCommits {
		rows := array.NewRecordBuilder(memory.DefaultAllocator, columns)
		rows.Field(0).(*array.Int64Builder).Append(int64(row))
		reader, err := array.NewRecordReader(columns, []arrow.RecordBatch{rows.NewRecordBatch()})
		require.NoError(t, err)
		created, err = created.Append(t.Context(), reader, nil)
		require.NoError(t, err)
		reader.Release()
		rows.Release()
	}
	return g
}

func (g *grown) load() *table.Table {
	g.t.Helper()
	loaded, err := g.catalog.LoadTable(g.t.Context(), g.name)
	require.NoError(g.t, err)
	return loaded
}

// rows of the current snapshot, sorted.
func (g *grown) rows() (ids []int64) {
	g.t.Helper()
	read, err := g.load().Scan().ToArrowTable(g.t.Context())
	require.NoError(g.t, err)
	defer read.Release()
	for _, chunk := range read.Column(0).Data().Chunks() {
		ids = append(ids, chunk.(*array.Int64).Int64Values()...)
	}
	slices.Sort(ids)
	return ids
}

// leave a file in the table's folder that nothing names.
func (g *grown) leave(name string, age time.Duration) string {
	g.t.Helper()
	path, at := filepath.Join(g.folder, "data", name), time.Now().Add(-age)
	require.NoError(g.t, os.MkdirAll(filepath.Dir(path), 0o750))
	require.NoError(g.t, os.WriteFile(path, []byte("left"), 0o600))
	require.NoError(g.t, os.Chtimes(path, at, at))
	return path
}

// job of a kind, done as the principal that may maintain and nothing else.
func (g *grown) job(kind jobs.Kind, handler jobs.Handler, params string) any {
	g.t.Helper()
	did, err := handler.Run(g.t.Context(), &jobs.Job{
		Version: jobs.Version, ID: jobs.NewID(), Kind: kind, Realm: "r", Catalog: "c", Namespace: g.name[:1], Table: g.name[1], Params: []byte(params),
	}, &jobtest.Progress{})
	require.NoError(g.t, err)
	return did
}

// maintained lets every kind of job on living tables work on a table that an engine
// has written.
func (s *suite) maintained(t *testing.T) {
	for _, version := range []string{"1", "2", "3"} {
		t.Run("format "+version, func(t *testing.T) { s.growTable(t, version).maintain() })
	}
}

func (g *grown) maintain() {
	t := g.t
	cfg := maintenance.Config{
		Catalogs: []maintenance.Catalog{{Realm: "r", Name: "c", Client: g.s.client}}, Worker: "w", Logger: slog.New(slog.DiscardHandler),
	}
	expiries, err := expire.New(cfg)
	require.NoError(t, err)
	rewrites, err := manifests.New(manifests.Config{Config: cfg})
	require.NoError(t, err)
	searches, err := orphans.New(orphans.Config{Config: cfg})
	require.NoError(t, err)
	old, young := g.leave("old.parquet", 9*24*time.Hour), g.leave("young.parquet", time.Hour)
	want := []int64{0, 1, 2, 3, 4, 5}
	require.Equal(t, want, g.rows())

	rewritten := g.job(jobs.Manifests, rewrites, `{}`).(*manifests.Receipt)
	require.EqualValues(t, grownCommits, rewritten.Before.Files)
	require.EqualValues(t, 1, rewritten.After.Files)
	require.EqualValues(t, grownCommits, rewritten.Entries)
	require.Equal(t, fmt.Sprint(g.load().CurrentSnapshot().SnapshotID), rewritten.SnapshotID)
	require.Equal(t, want, g.rows())

	searched := g.job(jobs.Orphans, searches, `{"older-than":"1d"}`).(*orphans.Receipt)
	require.EqualValues(t, 1, searched.Deleted.Total().Files, "%+v", searched)
	require.NoFileExists(t, old)
	require.FileExists(t, young)
	require.Equal(t, want, g.rows())

	expired := g.job(jobs.Expire, expiries, `{"retain-last":1,"older-than":"0s"}`).(*expire.Receipt)
	require.Equal(t, grownCommits, expired.Removed.Snapshots)
	require.Equal(t, want, g.rows())

	// What is there now is the table's, each file of it: a search finds nothing, and
	// a rewrite has nothing to do.
	searched = g.job(jobs.Orphans, searches, `{"older-than":"1d"}`).(*orphans.Receipt)
	require.Zero(t, searched.Deleted.Total().Files)
	// Java's local files have checksums in hidden files beside them.
	hidden := searched.Kept[orphans.Hidden].Counts.Total().Files
	require.Equal(t, searched.Listed.Files-hidden, searched.Named.Files+1, "all but the young one")
	require.Empty(t, g.job(jobs.Manifests, rewrites, `{}`).(*manifests.Receipt).SnapshotID)
	require.NoError(t, g.catalog.DropTable(context.WithoutCancel(t.Context()), g.name))
}
