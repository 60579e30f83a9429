package tabletest

import (
	"encoding/json"
	"io"
)

// writeMetadata writes the table metadata, format version 2.
func (t *SyntheticTable) writeMetadata(w io.Writer) error {
	type object = map[string]any
	var snapshots, log []object
	last := t.Snapshots - 1
	for s := range t.Snapshots {
		at := int64(1_700_000_000_000) + int64(s)*1_000
		snapshot := object{
			"snapshot-id": snapshotID(s), "sequence-number": s + 1, "timestamp-ms": at, "schema-id": 0,
			"manifest-list": t.ManifestLists[s], "summary": object{"operation": "append"},
		}
		if s > 0 {
			snapshot["parent-snapshot-id"] = snapshotID(s - 1)
		}
		snapshots = append(snapshots, snapshot)
		log = append(log, object{"snapshot-id": snapshotID(s), "timestamp-ms": at})
	}
	return json.NewEncoder(w).Encode(object{
		"format-version": 2, "table-uuid": t.UUID, "location": t.Location,
		"last-sequence-number": t.Snapshots, "last-updated-ms": int64(1_700_000_000_000) + int64(last)*1_000,
		"last-column-id": max(t.Columns, 1), "current-schema-id": 0,
		"schemas":         []json.RawMessage{json.RawMessage(t.tableSchema())},
		"default-spec-id": 0, "last-partition-id": 1000,
		"partition-specs":       []object{{"spec-id": 0, "fields": json.RawMessage(partitionSpec)}},
		"default-sort-order-id": 0, "sort-orders": []object{{"order-id": 0, "fields": []any{}}},
		"properties": object{}, "current-snapshot-id": snapshotID(last), "snapshots": snapshots, "snapshot-log": log,
		"metadata-log": []any{}, "refs": object{"main": object{"snapshot-id": snapshotID(last), "type": "branch"}},
	})
}
