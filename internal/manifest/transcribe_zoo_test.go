package manifest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"testing"

	"github.com/apache/iceberg-go"
	"github.com/stretchr/testify/require"
	"github.com/twmb/avro/ocf"
)

// tableParts is what of a table's metadata a layout needs.
type tableParts struct {
	Version       int               `json:"format-version"`
	CurrentSchema int               `json:"current-schema-id"`
	Schemas       []json.RawMessage `json:"schemas"`
	Specs         []json.RawMessage `json:"partition-specs"`
	NextRowID     int64             `json:"next-row-id"`
}

func zooParts(t testing.TB, z *zooData, table zooTable) tableParts {
	t.Helper()
	var parts tableParts
	data := z.object(t, table.Metadata)
	if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		data = inflateGzip(t, data)
	}
	require.NoError(t, json.Unmarshal(data, &parts))
	for i, s := range parts.Schemas {
		var id struct {
			ID int `json:"schema-id"`
		}
		require.NoError(t, json.Unmarshal(s, &id))
		if id.ID == parts.CurrentSchema {
			parts.Schemas[0], parts.Schemas[i] = parts.Schemas[i], parts.Schemas[0]
		}
	}
	return parts
}

func (p tableParts) layout(t testing.TB, spec int32, deletes bool) *Layout {
	t.Helper()
	for _, s := range p.Specs {
		var id struct {
			ID int32 `json:"spec-id"`
		}
		require.NoError(t, json.Unmarshal(s, &id))
		if id.ID == spec {
			l, err := NewLayout(LayoutConfig{FormatVersion: p.Version, Spec: s, Schemas: p.Schemas, Deletes: deletes})
			require.NoError(t, err)
			return l
		}
	}
	t.Fatalf("no spec %d", spec)
	return nil
}

// transcribe writes a manifest anew.
func transcribe(t testing.TB, data []byte, from *ListEntry, to *Layout, c Compression) ([]byte, *Written) {
	t.Helper()
	r, err := NewTranscriber(bytes.NewReader(data), from, to)
	require.NoError(t, err)
	defer r.Close()
	var out bytes.Buffer
	w, err := NewWriter(&out, from.Path+"-new", to, c)
	require.NoError(t, err)
	defer w.Abort()
	var e Transcript
	for {
		ok, err := r.Next(&e)
		require.NoError(t, err)
		if !ok {
			break
		}
		require.NoError(t, w.Add(&e))
	}
	written, err := w.Close()
	require.NoError(t, err)
	require.EqualValues(t, out.Len(), written.Length)
	return out.Bytes(), written
}

func inflateGzip(t testing.TB, data []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(data))
	require.NoError(t, err)
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	return b
}

func TestEveryManifestOfTheZooIsTheSameWhenItIsWrittenAnew(t *testing.T) {
	t.Parallel()
	z := zoo(t)
	manifests, entries := 0, 0
	for _, table := range z.tables {
		parts := zooParts(t, z, table)
		// Most lists repeat what the list before said of its manifests.
		type said struct {
			ListEntry
			encoded string
		}
		seen := map[said]bool{}
		for _, f := range table.Files {
			if f.Kind != "manifest-list" {
				continue
			}
			list := z.object(t, f.Path)
			before, err := iceberg.ReadManifestList(bytes.NewReader(list))
			require.NoError(t, err)
			at := 0
			require.NoError(t, CarryList(bytes.NewReader(list), f.Path, parts.Version, func(m *Kept) error {
				want := before[at]
				at++
				sameSummaries(t, want, m)
				entry := said{m.ListEntry, string(m.encoded)}
				if seen[entry] {
					return nil
				}
				seen[entry] = true
				layout := parts.layout(t, m.SpecID, m.Deletes)
				data := z.object(t, m.Path)
				anew, written := transcribe(t, data, &m.ListEntry, layout, Compression{})
				manifests++
				entries += sameTranscribed(t, want, data, anew, written, parts.Version)
				return nil
			}))
		}
	}
	t.Logf("%d manifests, %d entries", manifests, entries)
}

// rawRecords reads a file with a general Avro decoder.
func rawRecords(t testing.TB, data []byte) []map[string]any {
	t.Helper()
	r, err := ocf.NewReader(bytes.NewReader(data))
	require.NoError(t, err)
	var list []map[string]any
	for {
		var raw map[string]any
		err := r.Decode(&raw)
		if err == io.EOF {
			return list
		}
		require.NoError(t, err)
		list = append(list, raw)
	}
}

