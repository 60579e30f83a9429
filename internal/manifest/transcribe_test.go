package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
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
