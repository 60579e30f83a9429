package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/storage"
)

// clockSlack is what a time may be cut by.
const clockSlack = 2 * time.Second

// listedOne gives the one object that lies in the lab's folder.
func (l *Lab) listedOne(t testing.TB) storage.Object {
	t.Helper()
	var found []storage.Object
	for o, err := range l.List(t.Context(), l.Root) {
		require.NoError(t, err)
		found = append(found, o)
	}
	require.Len(t, found, 1)
	return found[0]
}

func objectIsMoved(t *testing.T, store Store) {
	l := Open(t, store, store.Endpoint, nil)
	from, to := l.Put(t, "data/a", "content"), l.Root.Join("trash/data/a")
	require.NoError(t, l.MoveListed(t.Context(), l.listedOne(t), to))
	require.Equal(t, []string{"trash/data/a"}, l.Names(t))
	require.Equal(t, "content", l.Content(t, to))
	// One that was cut off ends the same.
	require.NoError(t, l.MoveListed(t.Context(), storage.Object{Location: from, Size: 7}, to))
	if l.Root.Scheme != "file" { // a file is the same only if it is one
		l.PutAt(t, from, "content")
		require.NoError(t, l.Move(t.Context(), from, to))
	}
	require.Equal(t, []string{"trash/data/a"}, l.Names(t))

	require.ErrorIs(t, l.Move(t.Context(), from, l.Root.Join("elsewhere")), storage.ErrNotFound)
}

func moveIsConditional(t *testing.T, store Store) {
	l := Open(t, store, store.Endpoint, nil)
	from, to := l.Put(t, "data/a", "content"), l.Root.Join("trash/a")
	listed := l.listedOne(t)
	l.PutAt(t, from, "another")
	if listed.ETag != "" {
		require.ErrorIs(t, l.MoveListed(t.Context(), listed, to), storage.ErrChanged)
	}
	l.PutAt(t, from, "longer content")
	require.ErrorIs(t, l.MoveListed(t.Context(), listed, to), storage.ErrChanged)
	require.Equal(t, []string{"data/a"}, l.Names(t))

	l.PutAt(t, to, "other, as long")
	require.ErrorIs(t, l.Move(t.Context(), from, to), storage.ErrExists)
	require.Equal(t, "longer content", l.Content(t, from))
	require.Equal(t, "other, as long", l.Content(t, to))
}
