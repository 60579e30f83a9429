package maintenancetest

import (
	"fmt"
	"strings"

	"deckhand/internal/tabletest"
)

// Home is the location of a yard's table, unless a test says otherwise.
const Home = "s3://warehouse/db/t"

// InHome is the location of a file below [Home].
func InHome(name string) string { return Home + "/" + name }

// Draft describes a table by snapshot: which manifests each one's list names, and
// which files each manifest.
type Draft struct {
	tabletest.HandmadeTable
	// Snapshots as in the metadata; the ids of those that Snapshot adds are 1, 2, …
	Snapshots []Object
}

// NewDraft is a table at [Home] without snapshots.
func NewDraft() *Draft {
	return &Draft{HandmadeTable: tabletest.HandmadeTable{Location: Home, Root: InHome("metadata/v0.metadata.json")}}
}

// Manifest adds one whose entries are live, or deleted with a "-" before.
func (d *Draft) Manifest(name string, files ...string) {
	made := tabletest.HandmadeManifest{Path: InHome("metadata/" + name)}
	for _, f := range files {
		e := tabletest.HandmadeEntry{Status: 1, Path: f, Size: 10}
		if rest, deleted := strings.CutPrefix(f, "-"); deleted {
			e.Status, e.Path = 2, rest
		}
		if !strings.Contains(e.Path, "://") {
			e.Path = InHome("data/" + e.Path)
		}
		made.Entries = append(made.Entries, e)
	}
	d.Manifests = append(d.Manifests, made)
}

// Snapshot adds the next one, a child of the last.
func (d *Draft) Snapshot(manifests ...string) {
	n := len(d.Snapshots) + 1
	list := tabletest.HandmadeList{Path: InHome(fmt.Sprintf("metadata/list-%d.avro", n))}
	for _, m := range manifests {
		list.Manifests = append(list.Manifests, InHome("metadata/"+m))
	}
	d.Lists = append(d.Lists, list)
	s := Object{"snapshot-id": n, "sequence-number": n, "timestamp-ms": 1_700_000_000_000 + n, "manifest-list": list.Path, "schema-id": 0}
	if n > 1 {
		s["parent-snapshot-id"] = n - 1
	}
	d.Snapshots = append(d.Snapshots, s)
}

// Lay puts the table and the files that it names into the store, and opens it. more is
// added to what [CompleteMetadata] makes of the snapshots, or takes its place.
func (y *Yard) Lay(d *Draft, more Object) {
	y.Load(tabletest.Neighbours(Home))
	for _, m := range d.Manifests {
		for _, e := range m.Entries {
			y.Put(e.Path, []byte("0123456789"))
		}
	}
	d.Metadata = CompleteMetadata(d.Snapshots)
	for key, value := range more {
		d.Metadata[key] = value
		if files, is := value.([]Object); is && strings.Contains(key, "statistics") {
			for _, f := range files {
				y.Put(f["statistics-path"].(string), []byte("1234567"))
			}
		}
	}
	y.Load(d.Objects())
	y.Open(d.Root)
}

// CompleteMetadata is what every library wants in the metadata of a table with these
// snapshots, of which the last one is current.
func CompleteMetadata(snapshots []Object) Object {
	last := snapshots[len(snapshots)-1]
	return Object{
		"snapshots": snapshots, "current-snapshot-id": last["snapshot-id"], "last-sequence-number": len(snapshots),
		"last-updated-ms":   last["timestamp-ms"],
		"refs":              Object{"main": Object{"snapshot-id": last["snapshot-id"], "type": "branch"}},
		"current-schema-id": 0, "schemas": []Object{{"type": "struct", "schema-id": 0, "fields": []Object{
			{"id": 1, "name": "id", "required": true, "type": "long"},
		}}},
		"default-spec-id": 0, "last-partition-id": 1000, "partition-specs": []Object{{"spec-id": 0, "fields": []Object{
			{"source-id": 1, "field-id": 1000, "name": "bucket", "transform": "bucket[16]"},
		}}},
		"default-sort-order-id": 0, "sort-orders": []Object{{"order-id": 0, "fields": []any{}}},
	}
}
