package pgtest

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// layout is what a metastore consists of as far as tasks go: the columns of the
// schema versions 3 to 7 of Polaris' relational-jdbc.
const layout = `
CREATE SCHEMA polaris_schema;
CREATE TABLE polaris_schema.version (version_key TEXT PRIMARY KEY, version_value INTEGER NOT NULL);
CREATE TABLE polaris_schema.entities (
	realm_id TEXT NOT NULL, catalog_id BIGINT NOT NULL, id BIGINT NOT NULL, parent_id BIGINT NOT NULL, name TEXT NOT NULL,
	entity_version INT NOT NULL, type_code INT NOT NULL, sub_type_code INT NOT NULL,
	create_timestamp BIGINT NOT NULL, drop_timestamp BIGINT NOT NULL, purge_timestamp BIGINT NOT NULL,
	to_purge_timestamp BIGINT NOT NULL, last_update_timestamp BIGINT NOT NULL,
	properties JSONB NOT NULL DEFAULT '{}', internal_properties JSONB NOT NULL DEFAULT '{}',
	grant_records_version INT NOT NULL, location_without_scheme TEXT,
	PRIMARY KEY (realm_id, id), UNIQUE (realm_id, catalog_id, parent_id, type_code, name));`

// Metastore is a database with the metastore of a Polaris.
type Metastore struct {
	URL  string
	conn *pgx.Conn
}

// NewMetastore makes one; version is that of the schema, 0 leaves it out.
func NewMetastore(t testing.TB, version int) *Metastore {
	t.Helper()
	m := &Metastore{URL: Database(t)}
	m.conn = Connect(t, m.URL)
	m.Exec(t, layout)
	if version != 0 {
		m.Exec(t, `INSERT INTO polaris_schema.version VALUES ('version', $1)`, version)
	}
	return m
}

// Exec runs a statement.
func (m *Metastore) Exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	_, err := m.conn.Exec(t.Context(), sql, args...)
	require.NoError(t, err)
}

// Put stores rows of the table entities, column by column.
func (m *Metastore) Put(t testing.TB, rows ...map[string]any) {
	t.Helper()
	for _, row := range rows {
		encoded, err := json.Marshal(row)
		require.NoError(t, err)
		m.Exec(t, `INSERT INTO polaris_schema.entities SELECT * FROM jsonb_populate_record(NULL::polaris_schema.entities, $1)`, string(encoded))
	}
}

// TaskIDs are the ids of the task rows, in order.
func (m *Metastore) TaskIDs(t testing.TB) []int64 {
	t.Helper()
	rows, err := m.conn.Query(t.Context(), `SELECT id FROM polaris_schema.entities WHERE type_code = 8 ORDER BY id`)
	require.NoError(t, err)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	require.NoError(t, err)
	return ids
}

// Entity is a row of the table entities with the given columns and defaults for
// the rest. Maps and lists become JSON.
func Entity(columns map[string]any) map[string]any {
	row := map[string]any{
		"realm_id": "POLARIS", "catalog_id": 0, "parent_id": 0, "entity_version": 1, "sub_type_code": 0,
		"create_timestamp": 0, "drop_timestamp": 0, "purge_timestamp": 0, "to_purge_timestamp": 0, "last_update_timestamp": 0,
		"properties": map[string]any{}, "internal_properties": map[string]any{}, "grant_records_version": 1,
	}
	for name, value := range columns {
		row[name] = value
	}
	return row
}

// ManifestFileData is what Iceberg's ManifestFiles.encode makes of a manifest,
// in base64, with the schema cut down to the path.
func ManifestFileData(path string) string {
	const schema = `{"type":"record","name":"GenericManifestFile","fields":[{"name":"manifest_path","type":"string","field-id":500}]}`
	data := binary.BigEndian.AppendUint16([]byte{0xC2, 0x01}, uint16(len(schema)))
	data = append(data, schema...)
	data = binary.AppendVarint(data, int64(len(path)))
	return base64.StdEncoding.EncodeToString(append(data, path...))
}
