package pulltest

import (
	"encoding/json"
	"fmt"
	"time"
)

// Metadata of a table in format 2 that has snapshots of these ages.
func Metadata(id, location string, now time.Time, ages []time.Duration) []byte {
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
