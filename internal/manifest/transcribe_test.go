package manifest

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

const columnsJSON = `{"type":"struct","schema-id":2,"fields":[
	{"id":1,"name":"a.b","required":false,"type":"long"},
	{"id":2,"name":"d","required":false,"type":"double"},
	{"id":3,"name":"m","required":false,"type":"decimal(12,2)"},
	{"id":4,"name":"s","required":false,"type":"string"},
	{"id":5,"name":"u","required":false,"type":"uuid"},
	{"id":6,"name":"t","required":false,"type":"timestamptz"}]}`

func rawList(text string) []json.RawMessage { return []json.RawMessage{json.RawMessage(text)} }

func layoutOf(t testing.TB, version int, deletes bool, fields string) *Layout {
	t.Helper()
	l, err := NewLayout(LayoutConfig{
		FormatVersion: version, Deletes: deletes, Schemas: rawList(columnsJSON),
		Spec: json.RawMessage(`{"spec-id":3,"fields":` + fields + `}`),
	})
	require.NoError(t, err)
	return l
}

// foreign writes the schema of a manifest of another writer: the fields of an
// entry before data_file, and those of data_file.
func foreign(entry, file string) string {
	return `{"type":"record","name":"e","fields":[{"name":"status","type":"int","field-id":0},` + entry +
		`{"name":"data_file","field-id":2,"type":{"type":"record","name":"f","fields":[` + file + `]}}]}`
}

const (
	plainFile = `{"name":"p","type":"string","field-id":100},{"name":"g","type":"string","field-id":101},
		{"name":"r","type":"long","field-id":103},{"name":"z","type":"long","field-id":104}`
	emptyPartition = `{"name":"q","type":{"type":"record","name":"r102","fields":[]},"field-id":102}`
	numbers        = `{"name":"i","type":["null","long"],"field-id":1},{"name":"n","type":["null","long"],"field-id":3},{"name":"m","type":["null","long"],"field-id":4},`
)

func plainValues() []byte { return join(text("s3://w/a"), text("PARQUET"), long(10), long(1000)) }

// listed is a manifest in the list: spec 3, snapshot 77, sequence 5.
func listed() *ListEntry {
	return &ListEntry{Path: "m.avro", SpecID: 3, AddedSnapshotID: 77, SequenceNumber: 5, FirstRowID: -1}
}

// foreignFile is a file without a header other than Avro's.
func foreignFile(t testing.TB, schema, codec string, entries ...[]byte) []byte {
	t.Helper()
	out := append([]byte("Obj\x01"), long(2)...)
	for _, s := range []string{"avro.schema", schema, "avro.codec", codec} {
		out = append(out, text(s)...)
	}
	out = append(append(out, 0), marker[:]...)
	return append(out, rawBlock(int64(len(entries)), pack(t, codec, join(entries...)))...)
}

// transcripts reads a manifest to its end. Slices are copied.
func transcripts(r io.Reader, from *ListEntry, to *Layout) ([]Transcript, error) {
	m, err := NewTranscriber(r, from, to)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	var list []Transcript
	for {
		var e Transcript
		ok, err := m.Next(&e)
		if !ok {
			return list, err
		}
		e.Bytes, e.Path, e.Partition = bytes.Clone(e.Bytes), bytes.Clone(e.Path), bytes.Clone(e.Partition)
		e.Format, e.ReferencedDataFile = bytes.Clone(e.Format), bytes.Clone(e.ReferencedDataFile)
		list = append(list, e)
	}
}

// anew writes a manifest anew and reads it with a general decoder.
func anew(t testing.TB, data []byte, from *ListEntry, to *Layout) []map[string]any {
	t.Helper()
	file, _ := transcribe(t, data, from, to, Compression{Codec: "snappy"})
	return rawRecords(t, file)
}

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

