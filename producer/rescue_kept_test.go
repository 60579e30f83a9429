package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAnUnusableRowKeepsTheWholeTable(t *testing.T) {
	t.Parallel()
	for name, old := range map[string]time.Duration{"old": 2 * time.Hour, "young": time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWreck(t)
			w.s3.Put("warehouse", "db/t/metadata/1.metadata.json", []byte("{}"))
			w.drop(t, 4711, "t", "uuid-t", "s3://warehouse/db/t/metadata/1.metadata.json", 2*time.Hour)
			id := map[string]any{"namespace": []string{"db"}, "name": "t"}
			w.task(t, "3", "entityCleanup_4711_x", map[string]any{"tableId": id, "batchFiles": []string{"s3://warehouse/db/t/l.avro"}}, "s3://warehouse/db/t", 2*time.Hour)
			broken := w.task(t, "2", "entityCleanup_4711_y", map[string]any{"tableId": id, "manifestFileData": "AAAA"}, "s3://warehouse/db/t", old)
			w.task(t, "3", "entityCleanup_47_x", map[string]any{"tableId": id, "batchFiles": []string{"s3://warehouse/db/u/l.avro"}}, "s3://warehouse/db/u", 2*time.Hour)

			got := w.rescue(t, "--adopt")
			require.Equal(t, 3, got.Code, got.Stdout)
			require.Contains(t, got.Stdout, "kept  db.t  realm POLARIS, 2 rows: row 3 of the same table cannot be used: the manifest in the row is not")
			require.Contains(t, got.Stdout, "4 task rows: 1 adopted, 3 kept, 0 not ours")
			require.Equal(t, []int64{1, 2, 3}, w.store.TaskIDs(t))
			require.Len(t, w.queued(t), 1, "that of the other table")

			w.store.Exec(t, `DELETE FROM polaris_schema.entities WHERE id = $1`, broken)
			got = w.rescue(t, "--adopt")
			require.Equal(t, 0, got.Code, got.Stdout)
			require.Contains(t, got.Stdout, "queued  jobs.purge.POLARIS.lake.db.t.uuid-t")
			require.Len(t, w.queued(t), 2)
		})
	}
}

// live stores the entity of a table that was not dropped.
func (w *wreck) live(t *testing.T, id int, uuid, metadata, location string) {
	t.Helper()
	w.put(t, map[string]any{"id": id, "catalog_id": lakeID, "type_code": 7, "sub_type_code": 2, "name": "living",
		"properties":          map[string]any{"location": location},
		"internal_properties": map[string]any{"parent-namespace": "db", "metadata-location": metadata, "table-uuid": uuid}})
}

func TestThePurgeOfATableThatLivesIsNeverAdopted(t *testing.T) {
	t.Parallel()
	const metadata = "s3://warehouse/db/a/metadata/1.metadata.json"
	for want, live := range map[string]func(t *testing.T, w *wreck){
		"has the same UUID":          func(t *testing.T, w *wreck) { w.live(t, 77, "uuid-a", "s3://warehouse/m", "s3://warehouse/x") },
		"has the same metadata file": func(t *testing.T, w *wreck) { w.live(t, 77, "uuid-b", metadata, "s3://warehouse/x") },
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			w := newWreck(t)
			w.s3.Put("warehouse", "db/a/metadata/1.metadata.json", []byte("{}"))
			w.drop(t, 10, "a", "uuid-a", metadata, 2*time.Hour)
			live(t, w)
			got := w.rescue(t, "--adopt")
			require.Equal(t, 3, got.Code, got.Stdout)
			require.Contains(t, got.Stdout, "kept  db.a  realm POLARIS, row 1: the living table db.living of realm POLARIS "+want)
			require.Contains(t, got.Stdout, "1 task rows: 0 adopted, 1 kept, 0 not ours")
			require.Equal(t, []int64{1}, w.store.TaskIDs(t))
			require.Empty(t, w.queued(t))

			w.store.Exec(t, `DELETE FROM polaris_schema.entities WHERE type_code = 7`)
			got = w.rescue(t, "--adopt")
			require.Equal(t, 0, got.Code, got.Stdout)
			require.Empty(t, w.store.TaskIDs(t))
		})
	}
}

func TestSubTasksWhereATableLivesAreNeverAdopted(t *testing.T) {
	t.Parallel()
	for name, location := range map[string]string{"at": "s3://warehouse/db/t/", "below": "s3://warehouse/db/t/v2", "above": "s3://warehouse/db"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWreck(t)
			w.task(t, "3", "entityCleanup_4711_x", map[string]any{"tableId": map[string]any{"namespace": []string{"db"}, "name": "t"},
				"batchFiles": []string{"s3://warehouse/db/t/l.avro"}}, "s3://warehouse/db/t", 2*time.Hour)
			w.live(t, 77, "uuid-b", "s3://warehouse/elsewhere/1.json", location)
			got := w.rescue(t, "--adopt")
			require.Equal(t, 3, got.Code, got.Stdout)
			require.Contains(t, got.Stdout, "the living table db.living of realm POLARIS has its files at, below or above s3://warehouse/db/t")
			require.Contains(t, got.Stdout, "1 task rows: 0 adopted, 1 kept, 0 not ours")
			require.Equal(t, []int64{1}, w.store.TaskIDs(t))
			require.Empty(t, w.queued(t))

			w.store.Exec(t, `UPDATE polaris_schema.entities SET properties = '{"location":"s3://warehouse/db/t2"}' WHERE type_code = 7`)
			got = w.rescue(t, "--adopt")
			require.Equal(t, 0, got.Code, got.Stdout)
			require.Empty(t, w.store.TaskIDs(t))
		})
	}
}
