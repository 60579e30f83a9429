package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"deckhand/internal/clitest"
	"deckhand/internal/metastore"
	"deckhand/internal/natstest"
	"deckhand/internal/pgtest"
	"deckhand/internal/queue"
	"deckhand/internal/s3test"
	"deckhand/jobs"
)

// wreck is a metastore with stuck tasks, the storage they speak of, and a queue.
type wreck struct {
	store  *pgtest.Metastore
	s3     *s3test.Server
	url    string
	js     jetstream.JetStream
	config string
	nextID int
}

const lakeID = 900_000

func newWreck(t *testing.T) *wreck {
	t.Helper()
	w := &wreck{store: pgtest.NewMetastore(t, 4), s3: s3test.Start(t), nextID: 1}
	w.url, w.js = serve(t, queue.AssetsConfig{})
	w.config = t.TempDir() + "/c.yaml"
	yaml := fmt.Sprintf(`
catalogs:
  lake: { locations: ["s3://warehouse/"], s3: { endpoint: %q, path_style: true, region: us-east-1, access_key_id: %s, secret_access_key: %s } }
`, w.s3.Endpoint(), s3test.AccessKeyID, s3test.SecretAccessKey)
	require.NoError(t, os.WriteFile(w.config, []byte(yaml), 0o600))
	w.put(t, map[string]any{"id": lakeID, "type_code": 4, "name": "lake", "internal_properties": map[string]any{
		"storage_configuration_info": `{"allowedLocations":["s3://warehouse/db"],"storageType":"S3"}`}})
	return w
}

func (w *wreck) put(t *testing.T, columns map[string]any) {
	t.Helper()
	w.store.Put(t, pgtest.Entity(columns))
}

// task stores a task row and gives its id. old is how long ago it was written.
func (w *wreck) task(t *testing.T, kind, name string, data any, location string, old time.Duration) int {
	t.Helper()
	encoded, err := json.Marshal(data)
	require.NoError(t, err)
	id := w.nextID
	w.nextID++
	internal := map[string]any{"secret.key": "hunter2"}
	if location != "" {
		internal["storageLocation"] = location
	}
	at := time.Now().Add(-old).UnixMilli()
	w.put(t, map[string]any{"id": id, "type_code": 8, "name": name, "create_timestamp": at, "last_update_timestamp": at,
		"properties": map[string]any{"taskType": kind, "data": string(encoded)}, "internal_properties": internal})
	return id
}

// drop stores the row of a dropped table.
func (w *wreck) drop(t *testing.T, entity int, table, uuid, metadata string, old time.Duration) int {
	t.Helper()
	internal, err := json.Marshal(map[string]string{"parent-namespace": "db", "metadata-location": metadata, "table-uuid": uuid})
	require.NoError(t, err)
	return w.task(t, "1", fmt.Sprintf("entityCleanup_%d", entity), map[string]any{
		"catalogId": lakeID, "id": entity, "typeCode": 7, "subTypeCode": 2, "name": table, "internalProperties": string(internal),
	}, "s3://warehouse/db/"+table, old)
}

func (w *wreck) rescue(t *testing.T, args ...string) clitest.Result {
	t.Helper()
	return producer(t, w.url, append([]string{"rescue", "--config", w.config, "--database", w.store.URL}, args...)...)
}

func (w *wreck) queued(t *testing.T) []string {
	t.Helper()
	stream, err := w.js.Stream(t.Context(), jobs.StreamName)
	require.NoError(t, err)
	info, err := stream.Info(t.Context(), jetstream.WithSubjectFilter(">"))
	require.NoError(t, err)
	var subjects []string
	for subject := range info.State.Subjects {
		subjects = append(subjects, subject)
	}
	slices.Sort(subjects)
	return subjects
}

func TestRescueShowsWhatItWouldDoAndChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWreck(t)
	w.s3.Put("warehouse", "db/a/metadata/1.metadata.json", []byte("{}"))
	w.drop(t, 10, "a", "uuid-a", "s3://warehouse/db/a/metadata/1.metadata.json", 2*time.Hour)
	w.drop(t, 11, "young", "uuid-y", "s3://warehouse/db/a/metadata/1.metadata.json", time.Minute)
	w.drop(t, 12, "gone", "uuid-g", "s3://warehouse/db/gone/metadata/1.metadata.json", 2*time.Hour)
	w.task(t, "1", "ns", map[string]any{"typeCode": 6, "name": "ns"}, "", 2*time.Hour)
	w.task(t, "1", "null", nil, "", 2*time.Hour)
	w.task(t, "9", "new", nil, "", 2*time.Hour)
	w.drop(t, 13, "nometa", "uuid-n", "", 2*time.Hour)
	before := w.store.TaskIDs(t)

	got := w.rescue(t)
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Contains(t, got.Stdout, "would queue  jobs.purge.POLARIS.lake.db.a.uuid-a  row 1, s3://warehouse/db/a/metadata/1.metadata.json\n")
	require.Contains(t, got.Stdout, "kept  db.young  realm POLARIS, row 2: it is 1m")
	require.Contains(t, got.Stdout, "kept  db.gone  realm POLARIS, row 3: its metadata file s3://warehouse/db/gone/metadata/1.metadata.json is gone, and no sub-task")
	require.Contains(t, got.Stdout, "row 7: the row has no metadata location")
	require.Contains(t, got.Stdout, "7 task rows: 1 to adopt, 3 kept, 3 not ours\n")
	require.Contains(t, got.Stdout, "not ours: 2 x the clean-up of something that is no table\n")
	require.Contains(t, got.Stdout, "do it with --adopt")
	require.NotContains(t, got.Stdout+got.Stderr, "hunter2")
	require.Equal(t, before, w.store.TaskIDs(t))
	require.Empty(t, w.queued(t))

	got = w.rescue(t, "--json")
	report := decode[rescueReport](t, got.Stdout)
	require.Equal(t, 3, report.Kept)
	require.Len(t, report.Entries, 4)
	require.Equal(t, "would queue", report.Entries[0].State)
	require.Equal(t, "uuid-a", report.Entries[0].Job.TableUUID)

	got = w.rescue(t, "--realm=OTHER")
	require.Contains(t, got.Stdout, "0 task rows")
}

