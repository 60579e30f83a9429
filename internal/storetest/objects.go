package storetest

import (
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"deckhand/internal/storage"
)

func writtenIsRead(t *testing.T, store Store) {
	l := Open(t, store, store.Endpoint, nil)
	require.Empty(t, l.Names(t))
	at := l.Put(t, "data/a.parquet", "abc")
	require.Equal(t, "abc", l.Content(t, at))
	require.Equal(t, []string{"data/a.parquet"}, l.Names(t))
	require.NoError(t, l.Write(t.Context(), at, []byte("other")))
	require.Equal(t, "other", l.Content(t, at))
	for o, err := range l.List(t.Context(), l.Root) {
		require.NoError(t, err)
		require.Equal(t, at, o.Location)
		require.EqualValues(t, 5, o.Size)
		require.False(t, o.ModTime.IsZero())
	}
	require.NoError(t, l.Write(t.Context(), at, nil))
	require.Empty(t, l.Content(t, at))
}

func partsAreRead(t *testing.T, store Store) {
	l := Open(t, store, store.Endpoint, nil)
	at := l.Put(t, "a", "0123456789")
	for _, c := range []struct {
		offset, length int64
		want           string
	}{{0, -1, "0123456789"}, {0, 3, "012"}, {2, 3, "234"}, {7, -1, "789"}, {8, 100, "89"}, {9, 1, "9"}, {3, 0, ""}} {
		body, err := l.OpenRange(t.Context(), at, c.offset, c.length)
		require.NoError(t, err, "%+v", c)
		data, err := io.ReadAll(body)
		require.NoError(t, err, "%+v", c)
		require.NoError(t, body.Close())
		require.Equal(t, c.want, string(data), "%+v", c)
	}
	_, err := l.OpenRange(t.Context(), at, 10, -1)
	require.ErrorIs(t, err, storage.ErrRejected)
	_, err = l.OpenRange(t.Context(), l.Root.Join("absent"), 0, -1)
	require.ErrorIs(t, err, storage.ErrNotFound)
	_, err = l.ReadAll(t.Context(), at, 9)
	require.ErrorIs(t, err, storage.ErrTooLarge)
}

// fill makes n small objects in some folders, many at once.
func (l *Lab) fill(t testing.TB, n int) []storage.Location {
	t.Helper()
	all := make([]storage.Location, n)
	var group errgroup.Group
	group.SetLimit(16)
	for i := range all {
		all[i] = l.Root.Join(fmt.Sprintf("data/p=%d/%05d.parquet", i%7, i))
		group.Go(func() error { return l.Write(t.Context(), all[i], []byte("x")) })
	}
	require.NoError(t, group.Wait())
	return all
}

func manyAreListedAndDeleted(t *testing.T, store Store) {
	l := Open(t, store, store.Endpoint, nil)
	all := l.fill(t, store.Objects)
	want := make([]string, len(all))
	for i, at := range all {
		want[i] = l.name(at)
	}
	slices.Sort(want)
	require.Equal(t, want, l.Names(t))

	var found []string
	for o, err := range l.ListParallel(t.Context(), l.Root, storage.ListConfig{InFlight: 6}) {
		require.NoError(t, err)
		found = append(found, l.name(o.Location))
	}
	slices.Sort(found)
	require.Equal(t, want, found, "each once")

	n := 0
	for _, err := range l.List(t.Context(), l.Root) {
		require.NoError(t, err)
		if n++; n == 3 {
			break
		}
	}
	n = 0
	for _, err := range l.ListLimit(t.Context(), l.Root, 5) {
		require.NoError(t, err)
		n++
	}
	require.Equal(t, 5, n)

	before := l.requests()
	asked := append(slices.Clone(all), l.Root.Join("data/absent"), l.Root.Join("absent/too"), all[0])
	for i, r := range l.Delete(t.Context(), asked) {
		require.NoError(t, r.Err)
		require.Equal(t, asked[i], r.Location)
	}
	if store.Batch > 1 {
		require.LessOrEqual(t, l.requests()-before, int64((len(asked)+store.Batch-1)/store.Batch+store.Odd), "deletes go in batches")
	}
	require.Empty(t, l.Names(t))
}

// requests counts those of the session.
func (l *Lab) requests() int64 {
	var n int64
	for _, of := range l.Usage().Requests {
		n += of
	}
	return n
}

func keysHaveResults(t *testing.T, store Store) {
	l := Open(t, store, store.Endpoint, nil)
	one, two := l.Put(t, "one", "1"), l.Put(t, "two", "2")
	results := l.Delete(t.Context(), []storage.Location{one, l.Beside.Join("x"), l.Root.Join("absent"), two})
	require.NoError(t, results[0].Err)
	require.ErrorIs(t, results[1].Err, storage.ErrOutside)
	require.NoError(t, results[2].Err)
	require.NoError(t, results[3].Err)
	require.Empty(t, l.Names(t))
}

func nothingOutside(t *testing.T, store Store) {
	l := Open(t, store, store.Endpoint, nil)
	inside := l.Put(t, "a", "a")
	widest, err := storage.NewGuard(store.Root)
	require.NoError(t, err)
	wide := l.stores.Session(storage.SessionConfig{Guard: widest})
	beside := l.Beside.Join("b")
	require.NoError(t, wide.Write(t.Context(), beside, []byte("b")))
	t.Cleanup(func() { wide.Delete(t.Context(), []storage.Location{beside}) })

	require.ErrorIs(t, l.Write(t.Context(), beside, nil), storage.ErrOutside)
	require.ErrorIs(t, l.Delete(t.Context(), []storage.Location{beside})[0].Err, storage.ErrOutside)
	require.ErrorIs(t, l.Move(t.Context(), beside, l.Root.Join("c")), storage.ErrOutside)
	require.ErrorIs(t, l.Move(t.Context(), inside, l.Beside.Join("c")), storage.ErrOutside)
	for _, name := range []string{"../t2/b", "./a", "x/../../t2/b", ".."} {
		at := l.Root.Join(name)
		require.ErrorIs(t, l.Write(t.Context(), at, nil), storage.ErrOutside, name)
		require.ErrorIs(t, l.Delete(t.Context(), []storage.Location{at})[0].Err, storage.ErrOutside, name)
	}
	require.Equal(t, "b", l.Content(t, beside), "it may be read")
	require.Equal(t, []string{"a"}, l.Names(t))
}

func storeTellsTime(t *testing.T, store Store) {
	l := Open(t, store, store.Endpoint, nil)
	now, known, err := l.StoreClock(t.Context(), l.Root)
	require.NoError(t, err)
	require.True(t, known)
	at := l.Put(t, "a", "a")
	for o, err := range l.List(t.Context(), l.Root) {
		require.NoError(t, err)
		require.Equal(t, at, o.Location)
		require.False(t, o.ModTime.Before(now.Add(-clockSlack)), "objects get their times by that clock")
	}
}

// counted counts the calls of a hook.
type counted struct {
	mu sync.Mutex
	n  map[string]int
}

func (c *counted) add(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[string]int{}
	}
	c.n[name]++
}

func (c *counted) total() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, of := range c.n {
		n += of
	}
	return n
}
