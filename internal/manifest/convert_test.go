package manifest

import (
	"bytes"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFieldsOfOtherWritersComeIntoTheLayout(t *testing.T) {
	t.Parallel()
	// Another order, null last, names of its own, ints for longs, a map's
	// entries with value before key, longs for ints, in blocks with a size.
	schema := foreign(
		`{"name":"m","type":["long","null"],"field-id":4},{"name":"n","type":"int","field-id":3},{"name":"i","type":["long","null"],"field-id":1},`,
		`{"name":"ids","type":[{"type":"array","items":"long"},"null"],"field-id":135},
		{"name":"low","type":["null",{"type":"array","items":{"type":"record","name":"k","fields":[
			{"name":"v","type":"bytes","field-id":127},{"name":"k","type":"int","field-id":126}]}}],"field-id":125},
		{"name":"up","type":{"type":"array","items":{"type":"record","name":"k2","fields":[
			{"name":"key","type":"int"},{"name":"value","type":"bytes"}]}},"field-id":128},
		{"name":"z","type":"int","field-id":104},{"name":"r","type":["null","int"],"field-id":103},
		{"name":"p","type":["string","null"],"field-id":100},{"name":"file_format","type":"string"},`+emptyPartition+`,
		{"name":"ref","type":["null","string"],"field-id":143},{"name":"c","type":["null","int"],"field-id":134},
		{"name":"block","type":"long","field-id":105},{"name":"distinct_counts","type":{"type":"map","values":"long"}, "field-id":111},
		{"name":"sort","type":"null","field-id":140}`)
	entry := join(long(1), long(1), long(4), long(0), long(600),
		long(0), long(-2), long(2), long(7), long(9), long(0),
		long(1), long(1), text("low"), long(3), long(0),
		long(2), long(3), text("up"), long(4), text("er"), long(0),
		long(1000), long(1), long(10), long(0), text("s3://w/a"), text("PARQUET"),
		long(0), long(1), long(2), long(99), long(1), text("k"), long(5), long(0))
	from := listed()
	from.Deletes = true
	got := anew(t, foreignFile(t, schema, "deflate", entry), from, layoutOf(t, 2, true, `[]`))
	require.Equal(t, []map[string]any{{
		"status": int32(0), "snapshot_id": int64(600), "sequence_number": int64(4), "file_sequence_number": int64(5),
		"data_file": map[string]any{
			"content": int32(2), "file_path": "s3://w/a", "file_format": "PARQUET", "partition": map[string]any{},
			"record_count": int64(10), "file_size_in_bytes": int64(1000),
			"column_sizes": nil, "value_counts": nil, "null_value_counts": nil, "nan_value_counts": nil,
			"lower_bounds": []any{map[string]any{"key": int32(3), "value": []byte("low")}},
			"upper_bounds": []any{map[string]any{"key": int32(3), "value": []byte("up")}, map[string]any{"key": int32(4), "value": []byte("er")}},
			"key_metadata": nil, "split_offsets": nil, "equality_ids": []any{int32(7), int32(9)}, "sort_order_id": nil,
			"referenced_data_file": nil,
		},
	}}, got)
}

func TestPartitionValuesArePromotedToTheTypesOfTheSpec(t *testing.T) {
	t.Parallel()
	spec := `[{"source-id":1,"field-id":1000,"name":"a.b","transform":"identity"},
		{"source-id":2,"field-id":1001,"name":"1é","transform":"identity"},
		{"source-id":3,"field-id":1002,"name":"m","transform":"identity"},
		{"source-id":4,"field-id":1003,"name":"s","transform":"void"},
		{"source-id":3,"field-id":1004,"name":"m2","transform":"truncate[10]"}]`
	schema := foreign(numbers, plainFile+`,{"name":"q","field-id":102,"type":{"type":"record","name":"r102","fields":[
		{"name":"m","type":["null",{"type":"fixed","name":"d","size":3,"logicalType":"decimal","precision":5,"scale":2}],"field-id":1002},
		{"name":"m2","type":["null",{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}],"field-id":1004},
		{"name":"x","type":["null","float"],"field-id":1001},
		{"name":"y","type":["null","int"],"field-id":1000}]}}`)
	entry := func(p ...[]byte) []byte {
		return join(long(0), long(1), long(9), long(1), long(2), long(1), long(2), plainValues(), join(p...))
	}
	file := foreignFile(t, schema, "null",
		entry(long(1), []byte{0xff, 0xfe, 0x0c}, long(1), text("\x00\x00\x00\x00\x00\x00\x01\x2c"), long(1), []byte{0, 0, 0xc0, 0x3f}, long(1), long(-7)),
		entry(long(0), long(0), long(0), long(0)))
	got := anew(t, file, listed(), layoutOf(t, 2, false, spec))
	require.Len(t, got, 2)
	values := got[0]["data_file"].(map[string]any)["partition"].(map[string]any)
	require.Equal(t, int64(-7), values["a_x2Eb"])
	require.Equal(t, 1.5, values["_1_xE9"])
	require.Nil(t, values["s"])
	require.Contains(t, fmt.Sprint(values["m"]), "-5")
	require.Contains(t, fmt.Sprint(values["m2"]), "3")
	for _, v := range got[1]["data_file"].(map[string]any)["partition"].(map[string]any) {
		require.Nil(t, v)
	}
}

func TestWhatHasNoPlaceIsNotCarried(t *testing.T) {
	t.Parallel()
	null, seven := long(0), join(long(1), long(7))
	before := join(long(1), long(0), long(0), long(0))
	for _, c := range []struct {
		name, entry, file string
		extra, value      []byte // in the entry, in the data file
		field             string // "" when it is carried
	}{
		{"an unknown field", "", `{"name":"x","type":["null","long"],"field-id":999}`, nil, seven, "data_file.x (999)"},
		{"an unknown field that is null", "", `{"name":"x","type":["null","long"],"field-id":999}`, nil, null, ""},
		{"a field without an id", "", `{"name":"x","type":"long"}`, nil, long(7), "data_file.x"},
		{"an unknown field of the entry", `{"name":"x","type":["long","null"],"field-id":9},`, "", join(long(0), long(7)), nil, "x (9)"},
		{"that is null", `{"name":"x","type":["long","null"],"field-id":9},`, "", long(1), nil, ""},
		{"a file ordinal", "", `{"name":"x","type":"int","field-id":106}`, nil, long(7), ""},
		{"an integer that is too long", "", `{"name":"x","type":["null","long"],"field-id":140}`, nil, join(long(1), long(math.MaxInt32+1)), "data_file.sort_order_id (140)"},
		{"another type", "", `{"name":"x","type":["null","string"],"field-id":140}`, nil, join(long(1), text("7")), "data_file.sort_order_id (140)"},
		{"another type that is null", "", `{"name":"x","type":["null","string"],"field-id":140}`, nil, null, ""},
		{"a type with another meaning", "", `{"name":"x","type":["null",{"type":"array","items":{"type":"record","name":"kv","fields":[
			{"name":"key","type":"int","field-id":117},{"name":"value","type":"long","field-id":999}]}}],"field-id":108}`, nil,
			join(long(1), long(1), long(5), long(6), long(0)), "data_file.column_sizes (108).value (118)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := plainFile + "," + emptyPartition
			if c.file != "" {
				file += "," + c.file
			}
			schema := foreign(numbers+c.entry, file)
			data := foreignFile(t, schema, "null", join(before, c.extra, plainValues(), c.value))
			_, err := transcripts(bytes.NewReader(data), listed(), layoutOf(t, 2, false, `[]`))
			if c.field == "" {
				require.NoError(t, err)
				return
			}
			requireNotCarried(t, err, c.field)
		})
	}
}