func TestAdoptingQueuesTheJobsAndDeletesTheirRows(t *testing.T) {
	t.Parallel()
	w := newWreck(t)
	w.s3.Put("warehouse", "db/a/metadata/1.metadata.json", []byte("{}"))
	w.drop(t, 10, "a", "uuid-a", "s3://warehouse/db/a/metadata/1.metadata.json", 2*time.Hour)
	w.drop(t, 11, "old", "", "s3://warehouse/db/a/metadata/1.metadata.json", 2*time.Hour) // as Polaris 1.2 wrote it
	young := w.drop(t, 12, "young", "uuid-y", "s3://warehouse/db/a/metadata/1.metadata.json", time.Minute)
	foreign := w.task(t, "1", "ns", map[string]any{"typeCode": 6, "name": "ns"}, "", 2*time.Hour)

	got := w.rescue(t, "--adopt")
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Equal(t, []string{"jobs.purge.POLARIS.lake.db.a.uuid-a", "jobs.purge.POLARIS.lake.db.old.11"}, w.queued(t))
	require.Equal(t, []int64{int64(young), int64(foreign)}, w.store.TaskIDs(t))
	job := queuedJob(t, w.js, "jobs.purge.POLARIS.lake.db.a.uuid-a")
	require.Equal(t, "POLARIS.1", job.ID)
	require.Equal(t, []string{"s3://warehouse/db/a"}, job.Locations)

	got = w.rescue(t, "--adopt", "--older-than=30s", "--json")
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Equal(t, 1, decode[rescueReport](t, got.Stdout).Adopted)
	require.Equal(t, []int64{int64(foreign)}, w.store.TaskIDs(t))

	// A row that appears again, say from a back-up, meets its job in the queue.
	w.drop(t, 10, "a", "uuid-a", "s3://warehouse/db/a/metadata/1.metadata.json", 2*time.Hour)
	got = w.rescue(t, "--adopt")
	require.Contains(t, got.Stdout, "already queued  jobs.purge.POLARIS.lake.db.a.uuid-a")
	require.Equal(t, []int64{int64(foreign)}, w.store.TaskIDs(t))
}

// The stock executor deletes the metadata file first, and then fails at the
// manifests: only the rows of its sub-tasks know what is left.
func TestATableWithoutMetadataIsRescuedByItsSubTasks(t *testing.T) {
	t.Parallel()
	for name, withRow := range map[string]bool{"with the table's row": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWreck(t)
			table := w.strand(t, false)
			if withRow {
				w.drop(t, 4711, "t", table.UUID, table.MetadataLocation, 2*time.Hour)
			}
			got := w.rescue(t, "--adopt")
			require.Equal(t, 0, got.Code, "%s%s", got.Stdout, got.Stderr)
			require.Empty(t, w.store.TaskIDs(t))
			subjects := w.queued(t)
			require.Len(t, subjects, 1)
			require.Regexp(t, `^jobs\.purge-files\.POLARIS\.lake\.db\.t\.4711-[0-9a-f]{32}$`, subjects[0])
			job := queuedJob(t, w.js, subjects[0])
			require.Equal(t, withRow, job.TableUUID == table.UUID)

			w.work(t, false)
			require.Equal(t, []string{"db/t2/neighbour"}, w.s3.Keys("warehouse"))
		})
	}
}

