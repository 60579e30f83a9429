package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"testing"

	"github.com/apache/iceberg-go"
	"github.com/stretchr/testify/require"
)

// benchLayout is the layout of the manifests of writeManifest.
func benchLayout(b testing.TB) *Layout {
	b.Helper()
	schema := []byte(`{"type":"struct","schema-id":0,"fields":[{"id":1,"name":"c1","required":false,"type":"long"}]}`)
	spec := []byte(`{"spec-id":0,"fields":[{"source-id":1,"field-id":1000,"name":"c1_bucket","transform":"bucket[64]"}]}`)
	l, err := NewLayout(LayoutConfig{FormatVersion: 2, Spec: spec, Schemas: []json.RawMessage{schema}})
	require.NoError(b, err)
	return l
}

// BenchmarkManifestRewrite reads a manifest and writes its entries into
// another: the inner loop of a rewrite.
func BenchmarkManifestRewrite(b *testing.B) {
	for _, shape := range []string{"wide", "narrow"} {
		_, data := benchManifest(b, shape == "wide")
		from := &ListEntry{Path: benchPath, AddedSnapshotID: 7, SequenceNumber: 3, FirstRowID: -1}
		b.Run(shape, func(b *testing.B) {
			for level := 0; level <= 9; level++ {
				c := Compression{Level: level}
				if level == 0 {
					c.Codec = "uncompressed"
				}
				b.Run(fmt.Sprintf("deckhand-%d", level), func(b *testing.B) { benchRewrite(b, data, from, c) })
			}
			b.Run("iceberg-go", func(b *testing.B) { benchIcebergGoRewrite(b, data) })
		})
	}
}

func benchRewrite(b *testing.B, data []byte, from *ListEntry, c Compression) {
	layout := benchLayout(b)
	b.ReportAllocs()
	var size int64
	for b.Loop() {
		r, err := NewTranscriber(bytes.NewReader(data), from, layout)
		require.NoError(b, err)
		w, err := NewWriter(io.Discard, "new.avro", layout, c)
		require.NoError(b, err)
		var e Transcript
		for {
			ok, err := r.Next(&e)
			if err == nil && ok {
				err = w.Add(&e)
			}
			if err != nil {
				b.Fatal(err)
			}
			if !ok {
				break
			}
		}
		written, err := w.Close()
		require.NoError(b, err)
		require.EqualValues(b, benchEntries, written.ExistingFiles)
		size = written.Length
		_ = r.Close()
	}
	b.ReportMetric(float64(benchEntries)*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
	b.ReportMetric(float64(size)/benchEntries, "file-B/entry")
}

// benchIcebergGoRewrite is what its RewriteManifests does for each manifest.
func benchIcebergGoRewrite(b *testing.B, data []byte) {
	file := iceberg.NewManifestFile(2, benchPath, int64(len(data)), 0, 7).SequenceNum(3, 3).AddedFiles(benchEntries).Build()
	schema := iceberg.NewSchema(0, iceberg.NestedField{ID: 1, Name: "c1", Type: iceberg.PrimitiveTypes.Int64})
	spec := iceberg.NewPartitionSpec(iceberg.PartitionField{SourceIDs: []int{1}, FieldID: 1000, Name: "c1_bucket", Transform: iceberg.BucketTransform{NumBuckets: 64}})
	b.ReportAllocs()
	var size int
	for b.Loop() {
		var out bytes.Buffer
		w, err := iceberg.NewManifestWriter(2, &out, spec, schema, 7)
		require.NoError(b, err)
		for entry, err := range file.Entries(benchFS{data}, true) {
			if err == nil {
				err = w.Existing(entry)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
		require.NoError(b, w.Close())
		size = out.Len()
	}
	b.ReportMetric(float64(benchEntries)*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
	b.ReportMetric(float64(size)/benchEntries, "file-B/entry")
}
