package polaristest

import (
	"os"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/catalog/hadoop"
	"github.com/apache/iceberg-go/catalog/rest"
	"github.com/apache/iceberg-go/table"
	"github.com/stretchr/testify/require"

	"deckhand/jobs"
	"deckhand/jobs/purge"
)

// writeTable creates a table orders through iceberg-go's REST catalog and appends to it.
func writeTable(t *testing.T, address, realm, credential, warehouse, namespace string) Loaded {
	t.Helper()
	ctx := t.Context()
	client, err := rest.NewCatalog(ctx, "polaris", address+"/api/catalog", rest.WithCredential(credential), rest.WithScope("PRINCIPAL_ROLE:ALL"),
		rest.WithWarehouseLocation(warehouse), rest.WithHeaders(map[string]string{"Polaris-Realm": realm}))
	require.NoError(t, err)
	defer client.Close()
	created := fill(t, client, namespace)
	loaded := Loaded{MetadataLocation: created.MetadataLocation()}
	loaded.Metadata.UUID = created.Metadata().TableUUID().String()
	return loaded
}

// fill makes a table orders with three snapshots of one data file each.
func fill(t *testing.T, in catalog.Catalog, namespace string) *table.Table {
	t.Helper()
	ctx := t.Context()
	schema := iceberg.NewSchema(0, iceberg.NestedField{ID: 1, Name: "id", Type: iceberg.PrimitiveTypes.Int64})
	created, err := in.CreateTable(ctx, table.Identifier{namespace, "orders"}, schema)
	require.NoError(t, err)
	columns, err := table.SchemaToArrowSchema(schema, nil, true, false)
	require.NoError(t, err)
	for snapshot := range 3 {
		rows := array.NewRecordBuilder(memory.DefaultAllocator, columns)
		rows.Field(0).(*array.Int64Builder).Append(int64(snapshot))
		reader, err := array.NewRecordReader(columns, []arrow.RecordBatch{rows.NewRecordBatch()})
		require.NoError(t, err)
		created, err = created.Append(ctx, reader, nil)
		require.NoError(t, err)
		reader.Release()
		rows.Release()
	}
	return created
}

// All but Polaris is right also where none is: a table in Iceberg's catalog of
// folders, whose purge a test publishes.
func TestTheRingWithoutPolarisWorks(t *testing.T) {
	t.Parallel()
	r := newRing(t, "", false)
	require.NoError(t, os.MkdirAll(r.warehouse, 0o750))
	folders, err := hadoop.NewCatalog("folders", r.warehouse, nil)
	require.NoError(t, err)
	require.NoError(t, folders.CreateNamespace(t.Context(), table.Identifier{"n"}, nil))
	written := fill(t, folders, "n")
	require.Len(t, written.Metadata().Snapshots(), 3)
	data := 0
	for _, file := range r.files(t) {
		if strings.HasSuffix(file, ".parquet") {
			data++
		}
	}
	require.Equal(t, 3, data)

	r.work(t)
	job := &jobs.Job{Version: 1, ID: "j", Kind: jobs.Purge, Realm: Realm, Catalog: catalogName, Namespace: []string{"n"}, Table: "orders",
		TableUUID: written.Metadata().TableUUID().String(), MetadataLocation: written.MetadataLocation()}
	_, err = jobs.Publish(t.Context(), r.js, job, jobs.PublishOptions{})
	require.NoError(t, err)
	receipt := receiptOf(t, r.js, job)
	require.EqualValues(t, 3, receipt.Deleted[purge.Data].Files)
	waiting, taken := r.published(t)
	require.Zero(t, waiting)
	require.EqualValues(t, 1, taken)
}