func TestRowsThatNeedAPersonAreKeptAndExitWithThree(t *testing.T) {
	t.Parallel()
	w := newWreck(t)
	tableID := map[string]any{"namespace": []string{"db"}, "name": "t"}
	w.task(t, "3", "entityCleanup_1_x", map[string]any{"tableId": tableID, "batchFiles": []string{"s3://nowhere/f"}}, "s3://nowhere/t", 2*time.Hour)
	w.task(t, "2", "entityCleanup_2_x", map[string]any{"tableId": tableID, "manifestFileData": "AAAA"}, "s3://warehouse/db/t", 2*time.Hour)
	w.drop(t, 10, "outside", "u", "s3://elsewhere/m.json", 2*time.Hour)
	w.put(t, map[string]any{"id": 901, "type_code": 4, "name": "pond"})
	for id, catalog := range map[int]int{11: 901, 12: 902} {
		w.task(t, "1", fmt.Sprintf("entityCleanup_%d", id), map[string]any{"catalogId": catalog, "id": id, "typeCode": 7, "subTypeCode": 2, "name": "t",
			"internalProperties": `{"parent-namespace":"db","metadata-location":"s3://warehouse/m.json"}`}, "", 2*time.Hour)
	}
	before := w.store.TaskIDs(t)
	got := w.rescue(t, "--adopt")
	require.Equal(t, 3, got.Code)
	require.Contains(t, got.Stderr, "need a person")
	for _, want := range []string{
		`which catalog it was in cannot be told: not exactly one may keep tables at "s3://nowhere/t"`,
		"not what Iceberg's ManifestFiles.encode writes", "its metadata file cannot be looked at",
		"the catalog pond of realm POLARIS is not in the configuration", "the catalog 902 is gone",
		"5 task rows: 0 adopted, 5 kept, 0 not ours",
	} {
		require.Contains(t, got.Stdout, want)
	}
	require.Equal(t, before, w.store.TaskIDs(t))
	require.Empty(t, w.queued(t))
}

func TestARowThatSomebodyElseTookIsSaidAndNoError(t *testing.T) {
	t.Parallel()
	w := newWreck(t)
	w.drop(t, 10, "a", "uuid-a", "s3://warehouse/m", 2*time.Hour)
	w.drop(t, 11, "b", "uuid-b", "s3://warehouse/m", 2*time.Hour)
	store, err := metastore.Open(t.Context(), w.store.URL)
	require.NoError(t, err)
	defer store.Close(context.Background())
	read, err := survey(t.Context(), store, "")
	require.NoError(t, err)
	w.store.Exec(t, `UPDATE polaris_schema.entities SET entity_version = entity_version + 1 WHERE id = 1`)
	w.store.Exec(t, `DELETE FROM polaris_schema.entities WHERE id = 2`)

	var out strings.Builder
	log := &rescueLog{printer: printer{out: &out}, adopt: true, keptFor: map[needs]int{}}
	r := rescuer{store: store, js: w.js, log: log, streams: map[string]jetstream.Stream{}}
	for _, table := range read.tables {
		job, err := table.dropped.Job("lake")
		require.NoError(t, err)
		require.NoError(t, r.rescue(t.Context(), sentence{table: table, batches: []metastore.Batch{{Job: job, Rows: table.rows()}}}))
	}
	require.NoError(t, log.verdict())
	require.Equal(t, 2, strings.Count(out.String(), "1 changed meanwhile and left to whoever did"))
	require.Equal(t, []int64{1}, w.store.TaskIDs(t))
	require.Len(t, w.queued(t), 2)
}

func TestRescueWithoutADatabaseStorageOrQueueChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWreck(t)
	w.s3.Put("warehouse", "db/a/metadata/1.metadata.json", []byte("{}"))
	w.drop(t, 10, "a", "uuid-a", "s3://warehouse/db/a/metadata/1.metadata.json", 2*time.Hour)

	got := producer(t, "nats://127.0.0.1:1", "rescue", "--config", w.config, "--database", w.store.URL, "--adopt")
	require.Equal(t, 4, got.Code)
	require.Contains(t, got.Stderr, "no server answers")
	bare := natstest.Start(t, natstest.Config{})
	got = producer(t, bare.URL(), "rescue", "--config", w.config, "--database", w.store.URL, "--adopt")
	require.Equal(t, 4, got.Code)
	require.Contains(t, got.Stderr, `create the streams with "worker setup"`)
	got = producer(t, w.url, "rescue", "--config", w.config, "--database", "postgres://u:hunter2@127.0.0.1:1/x", "--adopt")
	require.Equal(t, 4, got.Code)
	require.NotContains(t, got.Stderr, "hunter2")
	require.Equal(t, 1, strings.Count(got.Stderr, "\n"), got.Stderr)

	got = w.rescue(t, "--database", "postgres://u:hunter2@127.0.0.1:port/x")
	require.Equal(t, 2, got.Code)
	require.NotContains(t, got.Stderr, "hunter2")
	w.s3.Fault(func(int64, string, *http.Request) *s3test.Fault {
		return &s3test.Fault{Status: 403, Code: "AccessDenied"}
	})
	got = w.rescue(t, "--adopt")
	w.s3.Fault(nil)
	require.Equal(t, 4, got.Code, got.Stdout)
	require.Contains(t, got.Stdout, "its metadata file cannot be looked at")

	w.store.Exec(t, `UPDATE polaris_schema.version SET version_value = 8`)
	got = w.rescue(t, "--adopt")
	require.Equal(t, 2, got.Code)
	require.Contains(t, got.Stderr, "the schema has version 8, and this program knows 1 to 7")
	require.Equal(t, 2, w.rescue(t, "--older-than=-1s").Code)

	require.Len(t, w.store.TaskIDs(t), 1)
	require.Empty(t, w.queued(t))
}
