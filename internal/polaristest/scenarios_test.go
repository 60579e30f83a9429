package polaristest

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/catalog/hadoop"
	"github.com/apache/iceberg-go/catalog/rest"
	"github.com/apache/iceberg-go/table"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"deckhand/internal/natstest"
	"deckhand/jobs"
	"deckhand/jobs/purge"
)

// writeTable creates n.orders through iceberg-go's REST catalog and appends to it.
func writeTable(t *testing.T, address, realm, credential, warehouse string) Loaded {
	t.Helper()
	ctx := t.Context()
	client, err := rest.NewCatalog(ctx, "polaris", address+"/api/catalog", rest.WithCredential(credential), rest.WithScope("PRINCIPAL_ROLE:ALL"),
		rest.WithWarehouseLocation(warehouse), rest.WithHeaders(map[string]string{"Polaris-Realm": realm}))
	require.NoError(t, err)
	defer client.Close()
	created := fill(t, client)
	loaded := Loaded{MetadataLocation: created.MetadataLocation()}
	loaded.Metadata.UUID = created.Metadata().TableUUID().String()
	return loaded
}

// fill makes n.orders with three snapshots of one data file each.
func fill(t *testing.T, in catalog.Catalog) *table.Table {
	t.Helper()
	ctx := t.Context()
	schema := iceberg.NewSchema(0, iceberg.NestedField{ID: 1, Name: "id", Type: iceberg.PrimitiveTypes.Int64})
	created, err := in.CreateTable(ctx, table.Identifier{"n", "orders"}, schema)
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
	written := fill(t, folders)
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

// receiptOf waits for the end of a purge.
func receiptOf(t *testing.T, js jetstream.JetStream, job *jobs.Job) *purge.Receipt {
	t.Helper()
	stream, err := js.Stream(t.Context(), "RESULTS")
	require.NoError(t, err)
	var result jobs.Result
	eventually(t, func() bool {
		message, err := stream.GetLastMsgForSubject(t.Context(), jobs.ResultSubjectPrefix+job.Tail())
		if err == nil {
			require.NoError(t, json.Unmarshal(message.Data, &result))
		}
		return err == nil
	}, "no result of %s", job.Tail())
	require.Equal(t, jobs.Completed, result.Outcome, result.Reason)
	var receipt purge.Receipt
	require.NoError(t, json.Unmarshal(result.Receipt, &receipt))
	return &receipt
}

// nextJob waits for the job on a subject and gives what lies there.
func (r *ring) nextJob(t *testing.T, filter string) *jobs.Job {
	t.Helper()
	var job *jobs.Job
	eventually(t, func() bool {
		stream, err := r.js.Stream(t.Context(), jobs.StreamName)
		require.NoError(t, err)
		message, err := stream.GetLastMsgForSubject(t.Context(), filter)
		if err != nil {
			return false
		}
		job, err = jobs.Decode(message.Data)
		require.NoError(t, err)
		require.NoError(t, job.CheckSubject(message.Subject))
		return true
	}, "no job on %s", filter)
	return job
}

func purgeAndReceipt(t *testing.T, r *ring) {
	server, c := r.serve(t, nil)
	r.create(t, c, 1)
	written := writeTable(t, server.URL, Realm, Credential, catalogName)
	neighbours := len(r.files(t))
	_, err := c.Purge(t.Context(), catalogName, "n", "orders")
	require.NoError(t, err)
	job := r.nextJob(t, "jobs.purge.POLARIS."+catalogName+".n.orders.*")
	require.Equal(t, written.Metadata.UUID, job.TableUUID)
	require.Equal(t, written.MetadataLocation, job.MetadataLocation)
	require.Equal(t, "root", job.RequestedBy)
	require.Equal(t, "FILE", job.Storage.Type)

	r.work(t)
	receipt := receiptOf(t, r.js, job)
	require.EqualValues(t, 3, receipt.Deleted[purge.Data].Files)
	for _, path := range receipt.Left.Paths {
		require.True(t, strings.HasSuffix(path, checksum), path)
	}
	require.Len(t, r.files(t), neighbours-int(receipt.Deleted.Total().Files))
	require.NotEmpty(t, r.files(t), "another table lies beside")
}

func purgeView(t *testing.T, r *ring) {
	_, c := r.serve(t, nil)
	r.create(t, c, 0)
	view := map[string]any{"name": "v", "properties": map[string]any{},
		"schema": map[string]any{"type": "struct", "schema-id": 0, "fields": []any{map[string]any{"id": 1, "name": "id", "type": "long", "required": false}}},
		"view-version": map[string]any{"version-id": 1, "timestamp-ms": time.Now().UnixMilli(), "schema-id": 0, "summary": map[string]any{"engine-name": "spark"},
			"default-namespace": []string{"n"}, "representations": []any{map[string]any{"type": "sql", "sql": "select 1", "dialect": "spark"}}}}
	path := "/api/catalog/v1/" + catalogName + "/namespaces/n/views"
	_, err := c.Must(t.Context(), http.StatusOK, http.MethodPost, path, view)
	require.NoError(t, err)
	require.Len(t, r.files(t), 1)
	_, err = c.Must(t.Context(), http.StatusNoContent, http.MethodDelete, path+"/v", nil)
	require.NoError(t, err)
	job := r.nextJob(t, "jobs.purge-view.POLARIS."+catalogName+".n.v.*")
	r.work(t)
	receipt := receiptOf(t, r.js, job)
	require.EqualValues(t, 1, receipt.Deleted[purge.MetadataFiles].Files)
	require.Empty(t, r.files(t))
}

const manyDrops = 50

// A drop that waited for NATS would take the publish time-out, 30 s here.
const notWaiting = 10 * time.Second

func dropWithoutNATS(t *testing.T, r *ring) {
	_, c := r.serve(t, nil)
	r.create(t, c, manyDrops+1)
	usual := drop(t, c, 0, 1)
	eventually(t, func() bool { waiting, _ := r.published(t); return waiting == 1 }, "the first purge is not published")
	r.nats.Stop()
	took := drop(t, c, 1, manyDrops+1)
	t.Logf("%d drops without NATS: median %s, slowest %s; one with it: %s", manyDrops, took[len(took)/2], took[len(took)-1], usual[0])
	require.Less(t, took[len(took)-1], notWaiting)
	r.nats.Restart(t)
	r.js = r.nats.JetStream(t)
	eventually(t, func() bool { waiting, _ := r.published(t); return waiting == manyDrops+1 }, "not all purges are published")
}

func dropWithSlowNATS(t *testing.T, r *ring) {
	proxy := natstest.NewProxy(t, r.nats.Addr())
	_, c := r.serve(t, func(o *Options) { o.NATS = proxy.URL() })
	r.create(t, c, manyDrops)
	proxy.Stall()
	took := drop(t, c, 0, manyDrops)
	require.Less(t, took[len(took)-1], notWaiting)
	proxy.Resume()
	eventually(t, func() bool { waiting, _ := r.published(t); return waiting == manyDrops }, "not all purges are published")
}

func killedBeforePublish(t *testing.T, r *ring) {
	proxy := natstest.NewProxy(t, r.nats.Addr())
	server, c := r.serve(t, func(o *Options) { o.NATS = proxy.URL() })
	r.create(t, c, 3)
	proxy.Stall()
	drop(t, c, 0, 3)
	server.Kill()
	proxy.Cut()
	proxy.Resume()
	waiting, _ := r.published(t)
	require.Zero(t, waiting, "it was not killed before it published")
	r.serve(t, nil)
	eventually(t, func() bool { waiting, _ := r.published(t); return waiting == 3 }, "the second server does not publish what the first one left")
}

func twoServers(t *testing.T, r *ring) {
	_, first := r.serve(t, nil)
	_, second := r.serve(t, nil)
	r.create(t, first, 40)
	for i := range 40 {
		drop(t, []*Client{first, second}[i%2], i, i+1)
	}
	eventually(t, func() bool { waiting, _ := r.published(t); return waiting == 40 }, "not all purges are published")
	r.work(t)
	eventually(t, func() bool { waiting, _ := r.published(t); return waiting == 0 }, "not all purges end")
	time.Sleep(5 * time.Second) // a few sweeps, in which nothing may be published anew
	_, taken := r.published(t)
	require.EqualValues(t, 40, taken)
	require.Empty(t, r.files(t))
}

func switchedOff(t *testing.T, r *ring) {
	_, c := r.serve(t, func(o *Options) { o.Stock = true })
	r.create(t, c, 2)
	require.NotEmpty(t, r.files(t))
	drop(t, c, 0, 2)
	eventually(t, func() bool { return len(r.files(t)) == 0 }, "Polaris itself does not purge")
	_, taken := r.published(t)
	require.Zero(t, taken)
}

// The figures are for people: no machine is quiet enough to assert on them.
func quickDrops(t *testing.T, r *ring) {
	const n = 200
	for name, stock := range map[string]bool{"with the extension": false, "stock": true} {
		own := *r
		own.warehouse += name[:4]
		if r.database != "" && stock {
			own.database = newRing(t, r.home, true).database
		}
		server, c := own.serve(t, func(o *Options) { o.Stock = stock })
		own.create(t, c, n+20)
		drop(t, c, n, n+20) // warm
		took := drop(t, c, 0, n)
		t.Logf("%d drops %s: p50 %s, p99 %s", n, name, took[n/2], took[n*99/100])
		server.Stop()
	}
}

// testRunning is what can be asked of a server that others run: POLARIS_CATALOG
// is a catalog with a namespace n, whose purges a worker takes from NATS_URL.
func testRunning(t *testing.T) {
	address, realm, credential := os.Getenv("POLARIS_URL"), os.Getenv("POLARIS_REALM"), os.Getenv("POLARIS_CREDENTIAL")
	warehouse := os.Getenv("POLARIS_CATALOG")
	for _, name := range []string{"POLARIS_REALM", "POLARIS_CREDENTIAL", "POLARIS_CATALOG", "NATS_URL"} {
		require.NotEmpty(t, os.Getenv(name), "a running Polaris is tested with POLARIS_URL, POLARIS_REALM, POLARIS_CREDENTIAL=id:secret, POLARIS_CATALOG (with a namespace n) and NATS_URL; %s is missing", name)
	}
	c, err := Connect(t.Context(), address, realm, credential)
	require.NoError(t, err)
	nc, err := nats.Connect(os.Getenv("NATS_URL"))
	require.NoError(t, err)
	defer nc.Close()
	js := natstest.JetStream(t, nc)
	written := writeTable(t, address, realm, credential, warehouse)
	_, err = c.Purge(t.Context(), warehouse, "n", "orders")
	require.NoError(t, err)
	receipt := receiptOf(t, js, &jobs.Job{Kind: jobs.Purge, Realm: realm, Catalog: warehouse, Namespace: []string{"n"}, Table: "orders", TableUUID: written.Metadata.UUID})
	require.EqualValues(t, 3, receipt.Deleted[purge.Data].Files)
	require.Equal(t, written.MetadataLocation, receipt.MetadataLocation)
	answer, err := c.Do(t.Context(), http.MethodDelete, tables(warehouse, "n")+"/orders?purgeRequested=true", nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusNotFound, answer.Status)
	require.JSONEq(t, `{"error":{"message":"Table does not exist: n.orders","type":"NoSuchTableException","code":404}}`, string(answer.Body))
}
