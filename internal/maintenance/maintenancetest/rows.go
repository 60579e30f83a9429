package maintenancetest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	icebergio "github.com/apache/iceberg-go/io"
	iceberg "github.com/apache/iceberg-go/table"
	"github.com/stretchr/testify/require"
)

// Rows are those of each snapshot, read by iceberg-go, as text and sorted; in v3 with
// their row ids and the sequence numbers of their last change. A snapshot that was read
// before is read again unless all that the metadata says of it, and each file that was
// opened for it, is still the same.
func (y *Yard) Rows(metadataLocation string) map[int64][]string {
	y.T.Helper()
	opened := &openings{}
	files := func(context.Context) (icebergio.IO, error) { return Shelves{Server: y.Server, opened: opened}, nil }
	t, err := iceberg.NewFromLocation(y.T.Context(), iceberg.Identifier{"zoo", "t"}, metadataLocation, files, nil)
	require.NoError(y.T, err)
	all := map[int64][]string{}
	for _, s := range t.Metadata().Snapshots() {
		key := y.described(t.Metadata(), s)
		known, read := y.rows[key]
		if !read || !known.from.unchanged(y.Server) {
			opened.take()
			known.rows = y.rowsOf(t, s.SnapshotID)
			known.from = opened.take()
			require.NotEmpty(y.T, known.from)
			if y.rows == nil {
				y.rows = map[string]rowsRead{}
			}
			y.rows[key] = known
		}
		all[s.SnapshotID] = known.rows
	}
	return all
}

// rowsRead are a snapshot's rows and what they were read from.
type rowsRead struct {
	rows []string
	from contents
}

// described is all that the metadata says of how a snapshot reads.
func (y *Yard) described(m iceberg.Metadata, s iceberg.Snapshot) string {
	y.T.Helper()
	text, err := json.Marshal([]any{m.TableUUID(), m.Version(), s, m.CurrentSchema().ID, m.Schemas(), m.PartitionSpecs(), m.Properties()})
	require.NoError(y.T, err)
	return string(text)
}

func (y *Yard) rowsOf(t *iceberg.Table, snapshot int64) []string {
	y.T.Helper()
	options := []iceberg.ScanOption{iceberg.WithSnapshotID(snapshot)}
	if t.Metadata().Version() > 2 {
		options = append(options, iceberg.WithRowLineage())
	}
	_, batches, err := t.Scan(options...).ToArrowRecords(y.T.Context())
	require.NoError(y.T, err)
	rows := []string{}
	for batch, err := range batches {
		require.NoError(y.T, err)
		for row := range int(batch.NumRows()) {
			text := ""
			for n, column := range batch.Columns() {
				text += fmt.Sprintf("%s=%s\n", batch.ColumnName(n), column.ValueStr(row))
			}
			rows = append(rows, text)
		}
		batch.Release()
	}
	slices.Sort(rows)
	return rows
}

// UnreadableByIcebergGo are the tables of the zoo that iceberg-go cannot read, each
// with the number that the zoo gives the defect. It reads k of v2_addfiles_part as null (Z02) and the
// default of v3_def_long one too small (Z03), both before and after.
var UnreadableByIcebergGo = map[string]string{
	"v2_addfiles": "Z09 INT96 timestamps",
	"v2_avro":     "Z06 Avro",
	"v2_orc":      "Z06 ORC",
	"v2_codecs":   "Z07 LZ4",
	"v3_def_ts":   "Z04 default of a timestamp",
}
