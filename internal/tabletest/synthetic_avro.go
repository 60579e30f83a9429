package tabletest

import (
	_ "embed"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"

	"github.com/klauspost/compress/flate"
)

// The Avro schemas of the Iceberg specification, format version 2, for a table
// partitioned by bucket[16](id).
var (
	//go:embed testdata/manifest-entry.avsc
	manifestEntrySchema string
	//go:embed testdata/manifest-file.avsc
	manifestFileSchema string
)

const partitionSpec = `[{"source-id":1,"field-id":1000,"name":"bucket","transform":"bucket[16]"}]`

// level of compression.
func (t *SyntheticTable) level() int {
	if t.Stored {
		return flate.NoCompression
	}
	return flate.BestSpeed
}

func (t *SyntheticTable) writeManifest(w io.Writer, manifest int) (int64, error) {
	f, err := newAvroFile(w, t.level(),
		"schema", t.tableSchema(), "schema-id", "0", "partition-spec", partitionSpec, "partition-spec-id", "0",
		"format-version", "2", "content", "data", "avro.schema", manifestEntrySchema)
	if err != nil {
		return 0, err
	}
	snapshot := snapshotID(t.snapshotOf(manifest))
	var path []byte
	first, end := t.files(manifest)
	for file := first; file < end; file++ {
		path = t.appendPath(path[:0], manifest, file)
		t.encodeEntry(&f.record, snapshot, path, file)
		if err := f.end(); err != nil {
			return 0, err
		}
	}
	return f.close()
}

// encodeEntry writes one manifest_entry, fields in the order of the schema.
func (t *SyntheticTable) encodeEntry(r *avroRecord, snapshot int64, path []byte, file int) {
	r.long(1) // status: added
	r.present()
	r.long(snapshot)
	r.null()  // sequence_number: inherited
	r.null()  // file_sequence_number: inherited
	r.long(0) // content: data
	r.binary(path)
	r.text("PARQUET")
	r.present() // partition.bucket
	r.long(bucketOf(file))
	r.long(t.Rows(file))
	r.long(t.Bytes(file))
	t.encodeStatistics(r, file)
	r.null()    // key_metadata
	r.present() // split_offsets
	r.long(1)
	r.long(4)
	r.long(0)
	r.null()    // equality_ids
	r.present() // sort_order_id
	r.long(0)
	r.null() // referenced_data_file
}

// encodeStatistics writes column_sizes, value_counts, null_value_counts,
// nan_value_counts, lower_bounds and upper_bounds.
func (t *SyntheticTable) encodeStatistics(r *avroRecord, file int) {
	if t.Columns == 0 {
		r.optionalNull(6)
		return
	}
	random := rand.New(rand.NewPCG(uint64(file), 7)) //nolint:gosec // the same table every time
	sixteen := func() uint64 { return random.Uint64() & 0xffff }
	counts := func(value func() int64) {
		r.present()
		r.long(int64(t.Columns))
		for column := range t.Columns {
			r.long(int64(column + 1))
			r.long(value())
		}
		r.long(0)
	}
	bounds := func(high uint64) {
		r.present()
		r.long(int64(t.Columns))
		for column := range t.Columns {
			r.long(int64(column + 1))
			if column%2 == 0 {
				r.uint64(high<<32 | random.Uint64()&0xff_ffff)
			} else {
				r.long(16)
				r.buf = append(r.buf, "value-"...)
				r.buf = appendHex(r.buf, high<<32|random.Uint64()&0xf_ffff, 10)
			}
		}
		r.long(0)
	}
	counts(func() int64 { return int64(10_000 + sixteen()) })
	counts(func() int64 { return t.Rows(file) })
	counts(func() int64 { return int64(sixteen() & 0x3) })
	r.present()
	r.long(0) // no column can be NaN
	bounds(1)
	bounds(2)
}

func appendHex(buf []byte, v uint64, digits int) []byte {
	for shift := (digits - 1) * 4; shift >= 0; shift -= 4 {
		buf = append(buf, "0123456789abcdef"[v>>shift&0xf])
	}
	return buf
}

// Rows is the number of rows that the entry of a data file claims.
func (t *SyntheticTable) Rows(file int) int64 { return int64(50_000 + file%1_000) }

// Bytes is the size that the entry of a data file claims.
func (t *SyntheticTable) Bytes(file int) int64 { return int64(1_000_000 + file%100_000) }

// TotalBytes is the size of all data files.
func (t *SyntheticTable) TotalBytes() int64 {
	var sum int64
	for file := range t.Files {
		sum += t.Bytes(file)
	}
	return sum
}

// snapshotOf gives the snapshot that added a manifest.
func (t *SyntheticTable) snapshotOf(manifest int) int {
	snapshot := 0
	for t.manifests(snapshot) <= manifest {
		snapshot++
	}
	return snapshot
}

func (t *SyntheticTable) writeManifestList(w io.Writer, snapshot int, lengths []int64) error {
	parent := "null"
	if snapshot > 0 {
		parent = strconv.FormatInt(snapshotID(snapshot-1), 10)
	}
	f, err := newAvroFile(w, t.level(),
		"snapshot-id", strconv.FormatInt(snapshotID(snapshot), 10), "parent-snapshot-id", parent,
		"sequence-number", strconv.Itoa(snapshot+1), "format-version", "2", "avro.schema", manifestFileSchema)
	if err != nil {
		return err
	}
	for m := range t.manifests(snapshot) {
		t.encodeManifestFile(&f.record, m, lengths[m])
		if err := f.end(); err != nil {
			return err
		}
	}
	_, err = f.close()
	return err
}

// encodeManifestFile writes one manifest_file, fields in the order of the schema.
func (t *SyntheticTable) encodeManifestFile(r *avroRecord, manifest int, length int64) {
	added := t.snapshotOf(manifest)
	first, end := t.files(manifest)
	var rows int64
	for file := first; file < end; file++ {
		rows += t.Rows(file)
	}
	r.text(t.ManifestPaths[manifest])
	r.long(length)
	r.long(0)                // partition_spec_id
	r.long(0)                // content: data
	r.long(int64(added + 1)) // sequence_number
	r.long(int64(added + 1)) // min_sequence_number
	r.long(snapshotID(added))
	r.long(int64(end - first)) // added_files_count
	r.long(0)
	r.long(0)
	r.long(rows) // added_rows_count
	r.long(0)
	r.long(0)
	r.present() // partitions
	r.long(1)
	r.boolean(false) // contains_null
	r.present()
	r.boolean(false) // contains_nan
	r.present()
	r.binary([]byte{0, 0, 0, 0})
	r.present()
	r.binary([]byte{15, 0, 0, 0})
	r.long(0)
	r.null() // key_metadata
}

func (t *SyntheticTable) tableSchema() string {
	text := `{"type":"struct","schema-id":0,"fields":[`
	for column := range max(t.Columns, 1) {
		kind := "long"
		if column%2 == 1 {
			kind = "string"
		}
		if column > 0 {
			text += ","
		}
		name := "id"
		if column > 0 {
			name = fmt.Sprintf("column_%d", column)
		}
		text += fmt.Sprintf(`{"id":%d,"name":%q,"required":false,"type":%q}`, column+1, name, kind)
	}
	return text + "]}"
}