func TestWhatAnEntryHasNotItselfItInherits(t *testing.T) {
	t.Parallel()
	schema := foreign(numbers, plainFile+","+emptyPartition+`,{"name":"row","type":["null","long"],"field-id":142}`)
	entry := func(status int64, numbers ...any) []byte {
		b := long(status)
		for i, n := range append(numbers, "records") {
			if i == 3 {
				b = append(b, plainValues()...)
			}
			if v, ok := n.(int); ok {
				b = append(append(b, long(1)...), long(int64(v))...)
			} else if n == nil {
				b = append(b, 0)
			}
		}
		return b
	}
	type four struct{ snapshot, sequence, file, row int64 }
	got := func(version int, from ListEntry, entries ...[]byte) []four {
		t.Helper()
		from.Path, from.SpecID = "m.avro", 3
		list, err := transcripts(bytes.NewReader(foreignFile(t, schema, "null", entries...)), &from, layoutOf(t, version, false, `[]`))
		require.NoError(t, err)
		var out []four
		for _, e := range list {
			out = append(out, four{e.SnapshotID, e.SequenceNumber, e.FileSequenceNumber, e.FirstRowID})
		}
		return out
	}
	from := ListEntry{AddedSnapshotID: 77, SequenceNumber: 5, FirstRowID: 1000}
	require.Equal(t, []four{{77, 5, 5, 1000}, {9, 4, 3, 500}, {77, 5, 5, 1010}, {77, 2, -1, 1020}}, got(3, from,
		entry(1, nil, nil, nil, nil),
		entry(0, 9, 4, 3, 500),       // its own
		entry(2, 9, 4, 3, nil),       // deleted: takes no row ids
		entry(1, nil, nil, nil, nil), // after ten rows, not thirty
		entry(0, nil, 2, nil, nil),   // an existing file inherits no sequence number
	))
	from.FirstRowID = -1
	require.Equal(t, []four{{77, 5, 5, -1}, {77, 5, 5, 500}}, got(3, from, entry(1, nil, nil, nil, nil), entry(1, nil, nil, nil, 500)))
	require.Equal(t, []four{{77, 0, 0, -1}, {77, 0, 0, -1}}, got(2, ListEntry{AddedSnapshotID: 77, FirstRowID: -1},
		entry(1, nil, nil, nil, nil), entry(0, nil, nil, nil, nil)))

	for _, c := range []struct {
		from  ListEntry
		entry []byte
		field string
	}{
		{ListEntry{AddedSnapshotID: -1}, entry(1, nil, nil, nil, nil), "snapshot_id (1)"},
		{ListEntry{SequenceNumber: 5}, entry(0, 1, nil, nil, nil), "sequence_number (3)"},
		{ListEntry{}, entry(0, 1, 1, 1, 7), "data_file.row (142)"}, // row ids in v2
	} {
		c.from.Path, c.from.SpecID = "m.avro", 3
		_, err := transcripts(bytes.NewReader(foreignFile(t, schema, "null", c.entry)), &c.from, layoutOf(t, 2, false, `[]`))
		requireNotCarried(t, err, c.field)
	}
}

func requireNotCarried(t testing.TB, err error, field string) {
	t.Helper()
	var no *NotCarriedError
	require.ErrorAs(t, err, &no)
	require.Equal(t, field, no.Field)
	require.Equal(t, "m.avro", no.Name)
	require.True(t, strings.HasPrefix(err.Error(), "m.avro cannot be written anew without loss: "+field+" "), err.Error())
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

func TestABrokenManifestIsCorruptAndNotUncarried(t *testing.T) {
	t.Parallel()
	schema := foreign(numbers, plainFile+","+emptyPartition)
	entry := join(long(1), long(0), long(0), long(0), plainValues())
	layout := layoutOf(t, 2, false, `[]`)
	for _, codec := range codecs {
		file := foreignFile(t, schema, codec, entry, entry)
		head := len(foreignFile(t, schema, codec)) - len(rawBlock(0, pack(t, codec, nil)))
		for n := range len(file) {
			_, err := transcripts(bytes.NewReader(file[:n]), listed(), layout)
			if n == head {
				require.NoError(t, err)
				continue
			}
			requireCorrupt(t, err, "cut short")
		}
		failing := errors.New("connection reset")
		_, err := transcripts(io.MultiReader(bytes.NewReader(file[:len(file)-3]), iotest.ErrReader(failing)), listed(), layout)
		require.ErrorIs(t, err, failing)
		var c *CorruptError
		require.False(t, errors.As(err, &c))
	}
	deletes := foreign(numbers, plainFile+","+emptyPartition+`,{"name":"c","type":"int","field-id":134}`)
	_, err := transcripts(bytes.NewReader(foreignFile(t, deletes, "null", join(entry, long(1)))), listed(), layout)
	requireCorrupt(t, err, "content 1 is not one of this manifest")
	negative := join(long(1), long(0), long(0), long(0), text("p"), text("f"), long(-1), long(1))
	_, err = transcripts(bytes.NewReader(foreignFile(t, schema, "null", negative)), listed(), layout)
	requireCorrupt(t, err, "record_count is -1")
	_, err = transcripts(bytes.NewReader(foreignFile(t, `{"type":"record","name":"m","fields":[]}`, "null")), listed(), layout)
	requireCorrupt(t, err, "is not that of a manifest")
}

func TestEntriesThatCrossTheWindowAreCarriedWhole(t *testing.T) {
	t.Parallel()
	schema := foreign(numbers, plainFile+","+emptyPartition+`,{"name":"x","type":["null","bytes"],"field-id":131}`)
	var entries [][]byte
	for i := range 40 {
		key := strings.Repeat(string(rune('a'+i%26)), 1+i*i*97%70_000)
		entries = append(entries, join(long(1), long(0), long(0), long(0), plainValues(), long(1), text(key)))
	}
	layout := layoutOf(t, 2, false, `[]`)
	for _, codec := range codecs {
		file := foreignFile(t, schema, codec, entries...)
		fast, err := transcripts(bytes.NewReader(file), listed(), layout)
		require.NoError(t, err)
		slow, err := transcripts(iotest.OneByteReader(bytes.NewReader(file)), listed(), layout)
		require.NoError(t, err)
		require.Len(t, fast, len(entries))
		require.Equal(t, fast, slow)
		out := anew(t, file, listed(), layout)
		for i, e := range out {
			key := e["data_file"].(map[string]any)["key_metadata"].([]byte)
			require.Equal(t, strings.Repeat(string(rune('a'+i%26)), 1+i*i*97%70_000), string(key))
		}
	}
}

func TestALayoutThatCannotBeWrittenIsAnError(t *testing.T) {
	t.Parallel()
	schemas := rawList(columnsJSON)
	for why, c := range map[string]LayoutConfig{
		"format version 4 is not known":            {FormatVersion: 4},
		"format version 0 is not known":            {},
		"format version 1 has no delete manifests": {FormatVersion: 1, Deletes: true},
		"read partition spec":                      {FormatVersion: 2, Spec: json.RawMessage(`7`)},
		`have the name "a_x2Eb" in Avro`: {FormatVersion: 2, Spec: json.RawMessage(`{"spec-id":3,"fields":[
			{"source-id":1,"name":"a.b","transform":"identity"},{"source-id":1,"name":"a_x2Eb","transform":"bucket[4]"}]}`)},
	} {
		c.Schemas = schemas
		_, err := NewLayout(c)
		require.ErrorContains(t, err, why)
	}
}

func TestNamesAreMadeFitForAvroAsJavaDoes(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"plain_1": "plain_1", "a.b": "a_x2Eb", "9x": "_9x", "a b": "a_x20b", "é": "_xE9", "-": "_x2D",
		"a\U0001F600": "a_xD83D_xDE00", "_": "_", "x#": "x_x23",
	} {
		require.Equal(t, want, avroName(name))
	}
}

