package conformance

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/polaris"
)

func (w *written) id() polaris.Identifier {
	return polaris.Identifier{Namespace: w.namespace, Name: w.name}
}

func (s *suite) loads(t *testing.T) {
	for _, version := range []string{"1", "2", "3"} {
		w := s.newTable(t, version, []string{"loads"}, "v"+version)
		w.grow(3)
		w.ok(setRef("kept", "tag", 1))
		loaded, err := s.client.Load(t.Context(), w.id(), polaris.LoadOptions{})
		require.NoError(t, err)
		require.False(t, loaded.NotModified)
		require.Equal(t, w.location, loaded.Metadata.Location)
		require.Len(t, loaded.Metadata.Snapshots, 3, "refs alone hold two")
		require.EqualValues(t, 3, loaded.Metadata.CurrentSnapshotID)
		require.EqualValues(t, 1, loaded.Metadata.Refs["kept"].SnapshotID)
		require.Equal(t, w.state().Location, loaded.MetadataLocation)
	}
}

// unchanged sends the tag of a load along.
func (s *suite) unchanged(t *testing.T) {
	w := s.newTable(t, "2", []string{"loads"}, "tagged")
	w.grow(1)
	first, err := s.client.Load(t.Context(), w.id(), polaris.LoadOptions{})
	require.NoError(t, err)
	require.NotEmpty(t, first.ETag)
	again, err := s.client.Load(t.Context(), w.id(), polaris.LoadOptions{ETag: first.ETag})
	require.NoError(t, err)
	require.True(t, again.NotModified)

	w.ok(object{"action": "set-properties", "updates": object{"a": "b"}})
	changed, err := s.client.Load(t.Context(), w.id(), polaris.LoadOptions{ETag: first.ETag})
	require.NoError(t, err)
	require.False(t, changed.NotModified)
	require.NotEqual(t, first.ETag, changed.ETag)

	s.root.must(t, http.StatusNoContent, http.MethodDelete, s.root.table(w.namespace, w.name), nil)
	_, err = s.client.Load(t.Context(), w.id(), polaris.LoadOptions{ETag: changed.ETag})
	require.ErrorIs(t, err, polaris.ErrNotFound, "a tag does not hide that a table is gone")
}

// gone drops and renames what was there.
func (s *suite) gone(t *testing.T) {
	namespace := []string{"gone"}
	load := func(namespace []string, name string) error {
		_, err := s.client.Load(t.Context(), polaris.Identifier{Namespace: namespace, Name: name}, polaris.LoadOptions{})
		return err
	}
	dropped := s.newTable(t, "2", namespace, "dropped")
	s.root.must(t, http.StatusNoContent, http.MethodDelete, s.root.table(namespace, "dropped"), nil)
	require.ErrorIs(t, load(namespace, "dropped"), polaris.ErrNotFound)
	_, err := s.client.Commit(t.Context(), dropped.id(), nil, setProperty("a", "b"))
	require.ErrorIs(t, err, polaris.ErrNotFound)

	s.newTable(t, "2", namespace, "old")
	s.root.must(t, http.StatusNoContent, http.MethodPost, s.URI+s.root.prefix+"/tables/rename", object{
		"source": object{"namespace": namespace, "name": "old"}, "destination": object{"namespace": namespace, "name": "new"},
	})
	require.ErrorIs(t, load(namespace, "old"), polaris.ErrNotFound)
	require.NoError(t, load(namespace, "new"))

	err = load([]string{"no-such"}, "t")
	require.Error(t, err)
	require.NotErrorIs(t, err, polaris.ErrForbidden)

	s.makeView(t, namespace, "v")
	require.ErrorIs(t, load(namespace, "v"), polaris.ErrNotATable)
	if s.Policies {
		s.makeGeneric(t, namespace, "g")
		require.ErrorIs(t, load(namespace, "g"), polaris.ErrNotATable)
	}
}
