package manifest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// extras are fields that no manifest has: a type and a value of it.
var extras = []struct {
	name, typ string
	value     []byte
}{
	{"null", `"null"`, nil},
	{"boolean", `"boolean"`, []byte{1}},
	{"int", `"int"`, long(-70000)},
	{"long", `{"type":"long","logicalType":"timestamp-micros"}`, long(-1 << 62)},
	{"float", `"float"`, make([]byte, 4)},
	{"double", `{"type":"double"}`, make([]byte, 8)},
	{"bytes", `{"type":"bytes","logicalType":"decimal","precision":9}`, text("\xff\x00\xff")},
	{"long_string", `"string"`, text(strings.Repeat("long", 20_000))},
	{"fixed", `{"type":"fixed","name":"f16","size":16}`, make([]byte, 16)},
	{"empty_fixed", `{"type":"fixed","name":"f0","size":0}`, nil},
	{"fixed_by_name", `"f16"`, make([]byte, 16)},
	{"enum", `{"type":"enum","name":"E","symbols":["A","B"]}`, long(1)},
	{"enum_by_name", `["null","E"]`, join(long(1), long(1))},
	{"union", `["int","string",{"type":"array","items":"int"},"null"]`, join(long(2), long(1), long(5), long(0))},
	{"union_null", `["int","string","null"]`, long(2)},
	{"one_branch", `["string"]`, join(long(0), text("x"))},
	{"nulls", `["null","null"]`, long(1)},
	{"list", `{"type":"array","items":"long"}`, join(long(3), long(1), long(1<<40), long(-1), long(2), long(7), long(8), long(0))},
	{"sized_list", `{"type":"array","items":"long"}`, join(long(-2), long(2), long(1), long(2), long(1), long(3), long(0))},
	{"list_of_nulls", `{"type":"array","items":"null"}`, join(long(1<<60), long(0))},
	{"list_of_strings", `{"type":"array","items":"string"}`, join(long(2), text("a"), text(""), long(0))},
	{"sized_list_of_strings", `{"type":"array","items":"string"}`, join(long(-2), long(3), text("a"), text(""), long(0))},
	{"map", `{"type":"map","values":"string"}`, join(long(1), text("k"), text("v"), long(-1), long(4), text("k"), text("v"), long(0))},
	{"map_of_nulls", `{"type":"map","values":"null"}`, join(long(1), text("k"), long(0))},
	{"counts", `["null",{"type":"array","logicalType":"map","items":{"type":"record","name":"k1_v1","fields":[{"name":"key","type":"int"},{"name":"value","type":"long"}]}}]`,
		join(long(1), long(3), long(1), long(1000), long(2), long(1<<50), long(300), long(0), long(0))},
	{"bounds", `{"type":"array","items":{"type":"record","name":"k2_v2","fields":[{"name":"key","type":"int"},{"name":"value","type":"bytes"}]}}`,
		join(long(4), long(1), text("abcdefgh"), long(2000), text(""), long(3), text(strings.Repeat("z", 100)), long(4), text(strings.Repeat("y", 40_000)), long(0))},
	{"bounds_reversed", `{"type":"array","items":{"type":"record","name":"v3_k3","fields":[{"name":"value","type":"bytes"},{"name":"key","type":"int"}]}}`,
		join(long(2), text("abc"), long(1), text(""), long(2), long(0))},
	{"record", `{"type":"record","name":"n.Point","fields":[{"name":"x","type":"double"},{"name":"o","type":["null","Empty0"]},{"name":"file_path","type":"string"}]}`,
		join(make([]byte, 8), long(0), text("not this"))},
	{"record_by_name", `{"type":"array","items":"n.Point"}`, join(long(1), make([]byte, 8), long(1), text("nor this"), long(0))},
	{"recursive", `{"type":"record","name":"Cell","namespace":"deep","fields":[{"name":"v","type":"int"},{"name":"next","type":["null","Cell"]}]}`,
		join(long(1), long(1), long(2), long(1), long(3), long(0))},
	{"nested", `{"type":"map","values":{"type":"array","items":{"type":"map","values":["null","float"]}}}`,
		join(long(1), text("a"), long(2), long(1), text("b"), long(0), long(0), long(0), long(0), long(0))},
}

