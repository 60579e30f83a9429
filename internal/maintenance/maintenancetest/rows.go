package maintenancetest

import (
	"context"
	"fmt"
	"slices"

	icebergio "github.com/apache/iceberg-go/io"
	iceberg "github.com/apache/iceberg-go/table"
	"github.com/stretchr/testify/require"
)

// Rows are those of each snapshot, read by iceberg-go, as text and sorted; in v3 with
// their row ids and the sequence numbers of their last change.
func (y *Yard) Rows(metadataLocation string) map[int64][]string {
	y.T.Helper()
	files := func(context.Context) (icebergio.IO, error) { return Shelves{y.Server}, nil }
	t, err := iceberg.NewFromLocation(y.T.Context(), iceberg.Identifier{"zoo", "t"}, metadataLocation, files, nil)
	require.NoError(y.T, err)
	all := map[int64][]string{}
	for _, s := range t.Metadata().Snapshots() {
		options := []iceberg.ScanOption{iceberg.WithSnapshotID(s.SnapshotID)}
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
		all[s.SnapshotID] = rows
	}
	return all
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
