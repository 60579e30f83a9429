package manifest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io/fs"
	"sync"
	"testing"

	"github.com/apache/iceberg-go"
	iceio "github.com/apache/iceberg-go/io"
)

const benchEntries = 20_000

// benchManifest is a manifest of benchEntries data files as iceberg-go
// writes it: wide has 20 columns with all their statistics, narrow none.
func benchManifest(b testing.TB, wide bool) (iceberg.ManifestFile, []byte) {
	b.Helper()
	if wide {
		return wideManifest(b)
	}
	return narrowManifest(b)
}

var (
	wideManifest   = onceManifest(true)
	narrowManifest = onceManifest(false)
)

func onceManifest(wide bool) func(testing.TB) (iceberg.ManifestFile, []byte) {
	var once sync.Once
	var file iceberg.ManifestFile
	var data []byte
	return func(b testing.TB) (iceberg.ManifestFile, []byte) {
		once.Do(func() { file, data = writeManifest(b, benchEntries, wide) })
		return file, data
	}
}

const benchColumns = 20

func writeManifest(b testing.TB, entries int, wide bool) (iceberg.ManifestFile, []byte) {
	b.Helper()
	must := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	fields := make([]iceberg.NestedField, benchColumns)
	for i := range fields {
		fields[i] = iceberg.NestedField{ID: i + 1, Name: fmt.Sprintf("c%d", i+1), Type: iceberg.PrimitiveTypes.Int64}
	}
	schema := iceberg.NewSchema(0, fields...)
	spec := iceberg.NewPartitionSpec(iceberg.PartitionField{SourceIDs: []int{1}, FieldID: 1000, Name: "c1_bucket", Transform: iceberg.BucketTransform{NumBuckets: 64}})
	var out bytes.Buffer
	w, err := iceberg.NewManifestWriter(2, &out, spec, schema, 7)
	must(err)
	snapshot := int64(7)
	for i := range entries {
		h := uint64(i+1) * 0x9E3779B97F4A7C15
		bucket := i * 7 % 64
		path := fmt.Sprintf("s3://warehouse/db/events/data/c1_bucket=%d/%05d-%d-4f1f9d35-a825-4d5e-8d53-502b434f7e41-00001.parquet", bucket, i%200, i)
		df, err := iceberg.NewDataFileBuilder(spec, iceberg.EntryContentData, path, iceberg.ParquetFile,
			map[int]any{1000: int32(bucket)}, nil, nil, int64(5_000+h>>53), int64(1<<20+h>>44))
		must(err)
		if wide {
			addStats(df, i)
		}
		df.SplitOffsets([]int64{4})
		must(w.Add(iceberg.NewManifestEntryBuilder(iceberg.EntryStatusADDED, &snapshot, df.Build()).Build()))
	}
	must(w.Close())
	file, err := w.ToManifestFile(benchPath, int64(out.Len()))
	must(err)
	return file, out.Bytes()
}

const benchPath = "s3://warehouse/db/events/metadata/bench-m0.avro"

// addStats adds sizes, counts, nulls and bounds that vary from file to file.
func addStats(df *iceberg.DataFileBuilder, i int) {
	sizes, counts, nulls := map[int]int64{}, map[int]int64{}, map[int]int64{}
	lower, upper := map[int][]byte{}, map[int][]byte{}
	for c := 1; c <= benchColumns; c++ {
		h := uint64(i*benchColumns+c) * 0x9E3779B97F4A7C15
		sizes[c] = int64(2000 + h>>52)
		counts[c] = int64(1000 + i%37)
		nulls[c] = int64(h >> 60)
		lower[c] = binary.LittleEndian.AppendUint64(nil, h>>44)
		upper[c] = binary.LittleEndian.AppendUint64(nil, h>>44+h>>48)
	}
	df.ColumnSizes(sizes).ValueCounts(counts).NullValueCounts(nulls).LowerBoundValues(lower).UpperBoundValues(upper)
}

// benchFS is one file in memory, as iceberg-go wants it.
type benchFS struct{ data []byte }

func (f benchFS) Open(name string) (iceio.File, error) {
	return benchFile{Reader: bytes.NewReader(f.data)}, nil
}
func (benchFS) Remove(string) error { return nil }

type benchFile struct{ *bytes.Reader }

func (benchFile) Close() error               { return nil }
func (benchFile) Stat() (fs.FileInfo, error) { return nil, fs.ErrInvalid }

func BenchmarkManifestRead(b *testing.B) {
	for _, shape := range []string{"wide", "narrow"} {
		file, data := benchManifest(b, shape == "wide")
		b.Run(shape, func(b *testing.B) {
			b.Run("deckhand", func(b *testing.B) { benchDeckhand(b, data) })
			b.Run("iceberg-go", func(b *testing.B) { benchIcebergGo(b, file, data) })
		})
	}
}

func benchDeckhand(b *testing.B, data []byte) {
	b.ReportAllocs()
	var e Entry
	for b.Loop() {
		r, err := NewReader(bytes.NewReader(data), benchPath, 0)
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		for {
			ok, err := r.Next(&e)
			if err != nil {
				b.Fatal(err)
			}
			if !ok {
				break
			}
			n++
		}
		if n != benchEntries {
			b.Fatal(n)
		}
		_ = r.Close()
	}
	b.ReportMetric(float64(benchEntries)*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}

func benchIcebergGo(b *testing.B, file iceberg.ManifestFile, data []byte) {
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for entry, err := range file.Entries(benchFS{data}, true) {
			if err != nil {
				b.Fatal(err)
			}
			if entry.DataFile().FilePath() == "" {
				b.Fatal("no path")
			}
			n++
		}
		if n != benchEntries {
			b.Fatal(n)
		}
	}
	b.ReportMetric(float64(benchEntries)*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}