const emptyRecord = `{"name":"nothing","type":{"type":"record","name":"Empty0","fields":[]}}`

func TestExtraFieldsOfEveryTypeAreSteppedOver(t *testing.T) {
	t.Parallel()
	check := func(t *testing.T, fields string, value []byte) {
		// Before, between and after what is wanted.
		schema := `{"type":"record","name":"manifest_entry","fields":[` + emptyRecord + `,
			{"name":"first","type":{"type":"record","name":"first","fields":[` + fields + `]}},
			{"name":"status","type":"int","field-id":0},
			{"name":"data_file","field-id":2,"type":{"type":"record","name":"r2","fields":[
				{"name":"mid","type":"first"},
				{"name":"file_path","type":"string","field-id":100},
				{"name":"record_count","type":"long","field-id":103},
				{"name":"partition","type":["null","first"],"field-id":102},
				{"name":"file_size_in_bytes","type":"long","field-id":104}]}},
			{"name":"last","type":["string","first"]}]}`
		one := func(path string) []byte {
			return join(value, long(1), value, text(path), long(5), long(1), value, long(6), long(1), value)
		}
		for _, codec := range []string{"null", "deflate"} {
			file := avroFile(t, schema, codec, block{one("a"), one("b")}, block{one("c")})
			for _, fields := range []Fields{0, FieldPartition} {
				list := mustRead(t, file, fields)
				require.Len(t, list, 3)
				slow, err := readAllEntries(iotest.OneByteReader(bytes.NewReader(file)), fields)
				require.NoError(t, err)
				require.Equal(t, list, slow)
				for i, g := range list {
					require.Equal(t, string(rune('a'+i)), g.path)
					require.EqualValues(t, 5, g.RecordCount)
					require.EqualValues(t, 6, g.FileSize)
					if fields == FieldPartition {
						require.Equal(t, string(value), g.partition)
					}
				}
			}
		}
	}
	var all []string
	var values [][]byte
	for _, x := range extras {
		all = append(all, fmt.Sprintf(`{"name":%q,"type":%s}`, x.name, x.typ))
		values = append(values, x.value)
		if !strings.HasSuffix(x.name, "by_name") {
			t.Run(x.name, func(t *testing.T) {
				check(t, all[len(all)-1], x.value)
			})
		}
	}
	t.Run("all", func(t *testing.T) { check(t, strings.Join(all, ","), join(values...)) })
	t.Run("all twice", func(t *testing.T) {
		again := strings.Join(all, ",")
		for _, x := range extras {
			again += fmt.Sprintf(`,{"name":"again_%s","type":%s}`, x.name, `["null","int"]`)
			values = append(values, long(0))
		}
		check(t, again, join(values...))
	})
}