// sameTranscribed compares a manifest with what was written of it, as a
// general Avro decoder and as iceberg-go read both.
func sameTranscribed(t *testing.T, m iceberg.ManifestFile, data, anew []byte, w *Written, version int) int {
	t.Helper()
	live := sameRaw(t, m, data, anew)
	want, err := iceberg.ReadManifest(m, bytes.NewReader(data), true)
	require.NoError(t, err)
	require.Len(t, want, live)
	list := listOf(t, w, version)
	require.Equal(t, w.Path, list.FilePath())
	require.Equal(t, w.Length, list.Length())
	require.Equal(t, m.PartitionSpecID(), list.PartitionSpecID())
	require.Equal(t, m.ManifestContent(), list.ManifestContent())
	require.EqualValues(t, live, list.ExistingDataFiles())
	require.Zero(t, list.AddedDataFiles())
	require.Zero(t, list.DeletedDataFiles())
	got, err := iceberg.ReadManifest(list, bytes.NewReader(anew), false)
	require.NoError(t, err)
	require.Len(t, got, live)
	rows, least := int64(0), int64(0)
	for i, e := range got {
		require.Equal(t, iceberg.EntryStatusEXISTING, e.Status())
		require.Equal(t, want[i].SnapshotID(), e.SnapshotID())
		require.Equal(t, want[i].SequenceNum(), e.SequenceNum())
		require.Equal(t, want[i].FileSequenceNum(), e.FileSequenceNum())
		sameDataFile(t, want[i].DataFile(), e.DataFile())
		rows += e.DataFile().Count()
		if i == 0 || e.SequenceNum() < least {
			least = e.SequenceNum()
		}
	}
	require.Equal(t, rows, list.ExistingRows())
	require.Zero(t, list.AddedRows())
	require.Zero(t, list.DeletedRows())
	if live == 0 {
		least = list.SequenceNum()
	}
	if version > 1 {
		require.Equal(t, least, list.MinSequenceNum())
	}
	if m.DeletedDataFiles() == 0 {
		require.Equal(t, m.Partitions(), list.Partitions(), m.FilePath())
	}
	return live
}

// listOf reads what a manifest list says of a manifest.
func listOf(t testing.TB, w *Written, version int) iceberg.ManifestFile {
	t.Helper()
	var out bytes.Buffer
	lw, err := NewListWriter(&out, "list.avro", ListConfig{
		FormatVersion: version, SnapshotID: 4711, ParentSnapshotID: 4710, SequenceNumber: 99, FirstRowID: 1_000_000,
	})
	require.NoError(t, err)
	require.NoError(t, lw.Add(w))
	written, err := lw.Close()
	require.NoError(t, err)
	require.EqualValues(t, out.Len(), written.Length)
	list, err := iceberg.ReadManifestList(bytes.NewReader(out.Bytes()))
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.EqualValues(t, 4711, list[0].SnapshotID())
	return list[0]
}

func sameDataFile(t *testing.T, want, got iceberg.DataFile) {
	t.Helper()
	require.Equal(t, want.ContentType(), got.ContentType())
	require.Equal(t, want.FilePath(), got.FilePath())
	require.Equal(t, want.FileFormat(), got.FileFormat())
	require.Equal(t, want.Partition(), got.Partition())
	require.Equal(t, want.Count(), got.Count())
	require.Equal(t, want.FileSizeBytes(), got.FileSizeBytes())
	require.Equal(t, want.ColumnSizes(), got.ColumnSizes())
	require.Equal(t, want.ValueCounts(), got.ValueCounts())
	require.Equal(t, want.NullValueCounts(), got.NullValueCounts())
	require.Equal(t, want.NaNValueCounts(), got.NaNValueCounts())
	require.Equal(t, want.LowerBoundValues(), got.LowerBoundValues())
	require.Equal(t, want.UpperBoundValues(), got.UpperBoundValues())
	require.Equal(t, want.KeyMetadata(), got.KeyMetadata())
	require.Equal(t, want.SplitOffsets(), got.SplitOffsets())
	require.Equal(t, want.EqualityFieldIDs(), got.EqualityFieldIDs())
	require.Equal(t, want.SortOrderID(), got.SortOrderID())
	require.Equal(t, want.FirstRowID(), got.FirstRowID())
	require.Equal(t, want.ReferencedDataFile(), got.ReferencedDataFile())
	require.Equal(t, want.ContentOffset(), got.ContentOffset())
	require.Equal(t, want.ContentSizeInBytes(), got.ContentSizeInBytes())
}

