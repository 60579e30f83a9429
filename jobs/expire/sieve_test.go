package expire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/manifest"
	"deckhand/internal/storage"
	"deckhand/internal/table"
	"deckhand/internal/tabletest"
)

// shelfOf opens the objects of a table from memory.
type shelfOf tabletest.Objects

func (s shelfOf) Open(_ context.Context, l storage.Location) (io.ReadCloser, storage.Info, error) {
	data, found := s[l.String()]
	if !found {
		return nil, storage.Info{}, storage.ErrNotFound
	}
	return io.NopCloser(bytes.NewReader(data)), storage.Info{Size: int64(len(data))}, nil
}

// Manifest n names the files n to n+9, the odd ones by entries of status DELETED.
func manifestsOf(count int) (shelfOf, []*table.Manifest) {
	h := tabletest.HandmadeTable{Location: "s3://w/t", Root: "s3://w/t/metadata/v.metadata.json"}
	var named []*table.Manifest
	for m := range count {
		made := tabletest.HandmadeManifest{Path: fmt.Sprintf("s3://w/t/metadata/m%d.avro", m)}
		for f := m; f < m+10; f++ {
			made.Entries = append(made.Entries, tabletest.HandmadeEntry{Status: int64(f % 2 * 2), Path: fileOf(f).String(), Size: 1})
		}
		h.Manifests = append(h.Manifests, made)
		named = append(named, &table.Manifest{ListEntry: manifest.ListEntry{Path: made.Path, Length: -1, AddedFiles: 10}})
	}
	return shelfOf(h.Objects()), named
}

func fileOf(n int) storage.Location {
	return storage.Location{Scheme: "s3", Bucket: "w", Key: fmt.Sprintf("t/data/%d", n)}
}

func TestBothWaysOfTheSieveKeepTheSameFiles(t *testing.T) {
	t.Parallel()
	from, manifests := manifestsOf(50)
	going, staying := manifests[:3], manifests[3:]
	for _, large := range []int64{0, largeTable} {
		s := newSieve(from, large)
		require.NoError(t, s.prepare(t.Context(), going, staying))
		require.Equal(t, large == 0, s.wanted != nil)
		require.NoError(t, s.add(t.Context(), staying))
		for f := range 12 { // those that the manifests name which go
			require.Equal(t, f >= 3 && f%2 == 0, s.has(fileOf(f)), "file %d, large %d", f, large)
		}
		require.Equal(t, large != 0, s.has(fileOf(40)), "only the files that could go are remembered")
		require.NoError(t, s.prepare(t.Context(), going, staying), "what is chosen stays")
		require.Equal(t, large == 0, s.wanted != nil)
	}
	s := newSieve(from, 0)
	require.NoError(t, s.prepare(t.Context(), staying, going))
	require.Nil(t, s.wanted, "more could go than stay")
	staying[0].AddedFiles = -1
	require.NoError(t, s.prepare(t.Context(), going, staying))
	require.Nil(t, s.wanted, "a list does not tell")
}

// What a manifest names that cannot be read the first time must not go when it
// can be read the second time.
func TestAManifestThatTheSieveCouldNotReadIsRemembered(t *testing.T) {
	t.Parallel()
	from, manifests := manifestsOf(50)
	data := from[manifests[1].Path]
	from[manifests[1].Path] = data[:len(data)/2]
	s := newSieve(from, 0)
	require.NoError(t, s.prepare(t.Context(), manifests[:3], manifests[3:]))
	require.Len(t, s.unread, 1)
	require.Equal(t, table.Unreadable, s.unread[manifests[1]].state)
}

func TestAManifestThatStaysMustBeRead(t *testing.T) {
	t.Parallel()
	from, manifests := manifestsOf(5)
	delete(from, manifests[3].Path)
	var unreadable *staysError
	err := newSieve(from, largeTable).add(t.Context(), manifests)
	require.ErrorAs(t, err, &unreadable)
	require.ErrorIs(t, err, storage.ErrNotFound)
	require.Equal(t, manifests[3].Path, unreadable.path)

	reset := errors.New("connection reset")
	err = newSieve(failing{reset}, largeTable).add(t.Context(), manifests)
	require.ErrorIs(t, err, reset)
	require.False(t, errors.As(err, &unreadable), "that may pass")
}

type failing struct{ err error }

func (f failing) Open(context.Context, storage.Location) (io.ReadCloser, storage.Info, error) {
	return nil, storage.Info{}, f.err
}