func TestAPartitionTypeIsDefinedOnceInTheSchema(t *testing.T) {
	t.Parallel()
	l := layoutOf(t, 3, false, `[{"source-id":5,"field-id":1000,"name":"u","transform":"identity"},
		{"source-id":5,"field-id":1001,"name":"v","transform":"void"},{"source-id":6,"field-id":1002,"name":"w","transform":"identity"}]`)
	require.Equal(t, 1, strings.Count(l.schema, `"name":"uuid_fixed"`))
	require.Contains(t, l.schema, `["null","uuid_fixed"]`)
	require.Contains(t, l.schema, `{"type":"long","logicalType":"timestamp-micros","adjust-to-utc":true}`)
}

func TestAnEntryOfAnotherLayoutIsRefused(t *testing.T) {
	t.Parallel()
	w, err := NewWriter(io.Discard, "n.avro", layoutOf(t, 2, false, `[]`), Compression{})
	require.NoError(t, err)
	defer w.Abort()
	require.ErrorIs(t, w.Add(&Transcript{Layout: layoutOf(t, 2, false, `[]`)}), errOtherLayout)
}

// bigEntries are entries that do not fit into one block.
func bigEntries(n int) [][]byte {
	var list [][]byte
	for i := range n {
		noise := make([]byte, 3000)
		for j := range 3000 / 8 {
			binary.LittleEndian.PutUint64(noise[8*j:], uint64(i*3000+j+1)*0x9E3779B97F4A7C15)
		}
		list = append(list, join(long(1), long(0), long(0), long(0), plainValues(), long(1), text(string(noise))))
	}
	return list
}

func TestEveryCodecIsWrittenInBlocks(t *testing.T) {
	t.Parallel()
	schema := foreign(numbers, plainFile+","+emptyPartition+`,{"name":"x","type":["null","bytes"],"field-id":131}`)
	data := foreignFile(t, schema, "null", bigEntries(100)...)
	layout := layoutOf(t, 2, false, `[]`)
	want, err := transcripts(bytes.NewReader(data), listed(), layout)
	require.NoError(t, err)
	for _, c := range []Compression{{}, {Level: 9}, {Codec: "zstd"}, {Codec: "ZSTD", Level: 1}, {Codec: "snappy"}, {Codec: "uncompressed"}} {
		file, written := transcribe(t, data, listed(), layout, c)
		again, err := transcripts(bytes.NewReader(file), listed(), layout)
		require.NoError(t, err)
		for i := range again {
			require.Equal(t, want[i].Bytes, again[i].Bytes)
		}
		require.EqualValues(t, 100, written.ExistingFiles)
		require.EqualValues(t, 1000, written.ExistingRows)
		require.EqualValues(t, 5, written.MinSequenceNumber)
		require.Len(t, rawRecords(t, file), 100)
	}
	for _, c := range []Compression{{Codec: "lz4"}, {Level: 10}, {Level: -1}, {Codec: "zstd", Level: 5}} {
		_, err := NewWriter(io.Discard, "n.avro", layout, c)
		require.ErrorContains(t, err, "is not")
	}
}