func TestAManifestOfAnotherKindIsNotCarried(t *testing.T) {
	t.Parallel()
	file := foreignFile(t, foreign(numbers, plainFile+","+emptyPartition), "null", join(long(1), long(0), long(0), long(0), plainValues()))
	try := func(data []byte, l *Layout, change func(*ListEntry)) error {
		from := listed()
		change(from)
		_, err := transcripts(bytes.NewReader(data), from, l)
		return err
	}
	layout := layoutOf(t, 2, false, `[]`)
	require.NoError(t, try(file, layout, func(*ListEntry) {}))
	requireNotCarried(t, try(file, layout, func(e *ListEntry) { e.SpecID = 4 }), "partition_spec_id (502)")
	requireNotCarried(t, try(file, layout, func(e *ListEntry) { e.Deletes = true }), "content")
	lacking := foreignFile(t, foreign(numbers, emptyPartition+`,{"name":"p","type":"string","field-id":100},
		{"name":"r","type":"long","field-id":103},{"name":"z","type":"long","field-id":104}`), "null")
	requireNotCarried(t, try(lacking, layout, func(*ListEntry) {}), "data_file.file_format (101)")
	// The header says spec 3, deletes.
	own := avroFile(t, foreign(numbers, plainFile+","+emptyPartition), "null")
	requireNotCarried(t, try(own, layout, func(*ListEntry) {}), "content")
	four := bytes.Replace(own, append(text("partition-spec-id"), text("3")...), append(text("partition-spec-id"), text("4")...), 1)
	requireNotCarried(t, try(four, layout, func(*ListEntry) {}), "partition-spec-id")
}

