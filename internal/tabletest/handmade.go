package tabletest

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/klauspost/compress/flate"
)

// HandmadeEntry is an entry of a manifest, with whatever path a test needs.
type HandmadeEntry struct {
	// Status is 0 existing, 1 added, 2 deleted.
	Status int64
	Path   string
	Size   int64
}

// HandmadeManifest is a manifest of a [HandmadeTable]. Absent ones are named but
// not there.
type HandmadeManifest struct {
	Path    string
	Entries []HandmadeEntry
	Absent  bool
}

// HandmadeList is the manifest list of one snapshot, with the manifests by the
// spelling that it names them in.
type HandmadeList struct {
	Path      string
	Manifests []string
	Absent    bool
	// Encrypted names the manifests with a key.
	Encrypted bool
}

// HandmadeTable describes a table file by file, so that its metadata may say
// what no writer would.
type HandmadeTable struct {
	Location  string
	Root      string
	Manifests []HandmadeManifest
	Lists     []HandmadeList
	// Metadata is added to the root: properties, statistics, metadata-log.
	Metadata map[string]any
}

// HandmadeUUID is the UUID of every handmade table.
const HandmadeUUID = "11111111-1111-4111-8111-111111111111"

// Objects are the table's metadata files. Its data files are the test's.
func (h HandmadeTable) Objects() Objects {
	objects, lengths := Objects{}, map[string]int64{}
	for _, m := range h.Manifests {
		data := handmadeManifest(m.Entries)
		lengths[m.Path] = int64(len(data))
		if !m.Absent {
			objects[m.Path] = data
		}
	}
	var snapshots []map[string]any
	for i, list := range h.Lists {
		if !list.Absent {
			objects[list.Path] = handmadeList(list, lengths)
		}
		snapshots = append(snapshots, map[string]any{"snapshot-id": i + 1, "timestamp-ms": 1, "manifest-list": list.Path})
	}
	metadata := map[string]any{
		"format-version": 2, "table-uuid": HandmadeUUID, "location": h.Location, "last-column-id": 1, "snapshots": snapshots,
	}
	for key, value := range h.Metadata {
		metadata[key] = value
	}
	root, err := json.Marshal(metadata)
	if err != nil {
		panic(fmt.Sprintf("handmade metadata: %v", err)) // a mistake of the test's author
	}
	objects[h.Root] = root
	return objects
}

func handmadeManifest(entries []HandmadeEntry) []byte {
	var out bytes.Buffer
	t := &SyntheticTable{}
	f, err := newAvroFile(&out, flate.BestSpeed, "schema", t.tableSchema(), "schema-id", "0", "partition-spec", partitionSpec,
		"partition-spec-id", "0", "format-version", "2", "content", "data", "avro.schema", manifestEntrySchema)
	for _, e := range entries {
		r := &f.record
		r.long(e.Status)
		r.present()
		r.long(1) // snapshot id
		r.null()  // sequence numbers are inherited
		r.null()
		r.long(0) // content: data
		r.binary([]byte(e.Path))
		r.text("PARQUET")
		r.present()
		r.long(1) // partition
		r.long(1) // records
		r.long(e.Size)
		t.encodeStatistics(r, 0)
		r.null()
		r.present()
		r.long(1)
		r.long(4)
		r.long(0)
		r.null()
		r.present()
		r.long(0)
		r.null()
		if err == nil {
			err = f.end()
		}
	}
	if err == nil {
		_, err = f.close()
	}
	if err != nil {
		panic(fmt.Sprintf("handmade manifest: %v", err)) // memory does not fail
	}
	return out.Bytes()
}

func handmadeList(list HandmadeList, lengths map[string]int64) []byte {
	var out bytes.Buffer
	f, err := newAvroFile(&out, flate.BestSpeed, "snapshot-id", "1", "parent-snapshot-id", "null", "sequence-number", "1",
		"format-version", "2", "avro.schema", manifestFileSchema)
	for _, path := range list.Manifests {
		r := &f.record
		r.text(path)
		r.long(lengths[path])
		for range 11 { // spec, content, sequence numbers, snapshot, counts
			r.long(0)
		}
		r.null() // partitions
		if list.Encrypted {
			r.present()
			r.binary([]byte("key"))
		} else {
			r.null()
		}
		if err == nil {
			err = f.end()
		}
	}
	if err == nil {
		_, err = f.close()
	}
	if err != nil {
		panic(fmt.Sprintf("handmade list: %v", err))
	}
	return out.Bytes()
}
