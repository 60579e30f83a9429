package metastore

import (
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/pgtest"
)

func TestALivingTableIsHitByWhatItSharesWithADroppedOne(t *testing.T) {
	t.Parallel()
	store := pgtest.NewMetastore(t, 4)
	table := func(id int, name string, properties, internal map[string]any) {
		internal["parent-namespace"] = "db"
		store.Put(t, pgtest.Entity(map[string]any{"id": id, "type_code": 7, "sub_type_code": 2, "name": name,
			"properties": properties, "internal_properties": internal}))
	}
	table(1, "one", map[string]any{"location": "s3://w/db/one/"}, map[string]any{"table-uuid": "UUID-1", "metadata-location": "s3://w/db/one/metadata/1.json"})
	table(2, "elsewhere", map[string]any{"location": "s3://w/x"}, map[string]any{"metadata-location": "s3://w/y/z/1.json", "write.data.path": "s3://data/e"})
	table(3, "old", map[string]any{}, map[string]any{"metadata-location": "s3://w/db/old/metadata/1.json"})
	l, err := open(t, store.URL).Living(t.Context())
	require.NoError(t, err)

	drop := func(entity int64, uuid, metadata, location string) *Dropped {
		d := &Dropped{Task: &Task{Realm: "POLARIS"}, EntityID: entity}
		d.job.TableUUID, d.job.MetadataLocation, d.job.Locations = uuid, metadata, []string{location}
		return d
	}
	require.Contains(t, l.Hit(drop(1, "u", "s3://w/m", "s3://v"), nil), "db.one of realm POLARIS still lives")
	require.Contains(t, l.Hit(drop(9, "uuid-1", "s3://w/m", "s3://v"), nil), "same UUID")
	require.Contains(t, l.Hit(drop(9, "u", "s3a://w/db/one/metadata/1.json", "s3://v"), nil), "same metadata file")
	require.Empty(t, l.Hit(drop(9, "u", "s3://w/m", "s3://w/db/one"), nil), "the worker compares the UUID")
	require.Contains(t, l.Hit(drop(9, "", "s3://w/m", "s3://w/db/one"), nil), "at, below or above")
	other := drop(1, "u", "s3://w/m", "s3://v")
	other.Task.Realm = "OTHER"
	require.Empty(t, l.Hit(other, nil))

	for location, hit := range map[string]bool{
		"s3://w/db/one": true, "s3a://w/db/one/": true, "s3://w/db/one/below": true, "s3://w/db": true, "s3://w": true, "s3://w/y": true,
		"s3://data/e/x": true, "s3://data": true, "s3://w/db/old": true, "s3://w/db/old/data": true,
		"s3://w/db/one2": false, "s3://w/db/on": false, "s3://w/db/one//": true, "s3://v/db/one": false, "file:///w/db/one": false, "": false,
	} {
		row := &Remains{Task: &Task{Realm: "POLARIS"}, Entity: "9"}
		row.job.Locations = []string{location}
		require.Equal(t, hit, l.Hit(nil, []*Remains{row}) != "", location)
		require.Equal(t, hit, l.Hit(drop(9, "u", "s3://v/m", "s3://v"), []*Remains{row}) != "", location)
	}
	for file, hit := range map[string]bool{
		"s3://w/db/one/m.avro": true, "s3://w/y/z/1.json": true, "s3://data/e/a/b": true, "s3://w/y/z/2.json": false, "s3://w/db/two/m.avro": false,
	} {
		require.Equal(t, hit, l.Hit(nil, []*Remains{{Task: &Task{}, Files: []string{file}}}) != "", file)
	}
}
