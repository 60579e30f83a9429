package manifest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/apache/iceberg-go"
	"github.com/stretchr/testify/require"
	"github.com/twmb/avro"
	"github.com/twmb/avro/ocf"
)

// The zoo: tables that Spark and PyIceberg wrote, one archive of objects and
// a description of what each table's metadata reaches.
const (
	zooArchive = "../tabletest/testdata/zoo.tar.gz"
	zooIndex   = "../tabletest/testdata/zoo.json.gz"
)

type zooTable struct {
	Name     string `json:"name"`
	Version  int    `json:"format_version"`
	Metadata string `json:"metadata_location"`
	Files    []struct {
		Path string `json:"path"`
		Kind string `json:"kind"`
	} `json:"files"`
}

type zooData struct {
	tables  []zooTable
	objects map[string][]byte
}

func (z *zooData) object(t testing.TB, location string) []byte {
	t.Helper()
	_, key, ok := strings.Cut(location, "://")
	require.True(t, ok, location)
	b, ok := z.objects[key]
	require.True(t, ok, "the zoo has no %s", location)
	return b
}

var loadZoo = sync.OnceValues(func() (*zooData, error) {
	z := &zooData{objects: map[string][]byte{}}
	index, err := gunzip(zooIndex)
	if err != nil {
		return nil, err
	}
	var list struct {
		Tables []zooTable `json:"tables"`
	}
	if err := json.Unmarshal(index, &list); err != nil {
		return nil, err
	}
	z.tables = list.Tables
	packed, err := gunzip(zooArchive)
	if err != nil {
		return nil, err
	}
	for r := tar.NewReader(bytes.NewReader(packed)); ; {
		h, err := r.Next()
		if err == io.EOF {
			return z, nil
		}
		if err != nil {
			return nil, err
		}
		if z.objects[h.Name], err = io.ReadAll(r); err != nil {
			return nil, err
		}
	}
})

