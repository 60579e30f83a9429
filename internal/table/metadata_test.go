package table

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/storage"
	"deckhand/internal/tabletest"
)

// shelf opens objects from memory; broken breaks the connection at the end.
type shelf struct {
	objects map[string][]byte
	broken  error
	// sizeless does not tell sizes, as a chunked answer does not.
	sizeless bool
}

func (s shelf) Open(_ context.Context, l storage.Location) (io.ReadCloser, storage.Info, error) {
	data, found := s.objects[l.String()]
	if !found {
		return nil, storage.Info{}, storage.ErrNotFound
	}
	var body io.Reader = bytes.NewReader(data)
	if s.broken != nil {
		body = io.MultiReader(body, iotest.ErrReader(s.broken))
	}
	size := int64(len(data))
	if s.sizeless {
		size = -1
	}
	return io.NopCloser(body), storage.Info{Size: size}, nil
}

var rootLocation = storage.Location{Scheme: "s3", Bucket: "w", Key: "t/metadata/0.metadata.json"}

func load(t *testing.T, text string) (*Metadata, error) {
	t.Helper()
	return Load(t.Context(), shelf{objects: map[string][]byte{rootLocation.String(): []byte(text)}}, rootLocation)
}

const head = `{"format-version":2,"location":"s3://w/t","last-column-id":1,`

func TestMetadataOfAnyWriterIsReadField(t *testing.T) {
	t.Parallel()
	m, err := load(t, head+`"table-uuid":"u","extra":{"deep":[1,{"a":null}]},"properties":null,"snapshots":null,"refs":{},
		"metadata-log":[{"timestamp-ms":1,"metadata-file":"s3://w/t/metadata/a.metadata.json"}],
		"statistics":[{"snapshot-id":1,"statistics-path":"s3://w/t/s.puffin","file-size-in-bytes":7,"blob-metadata":[]}]}`)
	require.NoError(t, err)
	require.Equal(t, "u", m.UUID)
	require.Empty(t, m.Snapshots)
	require.Equal(t, []string{"s3://w/t/metadata/a.metadata.json"}, m.MetadataLog)
	require.Equal(t, time.UnixMilli(1).UTC(), m.LogBegan)
	require.Equal(t, []StatisticsFile{{SnapshotID: 1, Path: "s3://w/t/s.puffin", Size: 7}}, m.Statistics)
	require.True(t, m.GCEnabled())

	v1, err := load(t, `{"format-version":1,"location":"/w/t","last-column-id":1,"snapshots":[{"snapshot-id":9007199254740993,"manifests":["a","b"]}]}`)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, v1.Snapshots[0].Manifests)
}

func TestLocationsAreThoseOfTheTableAndItsPaths(t *testing.T) {
	t.Parallel()
	m := Metadata{Location: "s3://w/t", Properties: map[string]string{
		"write.data.path": "s3://d/t", "write.metadata.path": "s3://w/t",
	}}
	require.Equal(t, []string{"s3://w/t", "s3://d/t"}, m.Locations())
}

func TestEveryValueButTrueMeansThatTheTableDoesNotOwnItsFiles(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{"true": true, "TRUE": true, "false": false, "": false, "1": false, "yes": false} {
		require.Equal(t, want, (&Metadata{Properties: map[string]string{"gc.enabled": value}}).GCEnabled(), value)
	}
}

func TestDamagedMetadataIsToldFromAStoreThatFails(t *testing.T) {
	t.Parallel()
	whole := head + `"snapshots":[{"snapshot-id":1,"manifest-list":"s3://w/l.avro"}]}`
	for name, text := range map[string]string{
		"empty": "", "truncated": whole[:len(whole)-10], "an array": "[]", "a word": `"x"`,
		"wrong type": head + `"snapshots":{}}`, "a snapshot of nothing": head + `"snapshots":[{"snapshot-id":1}]}`,
		"no location": `{"format-version":2,"last-column-id":1}`, "no version": `{"location":"s3://w/t","last-column-id":1}`,
		"a view":      `{"format-version":1,"view-uuid":"u","location":"s3://w/v"}`,
		"half a gzip": gzipped(whole)[:30],
	} {
		_, err := load(t, text)
		require.ErrorIs(t, err, ErrCorrupt, name)
		require.ErrorContains(t, err, rootLocation.String(), name)
		_, temporary := StateOf(err)
		require.True(t, temporary, "only files below the root have a state")
	}
	reset := errors.New("connection reset")
	for _, text := range []string{whole[:40], gzipped(whole)[:30], ""} {
		_, err := Load(t.Context(), shelf{objects: map[string][]byte{rootLocation.String(): []byte(text)}, broken: reset}, rootLocation)
		require.ErrorIs(t, err, reset)
		require.NotErrorIs(t, err, ErrCorrupt)
	}
	flipped := []byte(gzipped(whole))
	flipped[len(flipped)-6] ^= 1 // in the checksum
	for name, text := range map[string]string{
		"a wrong checksum": string(flipped), "no trailer": gzipped(whole)[:len(gzipped(whole))-4], "something behind": whole + "\n{",
	} {
		_, err := load(t, text)
		require.ErrorIs(t, err, ErrCorrupt, name)
	}
	_, err := load(t, whole+" \n")
	require.NoError(t, err)
	m, err := load(t, gzipped(whole))
	require.NoError(t, err)
	require.Len(t, m.Snapshots, 1)
}

