package tabletest

import (
	"encoding/json"
	"fmt"
)

// View is a view at a location, with metadata files as the Iceberg view
// specification (format version 1) wants them. A view has no other files.
type View struct {
	Location string
	UUID     string
	// MetadataLocations are its metadata files, oldest first. The last one is
	// current.
	MetadataLocations []string
	Objects           Objects
}

// MetadataLocation is the current metadata file.
func (v *View) MetadataLocation() string { return v.MetadataLocations[len(v.MetadataLocations)-1] }

// NewView makes a view with the given number of versions (at least 1), each of
// which left a metadata file. Two views at one location with different UUIDs are
// what dropping and re-creating a view leaves: put the Objects of both into the
// same store. Tell them apart by generation, which is part of the file names.
func NewView(location, uuid string, generation, versions int) *View {
	v := &View{Location: location, UUID: uuid, Objects: Objects{}}
	type object = map[string]any
	var all, log []object
	for id := 1; id <= versions; id++ {
		at := int64(1_700_000_000_000) + int64(generation)*1_000_000 + int64(id)*1_000
		all = append(all, object{
			"version-id": id, "schema-id": 0, "timestamp-ms": at, "summary": object{"engine-name": "deckhand-test"},
			"default-namespace": []string{"sales"},
			"representations":   []object{{"type": "sql", "dialect": "spark", "sql": fmt.Sprintf("SELECT id FROM orders WHERE id > %d", id)}},
		})
		log = append(log, object{"version-id": id, "timestamp-ms": at})
		data, err := json.Marshal(object{
			"view-uuid": uuid, "format-version": 1, "location": location, "current-version-id": id,
			"versions": all, "version-log": log, "properties": object{},
			"schemas": []object{{"type": "struct", "schema-id": 0, "fields": []object{
				{"id": 1, "name": "id", "required": true, "type": "long"},
			}}},
		})
		if err != nil {
			panic(fmt.Sprintf("encode view: %v", err)) // plain maps and strings: cannot happen
		}
		path := fmt.Sprintf("%s/metadata/%05d-%08x.metadata.json", location, id-1, generation*1000+id)
		v.MetadataLocations = append(v.MetadataLocations, path)
		v.Objects[path] = data
	}
	return v
}