// sameRaw compares the values of every field, by name, and gives how many
// entries are live.
func sameRaw(t *testing.T, m iceberg.ManifestFile, data, anew []byte) int {
	t.Helper()
	got := rawRecords(t, anew)
	live := 0
	for _, want := range rawRecords(t, data) {
		if want["status"] == int32(2) {
			continue
		}
		require.Less(t, live, len(got))
		g := got[live]
		live++
		require.Equal(t, int32(0), g["status"])
		require.NotNil(t, g["snapshot_id"])
		for _, name := range []string{"snapshot_id", "sequence_number", "file_sequence_number"} {
			if want[name] != nil {
				require.Equal(t, want[name], g[name])
			}
		}
		file, anew := want["data_file"].(map[string]any), g["data_file"].(map[string]any)
		for name, value := range anew {
			if name == "content" && file[name] == nil {
				require.Equal(t, int32(0), value)
				continue
			}
			if name == "first_row_id" && file[name] == nil {
				continue // inherited: iceberg-go tells
			}
			require.Equal(t, widened(file[name], value), value, "%s of %s", name, m.FilePath())
		}
		for name, value := range file {
			if _, ok := anew[name]; !ok && name != "block_size_in_bytes" {
				require.Nil(t, value, name)
			}
		}
	}
	require.Len(t, got, live)
	return live
}

// widened is a list of longs as one of ints where that is what was written:
// PyIceberg's equality ids.
func widened(want, got any) any {
	list, ok := want.([]any)
	ints, okGot := got.([]any)
	if !ok || !okGot || len(list) != len(ints) {
		return want
	}
	same := make([]any, len(list))
	for i, v := range list {
		same[i] = v
		if n, ok := v.(int64); ok {
			if _, ok := ints[i].(int32); ok {
				same[i] = int32(n)
			}
		}
	}
	return same
}

func TestEveryManifestListOfTheZooIsTheSameWhenItsManifestsAreKept(t *testing.T) {
	t.Parallel()
	z := zoo(t)
	lists := 0
	for _, table := range z.tables {
		for _, f := range table.Files {
			if f.Kind != "manifest-list" {
				continue
			}
			lists++
			data := z.object(t, f.Path)
			for version := zooParts(t, z, table).Version; version <= newestVersion; version++ {
				anew := keepAll(t, data, version)
				want, got := rawRecords(t, data), rawRecords(t, anew)
				require.Len(t, got, len(want))
				for i := range want {
					sameKept(t, want[i], got[i])
				}
			}
		}
	}
	t.Logf("%d lists", lists)
}

func keepAll(t testing.TB, data []byte, version int) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewListWriter(&out, "list.avro", ListConfig{FormatVersion: version, SnapshotID: 1, ParentSnapshotID: -1, FirstRowID: 500})
	require.NoError(t, err)
	require.NoError(t, CarryList(bytes.NewReader(data), "old.avro", version, w.Keep))
	_, err = w.Close()
	require.NoError(t, err)
	return out.Bytes()
}

// sameKept compares two entries of lists, where a newer version has more
// fields.
func sameKept(t *testing.T, want, got map[string]any) {
	t.Helper()
	for name, value := range want {
		require.Contains(t, got, name)
		if value != nil || name != "first_row_id" {
			require.EqualValues(t, value, got[name], name)
		}
	}
	for name, value := range got {
		if _, ok := want[name]; ok {
			continue
		}
		switch name {
		case "first_row_id":
			require.Equal(t, value == nil, got["content"] == int32(1))
		case "content", "sequence_number", "min_sequence_number":
			require.Zero(t, value)
		default:
			t.Fatal(name)
		}
	}
}

// sameSummaries compares with iceberg-go.
func sameSummaries(t *testing.T, want iceberg.ManifestFile, m *Kept) {
	t.Helper()
	list, err := m.Partitions()
	require.NoError(t, err)
	require.Len(t, list, len(want.Partitions()))
	for i, w := range want.Partitions() {
		require.Equal(t, w.ContainsNull, list[i].ContainsNull)
		require.Equal(t, w.ContainsNaN != nil && *w.ContainsNaN, list[i].ContainsNaN)
		for j, bound := range []*[]byte{w.LowerBound, w.UpperBound} {
			got := [][]byte{list[i].Lower, list[i].Upper}[j]
			if bound == nil {
				require.Nil(t, got)
			} else {
				require.Equal(t, *bound, got)
			}
		}
	}
}
