package scan_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"deckhand/internal/clitest"
	"deckhand/internal/natstest"
	"deckhand/internal/polaris"
	"deckhand/internal/queue"
	"deckhand/internal/scan"
	"deckhand/internal/secret"
	"deckhand/internal/standin"
	"deckhand/jobs"
)

const day = 24 * time.Hour

// yard is a stand-in for Polaris with a catalog "lake", a real queue, and a clock.
type yard struct {
	t       *testing.T
	folder  string
	server  *standin.Server
	js      jetstream.JetStream
	queue   *queue.Queue
	log     *clitest.Buffer
	cfg     scan.Config
	scanner *scan.Scanner

	mu  sync.Mutex
	now time.Time
}

// newYard makes one; change may alter its configuration.
func newYard(t *testing.T, change func(*scan.Config)) *yard {
	t.Helper()
	y := &yard{t: t, folder: t.TempDir(), now: time.Now(), log: &clitest.Buffer{}}
	y.server = standin.Start(t, standin.Options{Catalogs: []standin.Catalog{{Name: "lake", Location: "file://" + y.folder}}})
	nats := natstest.Start(t, natstest.Config{})
	y.js = nats.JetStream(t)
	_, err := queue.Setup(t.Context(), y.js, queue.AssetsConfig{})
	require.NoError(t, err)
	y.queue, err = queue.Open(t.Context(), y.js, queue.Config{})
	require.NoError(t, err)
	credential, err := y.server.CreatePrincipal("maint", "lake", standin.MaintenanceGrants...)
	require.NoError(t, err)
	y.cfg = scan.Config{
		Catalogs: []scan.Catalog{{Realm: "POLARIS", Name: "lake", Client: y.client(func(c *polaris.Config) { c.Credential = secret.String(credential) })}},
		Queue:    y.queue,
		Publish: func(ctx context.Context, job *jobs.Job) (jobs.Publication, error) {
			return jobs.Publish(ctx, y.js, job, jobs.PublishOptions{})
		},
		Now:    y.clock,
		Logger: slog.New(slog.NewTextHandler(y.log, nil)),
	}
	if change != nil {
		change(&y.cfg)
	}
	y.scanner, err = scan.New(y.cfg)
	require.NoError(t, err)
	return y
}

// client of the stand-in.
func (y *yard) client(change func(*polaris.Config)) *polaris.Client {
	y.t.Helper()
	cfg := polaris.Config{
		URI: y.server.URI(), Warehouse: "lake", Realm: "POLARIS", RequestsPerSecond: 10_000, Retries: -1,
		Logger: slog.New(slog.DiscardHandler),
	}
	change(&cfg)
	client, err := polaris.New(cfg)
	require.NoError(y.t, err)
	y.t.Cleanup(func() { require.NoError(y.t, client.Close()) })
	return client
}

func (y *yard) clock() time.Time {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.now
}

func (y *yard) pass(d time.Duration) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.now = y.now.Add(d)
}

// scan the catalogs and give what was found in lake.
func (y *yard) scan() scan.CatalogSummary {
	y.t.Helper()
	summary, err := y.scanner.Scan(y.t.Context())
	require.NoError(y.t, err)
	return summary.Catalogs[0]
}

// in names a table of lake.
func in(namespace ...string) standin.Table {
	last := len(namespace) - 1
	return standin.Table{Catalog: "lake", Namespace: namespace[:last], Name: namespace[last]}
}

// table makes one with snapshots of these ages, the oldest first, all on main.
func (y *yard) table(table standin.Table, ages ...time.Duration) {
	y.t.Helper()
	id := uuid.NewString()
	location := filepath.Join(y.folder, id, "metadata", "00000-"+id+".metadata.json")
	require.NoError(y.t, os.MkdirAll(filepath.Dir(location), 0o750))
	require.NoError(y.t, os.WriteFile(location, metadata(id, "file://"+filepath.Join(y.folder, id), y.clock(), ages), 0o600))
	require.NoError(y.t, y.server.Register(y.t.Context(), table, "file://"+location))
}

