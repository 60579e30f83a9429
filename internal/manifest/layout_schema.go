package manifest

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"

	"deckhand/internal/manifest/partition"
)

// column is a field of an Avro schema that is written.
type column struct {
	id       int
	name     string
	typ      string // in JSON
	optional bool
	original string // the name in Iceberg, where Avro allows it not
}

// recordSchema is the schema of a record.
func recordSchema(name string, columns []column) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"type":"record","name":%q,"fields":[`, name)
	for i, c := range columns {
		if i > 0 {
			b.WriteByte(',')
		}
		typ, rest := c.typ, ""
		if c.optional && typ != avroNullType {
			typ, rest = `["null",`+typ+`]`, `,"default":null`
		}
		if c.original != "" {
			original, _ := json.Marshal(c.original)
			rest += `,"iceberg-field-name":` + string(original)
		}
		fmt.Fprintf(&b, `{"name":%q,"type":%s%s,"field-id":%d}`, c.name, typ, rest, c.id)
	}
	b.WriteString(`]}`)
	return b.String()
}

const (
	avroNullType = `"null"`
	avroIntType  = `"int"`
	avroLongType = `"long"`
	avroTextType = `"string"`
	avroByteType = `"bytes"`
	avroBoolType = `"boolean"`
)

// mapType is a map of which the keys are integers.
func mapType(key, value int, valueType string) string {
	items := recordSchema(fmt.Sprintf("k%d_v%d", key, value), []column{
		{id: key, name: "key", typ: avroIntType}, {id: value, name: "value", typ: valueType},
	})
	return `{"type":"array","items":` + items + `,"logicalType":"map"}`
}

func listType(element int, typ string) string {
	return fmt.Sprintf(`{"type":"array","items":%s,"element-id":%d}`, typ, element)
}

// The ids and names are those of the Iceberg table specification; the order
// and what is optional are those of Iceberg's Java library (V1Metadata,
// V2Metadata, V3Metadata).
func fileColumns(version int, partitionType string) []column {
	content := column{id: 134, name: "content", typ: avroIntType}
	columns := []column{
		{id: 100, name: "file_path", typ: avroTextType},
		{id: 101, name: "file_format", typ: avroTextType},
		{id: 102, name: "partition", typ: partitionType},
		{id: 103, name: "record_count", typ: avroLongType},
		{id: 104, name: "file_size_in_bytes", typ: avroLongType},
	}
	stats := []column{
		{id: 108, name: "column_sizes", typ: mapType(117, 118, avroLongType), optional: true},
		{id: 109, name: "value_counts", typ: mapType(119, 120, avroLongType), optional: true},
		{id: 110, name: "null_value_counts", typ: mapType(121, 122, avroLongType), optional: true},
		{id: 137, name: "nan_value_counts", typ: mapType(138, 139, avroLongType), optional: true},
		{id: 125, name: "lower_bounds", typ: mapType(126, 127, avroByteType), optional: true},
		{id: 128, name: "upper_bounds", typ: mapType(129, 130, avroByteType), optional: true},
		{id: 131, name: "key_metadata", typ: avroByteType, optional: true},
		{id: 132, name: "split_offsets", typ: listType(133, avroLongType), optional: true},
	}
	equality := column{id: 135, name: "equality_ids", typ: listType(136, avroIntType), optional: true}
	sortOrder := column{id: 140, name: "sort_order_id", typ: avroIntType, optional: true}
	referenced := column{id: 143, name: "referenced_data_file", typ: avroTextType, optional: true}
	switch version {
	case 1:
		columns = append(columns, column{id: 105, name: "block_size_in_bytes", typ: avroLongType})
		return append(append(columns, stats...), sortOrder)
	case 2:
		columns = append([]column{content}, columns...)
		return append(append(columns, stats...), equality, sortOrder, referenced)
	default:
		columns = append([]column{content}, columns...)
		return append(append(columns, stats...), equality, sortOrder,
			column{id: firstRowID, name: "first_row_id", typ: avroLongType, optional: true}, referenced,
			column{id: 144, name: "content_offset", typ: avroLongType, optional: true},
			column{id: 145, name: "content_size_in_bytes", typ: avroLongType, optional: true})
	}
}

const (
	dataFile     = 2 // ids of fields
	partitionID  = 102
	firstRowID   = 142
	listRowID520 = 520
)

// entrySchema is the schema of the entries of a manifest.
func entrySchema(version int, fields []partition.Field) string {
	columns := []column{
		{id: 0, name: "status", typ: avroIntType},
		{id: 1, name: "snapshot_id", typ: avroLongType, optional: true},
	}
	if version > 1 {
		columns = append(columns,
			column{id: 3, name: "sequence_number", typ: avroLongType, optional: true},
			column{id: 4, name: "file_sequence_number", typ: avroLongType, optional: true})
	}
	file := recordSchema("r2", fileColumns(version, partitionRecord(fields)))
	return recordSchema("manifest_entry", append(columns, column{id: dataFile, name: "data_file", typ: file}))
}

// listSchema is the schema of the entries of a manifest list.
func listSchema(version int) string {
	summary := recordSchema("r508", []column{
		{id: 509, name: "contains_null", typ: avroBoolType},
		{id: 518, name: "contains_nan", typ: avroBoolType, optional: true},
		{id: 510, name: "lower_bound", typ: avroByteType, optional: true},
		{id: 511, name: "upper_bound", typ: avroByteType, optional: true},
	})
	columns := []column{
		{id: 500, name: "manifest_path", typ: avroTextType},
		{id: 501, name: "manifest_length", typ: avroLongType},
		{id: 502, name: "partition_spec_id", typ: avroIntType},
	}
	added := column{id: 503, name: "added_snapshot_id", typ: avroLongType}
	files := []column{
		{id: 504, name: "added_files_count", typ: avroIntType, optional: version == 1},
		{id: 505, name: "existing_files_count", typ: avroIntType, optional: version == 1},
		{id: 506, name: "deleted_files_count", typ: avroIntType, optional: version == 1},
	}
	partitions := column{id: 507, name: "partitions", typ: listType(508, summary), optional: true}
	rows := []column{
		{id: 512, name: "added_rows_count", typ: avroLongType, optional: version == 1},
		{id: 513, name: "existing_rows_count", typ: avroLongType, optional: version == 1},
		{id: 514, name: "deleted_rows_count", typ: avroLongType, optional: version == 1},
	}
	key := column{id: 519, name: "key_metadata", typ: avroByteType, optional: true}
	if version == 1 {
		columns = append(append(append(columns, added), files...), partitions)
		return recordSchema("manifest_file", append(append(columns, rows...), key))
	}
	columns = append(columns,
		column{id: 517, name: "content", typ: avroIntType},
		column{id: 515, name: "sequence_number", typ: avroLongType},
		column{id: 516, name: "min_sequence_number", typ: avroLongType}, added)
	columns = append(append(append(columns, files...), rows...), partitions, key)
	if version > 2 {
		columns = append(columns, column{id: listRowID520, name: "first_row_id", typ: avroLongType, optional: true})
	}
	return recordSchema("manifest_file", columns)
}

// partitionRecord is the record of the fields of a partition.
func partitionRecord(fields []partition.Field) string {
	columns := make([]column, len(fields))
	defined := map[string]bool{}
	for i, f := range fields {
		columns[i] = column{id: f.ID, name: avroName(f.Name), typ: valueSchema(f.Type, defined), optional: true}
		if columns[i].name != f.Name {
			columns[i].original = f.Name
		}
	}
	return recordSchema("r102", columns)
}

// valueSchema is the type of a partition's value. A named type is defined
// once and then only named.
func valueSchema(t partition.Type, defined map[string]bool) string {
	fixed := func(name string, size int, rest string) string {
		if defined[name] {
			return strconv.Quote(name)
		}
		defined[name] = true
		return fmt.Sprintf(`{"type":"fixed","name":%q,"size":%d%s}`, name, size, rest)
	}
	long := func(logical, rest string) string {
		return fmt.Sprintf(`{"type":"long","logicalType":%q%s}`, logical, rest)
	}
	const utc, local = `,"adjust-to-utc":true`, `,"adjust-to-utc":false`
	switch t.Kind {
	case partition.Boolean:
		return avroBoolType
	case partition.Int:
		return avroIntType
	case partition.Long:
		return avroLongType
	case partition.Float:
		return `"float"`
	case partition.Double:
		return `"double"`
	case partition.Date:
		return `{"type":"int","logicalType":"date"}`
	case partition.Time:
		return long("time-micros", "")
	case partition.Timestamp:
		return long("timestamp-micros", local)
	case partition.TimestampTZ:
		return long("timestamp-micros", utc)
	case partition.TimestampNano:
		return long("timestamp-nanos", local)
	case partition.TimestampTZNano:
		return long("timestamp-nanos", utc)
	case partition.String:
		return avroTextType
	case partition.Binary:
		return avroByteType
	case partition.UUID:
		return fixed("uuid_fixed", t.Length, `,"logicalType":"uuid"`)
	case partition.Fixed:
		return fixed("fixed_"+strconv.Itoa(t.Length), t.Length, "")
	case partition.Decimal:
		return fixed(fmt.Sprintf("decimal_%d_%d", t.Precision, t.Scale), t.Length,
			fmt.Sprintf(`,"logicalType":"decimal","precision":%d,"scale":%d`, t.Precision, t.Scale))
	}
	return avroNullType
}

// avroName is a name made fit for Avro as by Iceberg's Java library
// (AvroSchemaUtil.sanitize): what is neither a letter nor a digit nor an
// underscore becomes _x and its UTF-16 code units in hexadecimal. So do
// letters other than those of ASCII, which Java lets be and the Avro
// specification does not. Readers go by the field ids.
func avroName(name string) string {
	var b strings.Builder
	for i, r := range name {
		switch {
		case r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || i > 0 && '0' <= r && r <= '9':
			b.WriteRune(r)
		case '0' <= r && r <= '9':
			b.WriteByte('_')
			b.WriteRune(r)
		default:
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, "_x%X", unit)
			}
		}
	}
	return b.String()
}