func TestFieldsAreFoundByIDInAnyOrderAndType(t *testing.T) {
	t.Parallel()
	// Everything reversed, integers of the other size, bytes for strings,
	// nullable where a value is required, and names that mislead.
	schema := `{"type":"record","name":"m","fields":[
		{"name":"df","field-id":2,"type":["null",{"type":"record","name":"d","fields":[
			{"name":"len","type":["int","null"],"field-id":145},
			{"name":"off","type":["null","int"],"field-id":144},
			{"name":"ref","type":["bytes","null"],"field-id":143},
			{"name":"row","type":["int","null","long"],"field-id":142},
			{"name":"key_metadata","type":["bytes","null"],"field-id":131},
			{"name":"size","type":["long","null"],"field-id":104},
			{"name":"n","type":"int","field-id":103},
			{"name":"p","type":["null",{"type":"record","name":"r102","fields":[{"name":"k","type":["null","string"]}]}],"field-id":102},
			{"name":"fmt","type":"bytes","field-id":101},
			{"name":"path","type":["null","string","bytes"],"field-id":100},
			{"name":"file_path","type":"string","field-id":999},
			{"name":"c","type":"long","field-id":134}]}]},
		{"name":"fsn","type":["long","null"],"field-id":4},
		{"name":"sn","type":["int","null"],"field-id":3},
		{"name":"sid","type":["long","null"],"field-id":1},
		{"name":"s","type":["null","long"],"field-id":0}]}`
	key := join(long(0), text("k"))
	full := join(long(1), long(0), long(45), long(1), long(44), long(0), text("ref"), long(2), long(42), key,
		long(0), long(104), long(103), long(1), long(1), text("kk"), text("PUFFIN"), long(2), text("s3://p"), text("no"), long(1),
		long(0), long(4), long(0), long(3), long(0), long(1), long(1), long(2))
	bare := join(long(1), long(1), long(0), long(1), long(1), long(1),
		long(0), long(104), long(103), long(0), text(""), long(1), text("s3://q"), text("no"), long(2),
		long(1), long(1), long(1), long(1), long(0))
	list := mustRead(t, avroFile(t, schema, "snappy", block{full, bare}), allFields)
	require.Equal(t, []got{
		{Entry{Status: StatusDeleted, Content: ContentPositionDeletes, RecordCount: 103, FileSize: 104, SnapshotID: 1,
			SequenceNumber: 3, FileSequenceNumber: 4, FirstRowID: 42, ContentOffset: 44, ContentSize: 45, HasKeyMetadata: true},
			"s3://p", "PUFFIN", string(join(long(1), text("kk"))), "ref"},
		{Entry{Status: StatusExisting, Content: ContentEqualityDeletes, RecordCount: 103, FileSize: 104, SnapshotID: -1,
			SequenceNumber: -1, FileSequenceNumber: -1, FirstRowID: -1, ContentOffset: -1, ContentSize: -1},
			"s3://q", "", "", ""},
	}, list)
	// What was not asked for is absent.
	for _, g := range mustRead(t, avroFile(t, schema, "null", block{full}), 0) {
		require.Equal(t, got{Entry: Entry{Status: StatusDeleted, Content: ContentPositionDeletes, RecordCount: 103, FileSize: 104,
			SnapshotID: -1, SequenceNumber: -1, FileSequenceNumber: -1, FirstRowID: -1, ContentOffset: -1, ContentSize: -1,
			HasKeyMetadata: true}, path: "s3://p"}, g)
	}
}

func TestFieldsWithoutIDsAreFoundByName(t *testing.T) {
	t.Parallel()
	schema := strings.NewReplacer(`,"field-id":100`, "", `,"field-id":103`, "", `,"field-id":0`, "", `"field-id":2,`, "").Replace(plainSchema)
	require.NotContains(t, schema, `"field-id":100`)
	list := mustRead(t, avroFile(t, schema, "", block{plainEntry(1, "p", 2, 3)}), 0)
	require.Len(t, list, 1)
	require.Equal(t, "p", list[0].path)
	require.Equal(t, StatusAdded, list[0].Status)
}

func TestListFieldsOfOlderWritersAreRead(t *testing.T) {
	t.Parallel()
	schema := `{"type":"record","name":"manifest_file","fields":[
		{"name":"manifest_path","type":"string"},{"name":"manifest_length","type":"long"},
		{"name":"partition_spec_id","type":"int"},{"name":"added_snapshot_id","type":["null","long"]},
		{"name":"added_data_files_count","type":["null","int"]},
		{"name":"existing_data_files_count","type":["null","int"]},
		{"name":"deleted_data_files_count","type":["null","int"]},
		{"name":"key_metadata","type":["null","bytes"]}]}`
	file := avroFile(t, schema, "deflate", block{
		join(text("a"), long(10), long(2), long(1), long(77), long(1), long(3), long(1), long(4), long(1), long(5), long(1), text("k")),
		join(text("b"), long(11), long(0), long(0), long(0), long(0), long(0), long(1), text("")),
	})
	var list []ListEntry
	require.NoError(t, ReadList(bytes.NewReader(file), "l.avro", func(e *ListEntry) error {
		list = append(list, *e)
		return nil
	}))
	require.Equal(t, []ListEntry{
		{Path: "a", Length: 10, SpecID: 2, AddedSnapshotID: 77, AddedFiles: 3, ExistingFiles: 4, DeletedFiles: 5, AddedRows: -1, ExistingRows: -1, DeletedRows: -1, FirstRowID: -1, HasKeyMetadata: true},
		{Path: "b", Length: 11, AddedSnapshotID: -1, AddedFiles: -1, ExistingFiles: -1, DeletedFiles: -1, AddedRows: -1, ExistingRows: -1, DeletedRows: -1, FirstRowID: -1},
	}, list)
}