func TestADecimalThatDoesNotFitIsNotCarried(t *testing.T) {
	t.Parallel()
	spec := `[{"source-id":3,"field-id":1000,"name":"m","transform":"identity"}]` // six bytes, scale 2
	carry := func(typ string, value []byte) error {
		schema := foreign(numbers, plainFile+`,{"name":"q","field-id":102,"type":{"type":"record","name":"r102","fields":[
			{"name":"m","type":["null",`+typ+`],"field-id":1000}]}}`)
		file := foreignFile(t, schema, "null", join(long(1), long(0), long(0), long(0), plainValues(), long(1), value))
		_, err := transcripts(bytes.NewReader(file), listed(), layoutOf(t, 2, false, spec))
		return err
	}
	const field = "data_file.partition (102).m (1000)"
	text8 := func(b ...byte) []byte { return text(string(b)) }
	wide := `{"type":"bytes","logicalType":"decimal","precision":18,"scale":2}`
	require.NoError(t, carry(wide, text8(0, 0, 0x7f, 1, 1, 1, 1, 1)))
	require.NoError(t, carry(wide, text8(0xff, 0xff, 0x80, 1, 1, 1, 1, 1)))
	requireNotCarried(t, carry(wide, text8(0, 0, 0x80, 1, 1, 1, 1, 1)), field)
	requireNotCarried(t, carry(wide, text8(0xff, 0xff, 0x7f, 1, 1, 1, 1, 1)), field)
	requireNotCarried(t, carry(wide, text8(1, 0, 0, 1, 1, 1, 1, 1)), field)
	requireCorrupt(t, carry(wide, text8()), "not of the type")
	requireNotCarried(t, carry(`{"type":"fixed","name":"d","size":6,"logicalType":"decimal","precision":12,"scale":3}`, make([]byte, 6)), field)
	require.NoError(t, carry(`{"type":"fixed","name":"d","size":6}`, make([]byte, 6)))
	requireNotCarried(t, carry(`{"type":"long","logicalType":"timestamp-millis"}`, long(1)), field)
}

func TestATimestampOfAnotherUnitIsNotCarried(t *testing.T) {
	t.Parallel()
	carry := func(typ string) error {
		schema := foreign(numbers, plainFile+`,{"name":"q","field-id":102,"type":{"type":"record","name":"r102","fields":[
			{"name":"t","type":["null",`+typ+`],"field-id":1000}]}}`)
		file := foreignFile(t, schema, "null", join(long(1), long(0), long(0), long(0), plainValues(), long(1), long(7)))
		_, err := transcripts(bytes.NewReader(file), listed(), layoutOf(t, 2, false, `[{"source-id":6,"field-id":1000,"name":"t","transform":"identity"}]`))
		return err
	}
	require.NoError(t, carry(`"long"`))
	require.NoError(t, carry(`{"type":"long","logicalType":"local-timestamp-micros"}`))
	requireNotCarried(t, carry(`{"type":"long","logicalType":"timestamp-millis"}`), "data_file.partition (102).t (1000)")
	requireNotCarried(t, carry(`{"type":"int","logicalType":"date"}`), "data_file.partition (102).t (1000)")
}
