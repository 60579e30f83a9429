package conformance

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/polaris"
)

const expiry = "system.snapshot-expiry"

func (s *suite) makePolicy(t *testing.T, namespace []string, name, kind, content string) {
	t.Helper()
	s.root.must(t, http.StatusOK, http.MethodPost, s.root.polarisPath(namespace, "/policies"),
		object{"name": name, "type": kind, "content": content})
}

// mapping attaches (PUT) or detaches (POST).
func (s *suite) mapping(t *testing.T, method string, namespace []string, name, kind string, path ...string) {
	t.Helper()
	s.root.must(t, http.StatusNoContent, method, s.root.polarisPath(namespace, "/policies/"+name+"/mappings"),
		object{"target": object{"type": kind, "path": append([]string{}, path...)}})
}

// policies are inherited from the nearest level that has one of their type, whole;
// a table's own that says enable:false is told like any other.
func (s *suite) policies(t *testing.T) {
	kept := []string{"kept"}
	s.root.createNamespace(t, kept...)
	near, far := s.newTable(t, "2", []string{"a", "b"}, "near"), s.newTable(t, "2", []string{"a", "b"}, "far")
	ask := func(w *written) map[string]polaris.Policy {
		all, err := s.client.Policies(t.Context(), w.id())
		require.NoError(t, err)
		byType := map[string]polaris.Policy{}
		for _, p := range all {
			byType[p.Type] = p
		}
		require.Len(t, byType, len(all), "one of each type")
		return byType
	}
	require.Empty(t, ask(near))

	s.makePolicy(t, kept, "all", expiry, `{"enable": true, "config": {"max_snapshot_age_days": 7}}`)
	s.makePolicy(t, kept, "orphans", "system.orphan-file-removal", `{"enable":true,"max_orphan_file_age_in_days":3.5}`)
	s.mapping(t, http.MethodPut, kept, "all", "catalog")
	s.mapping(t, http.MethodPut, kept, "orphans", "namespace", "a")
	require.Equal(t, polaris.Policy{
		Type: expiry, Name: "all", Content: `{"enable": true, "config": {"max_snapshot_age_days": 7}}`,
		Inherited: true, Namespace: kept,
	}, ask(near)[expiry], "from the catalog, and the content as it was written")
	require.Equal(t, "orphans", ask(near)["system.orphan-file-removal"].Name)

	s.makePolicy(t, kept, "b", expiry, `{"enable":true}`)
	s.mapping(t, http.MethodPut, kept, "b", "namespace", "a", "b")
	require.Equal(t, "b", ask(near)[expiry].Name, "the namespace is nearer")

	s.makePolicy(t, kept, "off", expiry, `{"enable":false}`)
	s.mapping(t, http.MethodPut, kept, "off", "table-like", "a", "b", "near")
	off := ask(near)[expiry]
	require.Equal(t, `{"enable":false}`, off.Content)
	require.False(t, off.Inherited)
	require.Equal(t, "b", ask(far)[expiry].Name, "the neighbour has its own")
	require.Len(t, ask(near), 2, "the other type is inherited still")

	s.mapping(t, http.MethodPost, kept, "off", "table-like", "a", "b", "near")
	require.Equal(t, "b", ask(near)[expiry].Name)

	_, err := s.client.Policies(t.Context(), polaris.Identifier{Namespace: []string{"a", "b"}, Name: "none"})
	require.ErrorIs(t, err, polaris.ErrNotFound)
}
