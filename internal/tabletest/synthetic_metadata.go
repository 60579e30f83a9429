package tabletest

import (
	"encoding/json"
	"io"
)

// writeMetadata writes the table metadata as it was after a number of snapshots,
// format version 2.
func (t *SyntheticTable) writeMetadata(w io.Writer, count int) error {
	type object = map[string]any
	at := func(commit int) int64 { return 1_700_000_000_000 + int64(commit)*1_000 }
	snapshots, log, earlier := []object{}, []object{}, []object{}
	for s := range count {
		snapshot := object{
			"snapshot-id": snapshotID(s), "sequence-number": s + 1, "timestamp-ms": at(s + 1), "schema-id": 0,
			"manifest-list": t.ManifestLists[s], "summary": object{"operation": "append"},
		}
		if s > 0 {
			snapshot["parent-snapshot-id"] = snapshotID(s - 1)
		}
		snapshots = append(snapshots, snapshot)
		log = append(log, object{"snapshot-id": snapshotID(s), "timestamp-ms": at(s + 1)})
		earlier = append(earlier, object{"metadata-file": t.EarlierMetadata[s], "timestamp-ms": at(s)})
	}
	metadata := object{
		"format-version": 2, "table-uuid": t.UUID, "location": t.Location,
		"last-sequence-number": count, "last-updated-ms": at(count),
		"last-column-id": max(t.Columns, 1), "current-schema-id": 0,
		"schemas":         []json.RawMessage{json.RawMessage(t.tableSchema())},
		"default-spec-id": 0, "last-partition-id": 1000,
		"partition-specs":       []object{{"spec-id": 0, "fields": json.RawMessage(partitionSpec)}},
		"default-sort-order-id": 0, "sort-orders": []object{{"order-id": 0, "fields": []any{}}},
		"properties": object{}, "snapshots": snapshots, "snapshot-log": log, "metadata-log": earlier,
	}
	if count > 0 {
		metadata["current-snapshot-id"] = snapshotID(count - 1)
		metadata["refs"] = object{"main": object{"snapshot-id": snapshotID(count - 1), "type": "branch"}}
	}
	return json.NewEncoder(w).Encode(metadata)
}
