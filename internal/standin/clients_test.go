package standin_test

import (
	"context"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/catalog/rest"
	_ "github.com/apache/iceberg-go/io/gocloud/s3" // s3://
	"github.com/apache/iceberg-go/table"
	"github.com/stretchr/testify/require"

	"deckhand/internal/s3test"
	"deckhand/internal/standin"
)

// lake serves one catalog, on an S3 server that asks for the access key.
func lake(t *testing.T, opts standin.Options) (*standin.Server, *s3test.Server) {
	t.Helper()
	store := s3test.Start(t, s3test.Options{CheckAuth: true})
	opts.S3 = &standin.S3{
		Endpoint: store.Endpoint(), AccessKeyID: s3test.AccessKeyID, SecretAccessKey: s3test.SecretAccessKey,
	}
	opts.Catalogs = append(opts.Catalogs, standin.Catalog{Name: "lake", Location: "s3://" + s3test.DefaultBucket + "/lake", S3: opts.S3})
	return standin.Start(t, opts), store
}

func folder(t *testing.T, opts standin.Options) *standin.Server {
	t.Helper()
	opts.Catalogs = append(opts.Catalogs, standin.Catalog{Name: "lake", Location: "file://" + t.TempDir()})
	return standin.Start(t, opts)
}

func connect(t *testing.T, s *standin.Server, credential string) *rest.Catalog {
	t.Helper()
	c, err := rest.NewCatalog(t.Context(), "lake", s.URI(), rest.WithCredential(credential),
		rest.WithScope("PRINCIPAL_ROLE:ALL"), rest.WithWarehouseLocation("lake"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func root() string { return standin.RootID + ":" + standin.RootSecret }

func numbers() *iceberg.Schema {
	return iceberg.NewSchema(0, iceberg.NestedField{ID: 1, Name: "id", Type: iceberg.PrimitiveTypes.Int64})
}

func rows(t *testing.T, values ...int64) arrow.Table {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64, Nullable: true}}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	b.Field(0).(*array.Int64Builder).AppendValues(values, nil)
	record := b.NewRecordBatch()
	defer record.Release()
	return array.NewTableFromRecords(schema, []arrow.RecordBatch{record})
}

func appendRows(t *testing.T, tbl *table.Table, values ...int64) *table.Table {
	t.Helper()
	data := rows(t, values...)
	defer data.Release()
	next, err := tbl.AppendTable(t.Context(), data, 1024, nil)
	require.NoError(t, err)
	return next
}

func TestIcebergGoCreatesAndWritesTables(t *testing.T) {
	t.Parallel()
	onS3, _ := lake(t, standin.Options{})
	for name, server := range map[string]*standin.Server{"s3": onS3, "file": folder(t, standin.Options{})} {
		for _, version := range []string{"1", "2", "3"} {
			t.Run(name+" v"+version, func(t *testing.T) {
				ctx := context.Background()
				c := connect(t, server, root())
				namespace := table.Identifier{"sales" + version}
				require.NoError(t, c.CreateNamespace(ctx, namespace, nil))
				tbl, err := c.CreateTable(ctx, append(namespace, "orders"), numbers(),
					catalogProperty("format-version", version))
				require.NoError(t, err)
				tbl = appendRows(t, tbl, 1, 2, 3)
				appendRows(t, tbl, 4, 5)
				tbl, err = c.LoadTable(ctx, append(namespace, "orders"))
				require.NoError(t, err)
				require.Len(t, tbl.Metadata().Snapshots(), 2)
				read, err := tbl.Scan().ToArrowTable(ctx)
				require.NoError(t, err)
				defer read.Release()
				require.EqualValues(t, 5, read.NumRows())
			})
		}
	}
}

func catalogProperty(name, value string) catalog.CreateTableOpt {
	return catalog.WithProperties(iceberg.Properties{name: value})
}