// failingWriter takes so many bytes.
type failingWriter struct{ left int }

var errDisk = errors.New("the disk is full")

func (w *failingWriter) Write(p []byte) (int, error) {
	n := min(len(p), w.left)
	w.left -= n
	if n < len(p) {
		return n, errDisk
	}
	return n, nil
}

func TestAnErrorOfTheUnderlyingWriterIsFinal(t *testing.T) {
	t.Parallel()
	schema := foreign(numbers, plainFile+","+emptyPartition+`,{"name":"x","type":["null","bytes"],"field-id":131}`)
	layout := layoutOf(t, 2, false, `[]`)
	list, err := transcripts(bytes.NewReader(foreignFile(t, schema, "null", bigEntries(50)...)), listed(), layout)
	require.NoError(t, err)
	whole := 0
	for room := 0; ; room += 20_000 {
		out := &failingWriter{left: room}
		w, err := NewWriter(out, "n.avro", layout, Compression{Codec: "uncompressed"})
		if err == nil {
			for i := range list {
				if err = w.Add(&list[i]); err != nil {
					require.ErrorIs(t, w.Add(&list[i]), errDisk)
					break
				}
			}
			var closeErr error
			_, closeErr = w.Close()
			if err != nil {
				require.ErrorIs(t, closeErr, errDisk)
			}
			err = closeErr
			_, again := w.Close()
			require.Error(t, again)
		}
		if err == nil {
			break
		}
		require.ErrorIs(t, err, errDisk)
		require.ErrorContains(t, err, "write n.avro: ")
		whole++
	}
	require.Greater(t, whole, 5)
}

func TestTheSizeOfAManifestIsKnownWhileItGrows(t *testing.T) {
	t.Parallel()
	schema := foreign(numbers, plainFile+","+emptyPartition+`,{"name":"x","type":["null","bytes"],"field-id":131}`)
	layout := layoutOf(t, 2, false, `[]`)
	list, err := transcripts(bytes.NewReader(foreignFile(t, schema, "null", bigEntries(200)...)), listed(), layout)
	require.NoError(t, err)
	var out bytes.Buffer
	w, err := NewWriter(&out, "n.avro", layout, Compression{})
	require.NoError(t, err)
	last := w.Size()
	for i := range list {
		require.NoError(t, w.Add(&list[i]))
		require.Greater(t, w.Size(), last-5000)
		last = w.Size()
		require.EqualValues(t, i+1, w.Files())
	}
	written, err := w.Close()
	require.NoError(t, err)
	require.InDelta(t, written.Length, last, 5000)
}

func TestTheBoundsOfAColumnAreFoundInAnEntry(t *testing.T) {
	t.Parallel()
	bounds := `{"type":"array","items":{"type":"record","name":"b%d","fields":[{"name":"key","type":"int","field-id":%d},{"name":"value","type":"bytes","field-id":%d}]}}`
	low, high := fmt.Sprintf(bounds, 1, 126, 127), fmt.Sprintf(bounds, 2, 129, 130)
	schema := foreign(numbers, plainFile+","+emptyPartition+`,{"name":"l","type":["null",`+low+`],"field-id":125},{"name":"h","type":["null",`+high+`],"field-id":128}`)
	entry := join(long(1), long(0), long(0), long(0), plainValues())
	upper := join(long(7), text("y"), long(ColumnFilePath), text("s3://b"))
	file := foreignFile(t, schema, "null",
		join(entry, long(1), long(2), long(1), text("x"), long(ColumnFilePath), text("s3://a"), long(0),
			long(1), long(-2), long(int64(len(upper))), upper, long(0)),
		join(entry, long(0), long(0)))
	list, err := transcripts(bytes.NewReader(file), listed(), layoutOf(t, 2, false, `[]`))
	require.NoError(t, err)
	lower, upper := list[0].Bounds(ColumnFilePath)
	require.Equal(t, "s3://a", string(lower))
	require.Equal(t, "s3://b", string(upper))
	lower, upper = list[0].Bounds(7)
	require.Nil(t, lower)
	require.Equal(t, "y", string(upper))
	lower, upper = list[1].Bounds(ColumnFilePath)
	require.Nil(t, lower)
	require.Nil(t, upper)
}
