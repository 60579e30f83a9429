package manifests_test

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/apache/iceberg-go"
	"github.com/stretchr/testify/require"

	"deckhand/internal/maintenance/maintenancetest"
)

// forge makes tables out of metadata alone: manifests written by iceberg-go, and no
// data files.
type forge struct {
	*yard
	version int
	schema  *iceberg.Schema
	// specs by id, the last one the default.
	specs []iceberg.PartitionSpec
	named []iceberg.ManifestFile
	// properties of the table.
	properties object
}

// forged is one file of a forged table.
type forged struct {
	path    string
	content iceberg.ManifestEntryContent
	format  iceberg.FileFormat
	// partition by the value of the column k; nil: null.
	partition any
	text      string // of the field s, where the spec has it
	sequence  int64
	about     string // referenced data file
	bounds    string // of file_path
	deleted   bool
}

func (y *yard) forge(version int, specs ...iceberg.PartitionSpec) *forge {
	if len(specs) == 0 {
		specs = []iceberg.PartitionSpec{byKey(0)}
	}
	return &forge{yard: y, version: version, specs: specs, properties: object{}, schema: iceberg.NewSchema(0,
		iceberg.NestedField{ID: 1, Name: "id", Type: iceberg.PrimitiveTypes.Int64, Required: true},
		iceberg.NestedField{ID: 2, Name: "k", Type: iceberg.PrimitiveTypes.Int32},
		iceberg.NestedField{ID: 3, Name: "s", Type: iceberg.PrimitiveTypes.String},
	)}
}

// byKey partitions by the column k.
func byKey(id int) iceberg.PartitionSpec {
	return iceberg.NewPartitionSpecID(id, iceberg.PartitionField{SourceIDs: []int{2}, FieldID: 1000, Name: "k", Transform: iceberg.IdentityTransform{}})
}

func unpartitioned(id int) iceberg.PartitionSpec { return iceberg.NewPartitionSpecID(id) }

const forgedSnapshot = 77

// manifest adds one of a spec, with entries that have all their own numbers.
func (f *forge) manifest(spec int, files ...forged) {
	f.T.Helper()
	first, snapshot := int64(1000*len(f.named)), int64(forgedSnapshot)
	f.named = append(f.named, f.write(fmt.Sprintf("metadata/forged-%d.avro", len(f.named)), spec, snapshot, contentOfFiles(files), func(w *iceberg.ManifestWriter) {
		for n, file := range files {
			row := first + 10*int64(n)
			entry := iceberg.NewManifestEntry(iceberg.EntryStatusEXISTING, &snapshot, &file.sequence, &file.sequence, f.file(spec, file, &row))
			if file.deleted {
				require.NoError(f.T, w.Delete(entry))
			} else {
				require.NoError(f.T, w.Existing(entry))
			}
		}
	}))
}

func contentOfFiles(files []forged) iceberg.ManifestContent {
	if files[0].content != iceberg.EntryContentData {
		return iceberg.ManifestContentDeletes
	}
	return iceberg.ManifestContentData
}

// write writes a manifest.
func (f *forge) write(name string, spec int, snapshot int64, content iceberg.ManifestContent, fill func(w *iceberg.ManifestWriter)) iceberg.ManifestFile {
	f.T.Helper()
	var out bytes.Buffer
	w, err := iceberg.NewManifestWriter(f.version, &out, f.specs[spec], f.schema, snapshot, iceberg.WithManifestWriterContent(content))
	require.NoError(f.T, err)
	fill(w)
	require.NoError(f.T, w.Close())
	path := maintenancetest.InHome(name)
	m, err := w.ToManifestFile(path, int64(out.Len()), iceberg.WithManifestFileContent(content))
	require.NoError(f.T, err)
	f.Put(path, out.Bytes())
	return m
}

// file of 10 rows. firstRow is for data files of v3.
func (f *forge) file(spec int, file forged, firstRow *int64) iceberg.DataFile {
	f.T.Helper()
	partition := map[int]any{}
	if f.specs[spec].NumFields() > 0 {
		partition[1000] = file.partition
	}
	if f.specs[spec].NumFields() > 1 {
		partition[1001] = file.text
	}
	format := iceberg.ParquetFile
	if file.format != "" {
		format = file.format
	}
	b, err := iceberg.NewDataFileBuilder(f.specs[spec], file.content, maintenancetest.InHome("data/"+file.path), format, partition, nil, nil, 10, 100)
	require.NoError(f.T, err)
	if file.about != "" {
		b.ReferencedDataFile(maintenancetest.InHome("data/" + file.about))
	}
	if file.bounds != "" {
		bound := map[int][]byte{2147483546: []byte(maintenancetest.InHome("data/" + file.bounds))}
		b.LowerBoundValues(bound).UpperBoundValues(bound)
	}
	if file.content == iceberg.EntryContentEqDeletes {
		b.EqualityFieldIDs([]int{1})
	}
	if f.version > 2 && file.content == iceberg.EntryContentData && firstRow != nil {
		b.FirstRowID(*firstRow)
	}
	if format == iceberg.PuffinFile {
		b.ContentOffset(4).ContentSizeInBytes(50)
	}
	return b.Build()
}

func (f *forge) decode(text []byte, into any) {
	f.T.Helper()
	require.NoError(f.T, json.Unmarshal(text, into))
}

// open ends the table and makes it that of the catalog.
func (f *forge) open(more object) {
	f.T.Helper()
	list, sequence := maintenancetest.InHome("metadata/snap-forged.avro"), int64(50)
	var out bytes.Buffer
	require.NoError(f.T, iceberg.WriteManifestList(f.version, &out, forgedSnapshot, nil, &sequence, 0, f.named))
	f.Put(list, out.Bytes())
	snapshot := object{"snapshot-id": forgedSnapshot, "sequence-number": sequence, "timestamp-ms": 1_700_000_000_000, "manifest-list": list, "schema-id": 0,
		"summary": object{"operation": "append", "total-delete-files": "9", "total-files-size": "100000", "total-position-deletes": "1000", "total-equality-deletes": "1000"}}
	m := maintenancetest.CompleteMetadata([]object{snapshot})
	m["format-version"], m["location"], m["table-uuid"], m["last-sequence-number"], m["last-column-id"] = f.version, maintenancetest.Home, "22222222-2222-4222-8222-222222222222", sequence, 3
	m["schemas"], m["partition-specs"], m["default-spec-id"] = []any{f.schema}, f.specs, f.specs[len(f.specs)-1].ID()
	m["properties"] = f.properties
	if f.version > 2 {
		snapshot["first-row-id"], snapshot["added-rows"], m["next-row-id"] = 0, 100_000, 100_000
	}
	for key, value := range more {
		m[key] = value
	}
	root := maintenancetest.InHome("metadata/forged.metadata.json")
	text, err := json.Marshal(m)
	require.NoError(f.T, err)
	f.Put(root, text)
	f.Open(root)
}
