package manifest

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
)

// A small Avro writer that can write what no library would.

func long(v int64) []byte { return binary.AppendVarint(nil, v) }

func text(s string) []byte { return append(long(int64(len(s))), s...) }

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func concat(parts ...[]byte) []byte { return join(parts...) }

// block is one block of a file: its entries as encoded.
type block [][]byte

var marker = [syncSize]byte([]byte("0123456789abcdef"))

// avroFile writes a container with its blocks packed by codec.
func avroFile(t testing.TB, schema, codec string, blocks ...block) []byte {
	t.Helper()
	out := avroHeader(schema, codec)
	for _, b := range blocks {
		data := pack(t, codec, join(b...))
		out = append(out, rawBlock(int64(len(b)), data)...)
	}
	return out
}

func avroHeader(schema, codec string) []byte {
	meta := [][2]string{
		{"avro.schema", schema}, {"content", "deletes"}, {"partition-spec-id", "3"}, {"format-version", "2"},
	}
	if codec != "" {
		meta = append(meta, [2]string{"avro.codec", codec})
	}
	out := append([]byte("Obj\x01"), long(int64(len(meta)))...)
	for _, kv := range meta {
		out = append(append(out, text(kv[0])...), text(kv[1])...)
	}
	return append(append(out, 0), marker[:]...)
}

func rawBlock(count int64, data []byte) []byte {
	return join(long(count), long(int64(len(data))), data, marker[:])
}

func pack(t testing.TB, codec string, b []byte) []byte {
	t.Helper()
	switch codec {
	case "", "null":
		return b
	case "deflate":
		var out bytes.Buffer
		w, err := flate.NewWriter(&out, -1)
		require.NoError(t, err)
		_, err = w.Write(b)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		return out.Bytes()
	case "snappy":
		return binary.BigEndian.AppendUint32(snappy.Encode(nil, b), crc32.ChecksumIEEE(b))
	case "zstandard", "zstd":
		w, err := zstd.NewWriter(nil)
		require.NoError(t, err)
		return w.EncodeAll(b, nil)
	}
	t.Fatal(codec)
	return nil
}

// plainSchema is the least that a manifest has.
const plainSchema = `{"type":"record","name":"manifest_entry","fields":[
	{"name":"status","type":"int","field-id":0},
	{"name":"data_file","field-id":2,"type":{"type":"record","name":"r2","fields":[
		{"name":"file_path","type":"string","field-id":100},
		{"name":"record_count","type":"long","field-id":103},
		{"name":"file_size_in_bytes","type":"long","field-id":104}]}}]}`

func plainEntry(status int64, path string, records, size int64) []byte {
	return join(long(status), text(path), long(records), long(size))
}

// got is an Entry that may be kept.
type got struct {
	Entry
	path, format, partition, referenced string
}

func keep(e *Entry) got {
	g := got{*e, string(e.Path), string(e.Format), string(e.Partition), string(e.ReferencedDataFile)}
	g.Path, g.Format, g.Partition, g.ReferencedDataFile = nil, nil, nil, nil
	return g
}

// readAllEntries reads a manifest to its end.
func readAllEntries(r io.Reader, fields Fields) ([]got, error) {
	m, err := NewReader(r, "m.avro", fields)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	var list []got
	var e Entry
	for {
		ok, err := m.Next(&e)
		if !ok {
			return list, err
		}
		list = append(list, keep(&e))
	}
}

func mustRead(t testing.TB, data []byte, fields Fields) []got {
	t.Helper()
	list, err := readAllEntries(bytes.NewReader(data), fields)
	require.NoError(t, err)
	return list
}

// requireCorrupt checks that the error condemns the file, names it, and
// tells why.
func requireCorrupt(t testing.TB, err error, why string) *CorruptError {
	t.Helper()
	var c *CorruptError
	require.ErrorAs(t, err, &c)
	require.Equal(t, "m.avro", c.Name)
	require.GreaterOrEqual(t, c.Offset, int64(0))
	require.Contains(t, err.Error(), why)
	require.True(t, strings.HasPrefix(err.Error(), "m.avro is corrupt at byte "), err.Error())
	return c
}
