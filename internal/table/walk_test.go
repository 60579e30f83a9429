package table

import (
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/manifest"
	"deckhand/internal/storage"
	"deckhand/internal/tabletest"
)

// inOrder checks that manifests show their entries nearly in order.
type inOrder struct {
	t       *testing.T
	mu      sync.Mutex
	ended   map[int]bool
	entries map[int]int
	fail    error
	states  map[State]int
}

func (v *inOrder) Entry(i int, _ *manifest.Entry) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	open := 0
	for before := range i {
		if !v.ended[before] {
			open++
		}
	}
	if open >= entriesAhead {
		v.t.Errorf("manifest %d shows entries while %d before it are not finished", i, open)
	}
	v.entries[i]++
	return v.fail
}

func (v *inOrder) End(i int, state State, _ error) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.ended[i] = true
	v.states[state]++
	return nil
}

func synthetic(t *testing.T) (shelf, []*Manifest) {
	t.Helper()
	objects := tabletest.Objects{}
	made, err := tabletest.Synthetic(tabletest.SyntheticOptions{Location: "s3://w/t", Files: 4000, Manifests: 40}, tabletest.ToBucket(putter(objects)))
	require.NoError(t, err)
	root, err := storage.Parse(made.MetadataLocation)
	require.NoError(t, err)
	from := shelf{objects: objects}
	m, err := Load(t.Context(), from, root)
	require.NoError(t, err)
	tree, err := NewShelf(from, 4).Read(t.Context(), m.Names(nil))
	require.NoError(t, err)
	return from, tree.Manifests
}

type putter tabletest.Objects

func (p putter) Put(bucket, key string, data []byte) { p["s3://"+bucket+"/"+key] = data }

func TestAWalkShowsEveryEntryOnceAndNearlyInOrder(t *testing.T) {
	t.Parallel()
	from, manifests := synthetic(t)
	delete(from.objects, manifests[7].Path)
	from.objects[manifests[9].Path] = from.objects[manifests[9].Path][:500]
	visitor := &inOrder{t: t, ended: map[int]bool{}, entries: map[int]int{}, states: map[State]int{}}
	require.NoError(t, Walk(t.Context(), from, manifests, WalkConfig{InFlight: 16}, visitor))
	require.Equal(t, map[State]int{Read: 38, Absent: 1, Unreadable: 1}, visitor.states)
	for i, n := range visitor.entries {
		require.Equal(t, 100, n, "manifest %d", i)
	}
	require.Len(t, visitor.entries, 38)
}

func TestAManifestShorterThanItsListSaysIsUnreadable(t *testing.T) {
	t.Parallel()
	from, manifests := synthetic(t)
	manifests[3].Length++
	visitor := &inOrder{t: t, ended: map[int]bool{}, entries: map[int]int{}, states: map[State]int{}}
	require.NoError(t, Walk(t.Context(), from, manifests, WalkConfig{InFlight: 16}, visitor))
	require.Equal(t, map[State]int{Read: 39, Unreadable: 1}, visitor.states)
	require.Zero(t, visitor.entries[3])

	from.sizeless = true
	visitor = &inOrder{t: t, ended: map[int]bool{}, entries: map[int]int{}, states: map[State]int{}}
	require.NoError(t, Walk(t.Context(), from, manifests, WalkConfig{InFlight: 16}, visitor))
	require.Equal(t, map[State]int{Read: 39, Unreadable: 1}, visitor.states)
}

func TestAnErrorOfTheVisitorStopsTheWalk(t *testing.T) {
	t.Parallel()
	from, manifests := synthetic(t)
	stop := errors.New("stop")
	visitor := &inOrder{t: t, ended: map[int]bool{}, entries: map[int]int{}, states: map[State]int{}, fail: stop}
	require.ErrorIs(t, Walk(t.Context(), from, manifests, WalkConfig{InFlight: 16}, visitor), stop)
	require.LessOrEqual(t, len(visitor.entries), entriesAhead)
}

func TestAStoreThatFailsStopsTheWalk(t *testing.T) {
	t.Parallel()
	from, manifests := synthetic(t)
	from.broken = errors.New("connection reset")
	visitor := &inOrder{t: t, ended: map[int]bool{}, entries: map[int]int{}, states: map[State]int{}}
	require.ErrorIs(t, Walk(t.Context(), from, manifests, WalkConfig{InFlight: 16}, visitor), from.broken)
}