func TestSchemasThatAreNotAManifestsAreRefused(t *testing.T) {
	t.Parallel()
	deep := `"int"`
	for range 200 {
		deep = `{"type":"array","items":` + deep + `}`
	}
	with := func(typ string) string {
		return strings.Replace(plainSchema, `"fields":[`, `"fields":[{"name":"x","type":`+typ+`},`, 1)
	}
	for _, c := range []struct{ name, schema, why string }{
		{"none", "", "the file has no Avro schema"},
		{"not JSON", "{", "the Avro schema is not JSON"},
		{"a string", `"string"`, `manifest cannot be of type "string"`},
		{"a number", `7`, `manifest cannot be of type ""`},
		{"a list", `{"type":"record","name":"manifest_file","fields":[{"name":"manifest_path","type":"string","field-id":500}]}`, "not that of a manifest: it has no field status (0)"},
		{"without a path", strings.Replace(plainSchema, `100`, `99`, 1), "no field file_path (100)"},
		{"path of another type", strings.Replace(plainSchema, `"string"`, `"double"`, 1), `file_path cannot be of type "double"`},
		{"two paths", strings.Replace(plainSchema, `"field-id":103`, `"field-id":100`, 1), "twice"},
		{"two files", strings.Replace(plainSchema, `"fields":[`, `"fields":[{"name":"y","type":"int","field-id":2},`, 1), "data_file cannot be"},
		{"unknown type", with(`"nope"`), `unknown type "nope"`},
		{"unknown object", with(`{"type":"nope"}`), `unknown type "nope"`},
		{"no type", with(`{}`), `unknown type ""`},
		{"fixed without a size", with(`{"type":"fixed","name":"f"}`), "fixed of size"},
		{"fixed below zero", with(`{"type":"fixed","name":"f","size":-1}`), "fixed of size"},
		{"no fields", with(`{"type":"record","name":"f"}`), "without fields"},
		{"field not an object", with(`{"type":"record","name":"f","fields":[1]}`), "not an object"},
		{"no name", with(`{"type":"record","fields":[]}`), "without a name"},
		{"empty union", with(`[]`), "empty union"},
		{"union in a union", with(`["int",["int","null"]]`), "union in a union"},
		{"too deep", with(deep), "nested too deeply"},
		{"too long", `"` + strings.Repeat("x", maxSchema) + `"`, "larger than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := readAllEntries(bytes.NewReader(avroFile(t, c.schema, "null")), 0)
			requireCorrupt(t, err, c.why)
		})
	}
}

func TestAProgramIsNotMuchLargerThanItsSchema(t *testing.T) {
	t.Parallel()
	// Each record holds the one before it twice: read, that is 2^40 of them.
	fields := `{"name":"r0","type":{"type":"record","name":"R0","fields":[{"name":"v","type":"int"}]}}`
	for i := 1; i < 40; i++ {
		fields += fmt.Sprintf(`,{"name":"r%d","type":["null",{"type":"record","name":"R%d","fields":[{"name":"a","type":"R%d"},{"name":"b","type":"R%d"}]}]}`, i, i, i-1, i-1)
	}
	schema := strings.Replace(plainSchema, `"fields":[`, `"fields":[`+fields+`,`, 1)
	p, err := compile(schema, "manifest", entryFields, 0)
	require.NoError(t, err)
	require.Less(t, len(p), 500)
	nulls := bytes.Repeat(long(0), 40)
	require.Len(t, mustRead(t, avroFile(t, schema, "null", block{concat(nulls, plainEntry(1, "p", 2, 3))}), 0), 1)
}