// metadata of a table in format 2.
func metadata(id, location string, now time.Time, ages []time.Duration) []byte {
	type object = map[string]any
	snapshots := []object{}
	m := object{
		"format-version": 2, "table-uuid": id, "location": location, "last-sequence-number": len(ages), "last-updated-ms": now.UnixMilli(),
		"last-column-id": 1, "current-schema-id": 0,
		"schemas":         []object{{"type": "struct", "schema-id": 0, "fields": []object{{"id": 1, "name": "a", "type": "long", "required": false}}}},
		"partition-specs": []object{{"spec-id": 0, "fields": []object{}}}, "default-spec-id": 0, "last-partition-id": 999,
		"sort-orders": []object{{"order-id": 0, "fields": []object{}}}, "default-sort-order-id": 0, "properties": object{},
	}
	for i, age := range ages {
		snapshot := object{
			"snapshot-id": i + 1, "sequence-number": i + 1, "timestamp-ms": now.Add(-age).UnixMilli(), "schema-id": 0,
			"manifest-list": fmt.Sprintf("%s/metadata/snap-%d.avro", location, i+1), "summary": object{"operation": "append"},
		}
		if i > 0 {
			snapshot["parent-snapshot-id"] = i
		}
		snapshots = append(snapshots, snapshot)
	}
	if len(ages) > 0 {
		m["current-snapshot-id"] = len(ages)
		m["refs"] = object{"main": object{"snapshot-id": len(ages), "type": "branch"}}
	}
	m["snapshots"] = snapshots
	data, err := json.Marshal(m)
	if err != nil {
		panic(err) // a mistake of the test's author
	}
	return data
}

// policy is a snapshot expiry that lives in namespace "policies".
func policy(name, content string) standin.Policy {
	return standin.Policy{Catalog: "lake", Namespace: []string{"policies"}, Name: name, Type: "system.snapshot-expiry", Content: content}
}

const fiveDays = `{"version":"2025-02-03","enable":true,"config":{"max-snapshot-age-days":5}}`

// attach puts a policy on a target, and once more to change it.
func (y *yard) attach(p standin.Policy, target standin.Target) {
	y.t.Helper()
	require.NoError(y.t, y.server.PutPolicy(p))
	_ = y.server.Attach(p, target) // it may hang there already
}

// queued are the subjects of the jobs in the queue, sorted.
func (y *yard) queued() []string {
	y.t.Helper()
	stream, err := y.js.Stream(y.t.Context(), jobs.StreamName)
	require.NoError(y.t, err)
	info, err := stream.Info(y.t.Context(), jetstream.WithSubjectFilter(">"))
	require.NoError(y.t, err)
	var subjects []string
	for subject := range info.State.Subjects {
		subjects = append(subjects, subject)
	}
	slices.Sort(subjects)
	return subjects
}

// job that is queued on a subject.
func (y *yard) job(subject string) *jobs.Job {
	y.t.Helper()
	stream, err := y.js.Stream(y.t.Context(), jobs.StreamName)
	require.NoError(y.t, err)
	msg, err := stream.GetLastMsgForSubject(y.t.Context(), subject)
	require.NoError(y.t, err)
	job, err := jobs.Decode(msg.Data)
	require.NoError(y.t, err)
	return job
}

// end a queued job as a worker would.
func (y *yard) end(subject string, outcome jobs.Outcome, receipt string) {
	y.t.Helper()
	job := y.job(subject)
	stream, err := y.js.Stream(y.t.Context(), jobs.StreamName)
	require.NoError(y.t, err)
	result := jobs.Result{
		Version: jobs.Version, JobID: job.ID, Kind: job.Kind, Realm: job.Realm, Catalog: job.Catalog, Namespace: job.Namespace, Table: job.Table,
		Outcome: outcome, Receipt: json.RawMessage(receipt), StartedAt: jobs.At(time.Now()), FinishedAt: jobs.At(time.Now()),
	}
	data, err := json.Marshal(result)
	require.NoError(y.t, err)
	_, err = y.js.Publish(y.t.Context(), jobs.ResultSubjectPrefix+job.Tail(), data)
	require.NoError(y.t, err)
	require.NoError(y.t, stream.Purge(y.t.Context(), jetstream.WithPurgeSubject(subject)))
}

// restart forgets all that is kept in memory.
func (y *yard) restart() {
	y.t.Helper()
	var err error
	y.scanner, err = scan.New(y.cfg)
	require.NoError(y.t, err)
}