func gzipped(text string) string {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return out.String()
}

func TestEncryptedAndNewerTablesAreRefused(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"keys":     head + `"encryption-keys":[{"key-id":"1"}]}`,
		"snapshot": head + `"snapshots":[{"snapshot-id":1,"manifest-list":"x","key-id":"1"}]}`,
		"property": head + `"properties":{"encryption.key-id":"k"}}`,
	} {
		_, err := load(t, text)
		require.ErrorIs(t, err, ErrEncrypted, name)
	}
	_, err := load(t, head+`"encryption-keys":[]}`)
	require.NoError(t, err)
	_, err = load(t, strings.Replace(head, `:2`, `:4`, 1)+`"x":1}`)
	require.ErrorIs(t, err, ErrNewerFormat)
}

func TestTheTreeNamesEachManifestOnceWhateverItsSpelling(t *testing.T) {
	t.Parallel()
	zoo := tabletest.LoadZoo(t)
	objects := map[string][]byte{}
	for name, data := range zoo.Objects() {
		objects["s3://"+name] = data
	}
	for _, table := range zoo.Tables {
		root, err := storage.Parse(table.MetadataLocation)
		require.NoError(t, err)
		m, err := Load(t.Context(), shelf{objects: objects}, root)
		require.NoError(t, err, table.Name)
		require.Equal(t, table.UUID, m.UUID)
		tree, err := NewShelf(shelf{objects: objects}, 4).Read(t.Context(), m.Names(nil))
		require.NoError(t, err)
		require.Len(t, tree.Manifests, table.Count(tabletest.KindManifest), table.Name)
		require.Len(t, tree.Lists, table.Count(tabletest.KindManifestList), table.Name)
		for _, list := range tree.Lists {
			require.Equal(t, Read, list.State)
			require.Positive(t, list.Size)
		}
		for i, manifest := range tree.Manifests {
			require.Positive(t, manifest.Length)
			require.False(t, i > 0 && tree.Manifests[i-1].Path >= manifest.Path, "not ordered")
		}
	}
}

func FuzzMetadata(f *testing.F) {
	f.Add([]byte(head + `"snapshots":[{"snapshot-id":1,"manifest-list":"s3://w/l.avro"}],"metadata-log":[{}]}`))
	f.Add([]byte(gzipped(head + `"snapshots":[]}`)))
	f.Fuzz(func(t *testing.T, data []byte) {
		from := shelf{objects: map[string][]byte{rootLocation.String(): data}}
		if m, err := Load(t.Context(), from, rootLocation); err == nil {
			_ = m.Locations()
		}
		_, _ = LoadView(t.Context(), from, rootLocation)
	})
}

func TestTheNamesOfPartitionFieldsAreThoseOfAllSpecs(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		`"partition-specs": [{"spec-id": 0, "fields": []}, {"spec-id": 1, "fields": [{"name": "_c", "transform": "identity"}, {"name": "d"}]}, {"spec-id": 2, "fields": [{"name": "d"}, {"name": "e"}]}]`: {"_c", "d", "e"},
		`"partition-spec": [{"name": "_c", "source-id": 1}]`: {"_c"},
		`"partition-specs": null`:                            nil,
	} {
		m, err := Parse(strings.NewReader(`{"format-version": 2, "location": "s3://w/t", "last-column-id": 1, ` + text + `}`))
		require.NoError(t, err)
		require.Equal(t, want, m.PartitionFields)
	}
}
