package metastore

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/pgtest"
	"deckhand/jobs"
)

func TestMain(m *testing.M) {
	code := m.Run()
	pgtest.Stop()
	os.Exit(code)
}

// recorded is an entry of 13-task-rows.json.
type recorded struct {
	Name    string `json:"name"`
	Request struct {
		Path string `json:"path"`
	} `json:"request"`
	Rows []map[string]any `json:"task_rows_after"`
}

// catalog is the name in the request's path; the row has only the id.
func (r recorded) catalog() string { return strings.Split(r.Request.Path, "/")[4] }

func readRecorded(t *testing.T) []recorded {
	t.Helper()
	data, err := os.ReadFile("testdata/13-task-rows.json")
	require.NoError(t, err)
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber() // ids have 63 bits
	var all []recorded
	require.NoError(t, decoder.Decode(&all))
	require.Len(t, all, 14)
	return all
}

func open(t *testing.T, url string) *Store {
	t.Helper()
	s, err := Open(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	return s
}

func tasks(t *testing.T, s *Store) []*Task {
	t.Helper()
	var all []*Task
	for task, err := range s.Tasks(t.Context(), "") {
		require.NoError(t, err)
		all = append(all, task)
	}
	return all
}

// golden is where the tests of the Polaris extension keep what it makes of the
// same rows.
const golden = "../../deploy/polaris/outbox/src/test/resources/recorded"

func TestRecordedRowsBecomeTheJobsThatTheExtensionMakes(t *testing.T) {
	t.Parallel()
	store := pgtest.NewMetastore(t, 4)
	all := readRecorded(t)
	for _, r := range all {
		store.Put(t, r.Rows...)
	}
	read := map[string]*Task{}
	for _, task := range tasks(t, open(t, store.URL)) {
		read[fmt.Sprint(task.ID)] = task
	}
	require.Len(t, read, 14)
	slug := regexp.MustCompile(`[^a-z0-9]+`)
	for _, r := range all {
		dropped, ok := read[fmt.Sprint(r.Rows[0]["id"])].Content().(*Dropped)
		require.True(t, ok, r.Name)
		job, err := dropped.Job(r.catalog())
		require.NoError(t, err, r.Name)
		job.RequestedBy = "root" // the server knows it, the row does not
		body, err := job.Encode()
		require.NoError(t, err)
		file := filepath.Join(golden, slug.ReplaceAllString(strings.ToLower(r.Name), "-"))
		want, err := os.ReadFile(file + ".json")
		require.NoError(t, err)
		require.Equal(t, string(want), string(body), r.Name)
		subject, err := os.ReadFile(file + ".subject")
		require.NoError(t, err)
		require.Equal(t, string(subject), job.Subject())
		require.NotContains(t, string(body), "secret")
	}
}

func TestUnknownSchemasAreRefused(t *testing.T) {
	t.Parallel()
	for version, want := range map[int]string{8: "has version 8", 99: "knows 1 to 7", 0: "is empty"} {
		_, err := Open(t.Context(), pgtest.NewMetastore(t, version).URL)
		require.ErrorIs(t, err, ErrUnknownSchema)
		require.ErrorContains(t, err, want)
	}
	_, err := Open(t.Context(), pgtest.Database(t))
	require.ErrorIs(t, err, ErrUnknownSchema)
	require.ErrorContains(t, err, "there is no polaris_schema.version")
	for _, version := range []int{1, 7} {
		open(t, pgtest.NewMetastore(t, version).URL)
	}
}

func TestNoErrorHasThePassword(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"postgres://u:hunter2@127.0.0.1:1/x", "postgres://u:hunter2@127.0.0.1:port/x", "password=hunter2 port=x"} {
		_, err := Open(t.Context(), url)
		require.Error(t, err)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

func TestARowThatChangedMeanwhileIsNotDeleted(t *testing.T) {
	t.Parallel()
	store := pgtest.NewMetastore(t, 3)
	store.Put(t, pgtest.Entity(map[string]any{"id": 1, "name": "a", "type_code": 8}), pgtest.Entity(map[string]any{"id": 2, "name": "b", "type_code": 8}))
	s := open(t, store.URL)
	read := tasks(t, s)
	store.Exec(t, `UPDATE polaris_schema.entities SET entity_version = 2 WHERE id = 1`)
	for i, want := range []bool{false, true} {
		deleted, err := s.Delete(t.Context(), read[i])
		require.NoError(t, err)
		require.Equal(t, want, deleted)
	}
	require.Equal(t, []int64{1}, store.TaskIDs(t))
	deleted, err := s.Delete(t.Context(), read[1])
	require.NoError(t, err)
	require.False(t, deleted, "it is gone")
}

func TestMoreRowsThanAPageAreReadOnceEach(t *testing.T) {
	t.Parallel()
	store := pgtest.NewMetastore(t, 3)
	store.Exec(t, `INSERT INTO polaris_schema.entities (realm_id, catalog_id, id, parent_id, name, entity_version, type_code, sub_type_code,
		create_timestamp, drop_timestamp, purge_timestamp, to_purge_timestamp, last_update_timestamp, grant_records_version)
		SELECT 'r' || n % 3, 0, n - 600, 0, 'n' || n, 1, 8, 0, 0, 0, 0, 0, 0, 1 FROM generate_series(1, 1234) n`)
	seen := map[string]bool{}
	s := open(t, store.URL)
	for _, task := range tasks(t, s) {
		seen[fmt.Sprint(task.Realm, task.ID)] = true
	}
	require.Len(t, seen, 1234)
	n := 0
	for task, err := range s.Tasks(t.Context(), "r1") {
		require.NoError(t, err)
		require.Equal(t, "r1", task.Realm)
		n++
	}
	require.Equal(t, 412, n)
}

// Releases up to 1.2 kept neither the UUID nor the location in the entity.
func TestRowsOfOldReleasesAreNamedByTheEntity(t *testing.T) {
	t.Parallel()
	task := cleanup(t, `{"parent-namespace":"a%1Fb+c","metadata-location":"s3://w/t/m.json"}`, nil)
	dropped, ok := task.Content().(*Dropped)
	require.True(t, ok)
	job, err := dropped.Job("lake")
	require.NoError(t, err)
	require.Equal(t, &jobs.Job{
		Version: 1, ID: "R.17", Kind: jobs.Purge, Realm: "R", Catalog: "lake", Namespace: []string{"a", "b c"}, Table: "t",
		EntityID: "4711", MetadataLocation: "s3://w/t/m.json", RequestedAt: jobs.At(time.UnixMilli(5)),
	}, job)
}

func cleanup(t *testing.T, internal string, cleanup map[string]string) *Task {
	t.Helper()
	data, err := json.Marshal(map[string]any{"catalogId": 9, "id": 4711, "typeCode": 7, "subTypeCode": 2, "name": "t", "internalProperties": internal})
	require.NoError(t, err)
	return &Task{Realm: "R", ID: 17, Name: "entityCleanup_4711", Version: 1, Created: time.UnixMilli(5),
		properties: map[string]string{"taskType": "1", "data": string(data)}, internal: cleanup}
}

func TestWhatIsNotOursOrCannotBeUsedIsSaid(t *testing.T) {
	t.Parallel()
	with := func(properties map[string]string) *Task {
		return &Task{Realm: "R", ID: 17, Name: "entityCleanup_4711_x", properties: properties}
	}
	for want, task := range map[string]*Task{
		"a task without a type":                            with(nil),
		`a task of type "4"`:                               with(map[string]string{"taskType": "4", "data": "{}"}),
		"the clean-up of something that is no table":       with(map[string]string{"taskType": "1", "data": `{"typeCode":6,"name":"ns"}`}),
		"the clean-up of a table that is no Iceberg table": with(map[string]string{"taskType": "1", "data": `{"typeCode":7,"subTypeCode":4}`}),
	} {
		require.Equal(t, Foreign{want}, task.Content())
	}
	for want, task := range map[string]*Task{
		"names no dropped entity":                with(map[string]string{"taskType": "1"}),
		"not the JSON":                           with(map[string]string{"taskType": "1", "data": `{"id":"secret"}`}),
		"no metadata location":                   cleanup(t, `{"parent-namespace":"a"}`, nil),
		"no namespace":                           cleanup(t, `{"metadata-location":"s3://w/m"}`, nil),
		"broken escape":                          cleanup(t, `{"metadata-location":"s3://w/m","parent-namespace":"a%zz"}`, nil),
		"storage configuration":                  cleanup(t, `{"metadata-location":"s3://w/m","parent-namespace":"a"}`, map[string]string{"storage_configuration_info": "secret"}),
		"names no files":                         with(map[string]string{"taskType": "3", "data": `{"tableId":{"namespace":["a"],"name":"t"},"batchFiles":[]}`}),
		"fields that this program does not know": with(map[string]string{"taskType": "3", "data": `{"tableId":{"namespace":["a"],"name":"t"},"batchFiles":["s3://w/f"],"moreFiles":["secret"]}`}),
		"does not know in such":                  with(map[string]string{"taskType": "2", "data": `{"tableId":{"namespace":["a"],"name":"t"},"manifestFileData":"AAAA","batchFiles":["s3://w/f"]}`}),
		"ManifestFiles.encode writes":            with(map[string]string{"taskType": "2", "data": `{"tableId":{"namespace":["a"],"name":"t"},"manifestFileData":"AAAA"}`}),
	} {
		unusable, ok := task.Content().(Unusable)
		require.True(t, ok, want)
		require.Contains(t, unusable.Problem, want)
		require.NotEmpty(t, unusable.Fix)
		require.NotContains(t, unusable.Problem, "secret")
		require.Equal(t, "4711", task.Entity())
	}
	stray := with(map[string]string{"taskType": "3", "data": `{"tableId":{"namespace":["a"],"name":"t"},"batchFiles":["s3://w/f"]}`})
	stray.Name = "5a1c"
	require.Contains(t, stray.Content().(Unusable).Problem, "does not say which table")
	require.Empty(t, stray.Entity())
}

func TestSecretsInEndpointsStayBehind(t *testing.T) {
	t.Parallel()
	storage, err := storageOf(`{"storageType":"S3","endpoint":"https://user:secret@s3.example/x?token=secret#secret","secretKey":"secret","roleARN":"r"}`)
	require.NoError(t, err)
	require.Equal(t, &jobs.Storage{Type: "S3", Endpoint: "https://s3.example/x", RoleARN: "r"}, storage)
}