func gunzip(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func zoo(t testing.TB) *zooData {
	t.Helper()
	z, err := loadZoo()
	require.NoError(t, err)
	return z
}

const allFields = FieldPartition | FieldSequence | FieldReferenced | FieldRowID | FieldFormat

func TestEveryManifestOfTheZooIsReadAsIcebergGoReadsIt(t *testing.T) {
	t.Parallel()
	z := zoo(t)
	lists, manifests, entries := 0, 0, 0
	for _, table := range z.tables {
		seen := map[string]bool{}
		for _, f := range table.Files {
			if f.Kind != "manifest-list" {
				continue
			}
			lists++
			data := z.object(t, f.Path)
			want, err := iceberg.ReadManifestList(bytes.NewReader(data))
			require.NoError(t, err)
			var got []ListEntry
			require.NoError(t, ReadList(bytes.NewReader(data), f.Path, func(e *ListEntry) error {
				got = append(got, *e)
				return nil
			}))
			require.Len(t, got, len(want), f.Path)
			for i, m := range want {
				sameListEntry(t, table.Version, m, &got[i])
				if path := m.FilePath(); !seen[path] {
					seen[path] = true
					manifests++
					data := z.object(t, path)
					entries += sameEntries(t, m, data)
					sameAsRawAvro(t, path, data)
				}
			}
		}
	}
	require.Positive(t, entries)
	t.Logf("%d manifest lists, %d manifests, %d entries", lists, manifests, entries)
}

func sameListEntry(t *testing.T, version int, want iceberg.ManifestFile, got *ListEntry) {
	t.Helper()
	require.Equal(t, want.FilePath(), got.Path)
	require.Equal(t, want.Length(), got.Length)
	require.Equal(t, want.PartitionSpecID(), got.SpecID)
	require.Equal(t, want.ManifestContent() == iceberg.ManifestContentDeletes, got.Deletes)
	require.Equal(t, want.SnapshotID(), got.AddedSnapshotID)
	require.EqualValues(t, want.AddedDataFiles(), got.AddedFiles)
	require.EqualValues(t, want.ExistingDataFiles(), got.ExistingFiles)
	require.EqualValues(t, want.DeletedDataFiles(), got.DeletedFiles)
	require.Equal(t, len(want.KeyMetadata()) > 0, got.HasKeyMetadata)
	row := int64(-1)
	if p := want.FirstRowID(); p != nil {
		row = *p
	}
	require.Equal(t, row, got.FirstRowID)
	if version > 1 {
		require.Equal(t, want.SequenceNum(), got.SequenceNumber)
		require.Equal(t, want.MinSequenceNum(), got.MinSequenceNumber)
	}
}

// sameEntries compares with iceberg-go, which adds what an entry inherits.
func sameEntries(t *testing.T, m iceberg.ManifestFile, data []byte) int {
	t.Helper()
	want, err := iceberg.ReadManifest(m, bytes.NewReader(data), false)
	require.NoError(t, err)
	r, err := NewReader(bytes.NewReader(data), m.FilePath(), allFields)
	require.NoError(t, err)
	defer r.Close()
	require.Equal(t, m.PartitionSpecID(), r.SpecID())
	require.Equal(t, m.ManifestContent() == iceberg.ManifestContentDeletes, r.Deletes())
	var e Entry
	for _, w := range want {
		ok, err := r.Next(&e)
		require.NoError(t, err)
		require.True(t, ok)
		df := w.DataFile()
		require.EqualValues(t, w.Status(), e.Status)
		require.EqualValues(t, df.ContentType(), e.Content)
		require.Equal(t, df.FilePath(), string(e.Path))
		require.True(t, strings.EqualFold(string(df.FileFormat()), string(e.Format)), "%s", e.Format)
		require.Equal(t, df.Count(), e.RecordCount)
		require.Equal(t, df.FileSizeBytes(), e.FileSize)
		require.Equal(t, len(df.KeyMetadata()) > 0, e.HasKeyMetadata)
		if e.SnapshotID != -1 {
			require.Equal(t, w.SnapshotID(), e.SnapshotID)
		}
		if e.SequenceNumber != -1 {
			require.Equal(t, w.SequenceNum(), e.SequenceNumber)
		}
		if e.FirstRowID != -1 {
			require.Equal(t, *df.FirstRowID(), e.FirstRowID)
		}
		sameOptional(t, w.FileSequenceNum(), e.FileSequenceNumber, e.FileSequenceNumber == -1)
		sameOptional(t, df.ContentOffset(), e.ContentOffset, false)
		sameOptional(t, df.ContentSizeInBytes(), e.ContentSize, false)
		if p := df.ReferencedDataFile(); p != nil {
			require.Equal(t, *p, string(e.ReferencedDataFile))
		} else {
			require.Empty(t, e.ReferencedDataFile)
		}
	}
	ok, err := r.Next(&e)
	require.NoError(t, err)
	require.False(t, ok)
	return len(want)
}

func sameOptional(t *testing.T, want *int64, got int64, inherited bool) {
	t.Helper()
	switch {
	case inherited:
	case want == nil:
		require.EqualValues(t, -1, got)
	default:
		require.Equal(t, *want, got)
	}
}

// sameAsRawAvro compares with a general Avro decoder: what is null, and the
// bytes of the partition.
func sameAsRawAvro(t *testing.T, path string, data []byte) {
	t.Helper()
	ref, err := ocf.NewReader(bytes.NewReader(data))
	require.NoError(t, err)
	defer ref.Close()
	r, err := NewReader(bytes.NewReader(data), path, allFields)
	require.NoError(t, err)
	defer r.Close()
	for k, v := range ref.Metadata() {
		require.Equal(t, string(v), r.Metadata(k))
	}
	partition := partitionSchema(t, r.Metadata("avro.schema"))
	var e Entry
	for {
		var raw map[string]any
		err := ref.Decode(&raw)
		ok, nextErr := r.Next(&e)
		require.NoError(t, nextErr)
		if err == io.EOF {
			require.False(t, ok)
			return
		}
		require.NoError(t, err)
		require.True(t, ok)
		file := raw["data_file"].(map[string]any)
		rawLong(t, raw["status"], int64(e.Status))
		rawLong(t, raw["snapshot_id"], e.SnapshotID)
		rawLong(t, raw["sequence_number"], e.SequenceNumber)
		rawLong(t, raw["file_sequence_number"], e.FileSequenceNumber)
		rawLong(t, file["first_row_id"], e.FirstRowID)
		rawLong(t, file["content_offset"], e.ContentOffset)
		rawLong(t, file["content_size_in_bytes"], e.ContentSize)
		var got any
		rest, err := partition.Decode(e.Partition, &got)
		require.NoError(t, err)
		require.Empty(t, rest)
		require.Equal(t, file["partition"], got)
	}
}

func rawLong(t *testing.T, want any, got int64) {
	t.Helper()
	switch v := want.(type) {
	case nil:
		require.EqualValues(t, -1, got)
	case int32:
		require.EqualValues(t, v, got)
	case int64:
		require.Equal(t, v, got)
	default:
		t.Fatalf("%T", want)
	}
}

func partitionSchema(t *testing.T, schema string) *avro.Schema {
	t.Helper()
	var root map[string]any
	require.NoError(t, json.Unmarshal([]byte(schema), &root))
	type list = []any
	for _, f := range root["fields"].(list) {
		if f := f.(map[string]any); f["name"] == "data_file" {
			for _, p := range f["type"].(map[string]any)["fields"].(list) {
				if p := p.(map[string]any); p["name"] == "partition" {
					b, err := json.Marshal(p["type"])
					require.NoError(t, err)
					s, err := avro.Parse(string(b), avro.WithLaxNames(func(string) error { return nil }))
					require.NoError(t, err)
					return s
				}
			}
		}
	}
	t.Fatal("no partition")
	return nil
}

func TestEveryTableOfTheZooNamesExactlyItsFiles(t *testing.T) {
	t.Parallel()
	z := zoo(t)
	for _, table := range z.tables {
		want, got := map[string]string{}, map[string]string{}
		for _, f := range table.Files {
			switch f.Kind {
			case "manifest", "data", "position-deletes", "equality-deletes", "dv":
				want[f.Path] = f.Kind
			}
		}
		for _, f := range table.Files {
			if f.Kind == "manifest-list" {
				collect(t, z, f.Path, got)
			}
		}
		require.Equal(t, want, got, table.Name)
	}
}

// collect adds the files that a manifest list names, by kind.
func collect(t *testing.T, z *zooData, list string, to map[string]string) {
	t.Helper()
	err := ReadList(bytes.NewReader(z.object(t, list)), list, func(l *ListEntry) error {
		to[l.Path] = "manifest"
		r, err := NewReader(bytes.NewReader(z.object(t, l.Path)), l.Path, FieldFormat)
		if err != nil {
			return err
		}
		defer r.Close()
		var e Entry
		for {
			ok, err := r.Next(&e)
			if !ok {
				return err
			}
			if e.Status == StatusDeleted {
				continue
			}
			kind := "data"
			switch {
			case strings.EqualFold(string(e.Format), "puffin"):
				kind = "dv"
			case e.Content == ContentPositionDeletes:
				kind = "position-deletes"
			case e.Content == ContentEqualityDeletes:
				kind = "equality-deletes"
			}
			to[string(e.Path)] = kind
		}
	})
	require.NoError(t, err)
}
