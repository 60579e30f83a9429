package conformance

import (
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/polaris"
)

// walk gives every namespace below parent.
func (s *suite) walk(t *testing.T, parent []string) [][]string {
	t.Helper()
	var all [][]string
	for _, levels := range collect(t, s.client.Namespaces(t.Context(), parent)) {
		all = append(all, levels)
		all = append(all, s.walk(t, levels)...)
	}
	return all
}

// namespaces looks for some of many depths and of odd names.
func (s *suite) namespaces(t *testing.T) {
	made := [][]string{{"deep"}, {"deep", "er"}, {"deep", "er", "est"}, {"deep", "er", "est", "of"}, {"größe_数据"}, {"a&b=c"}}
	if s.Management != "" { // other servers join levels by a dot, and take no percent
		made = append(made, []string{"dot.ted"}, []string{"dot.ted", "in.ner"}, []string{"per%41cent"})
	}
	for _, levels := range made {
		s.root.createNamespace(t, levels...)
		s.root.createTable(t, levels, "t", "2")
	}
	found := s.walk(t, nil)
	for _, levels := range made {
		require.Contains(t, found, levels)
		tables := collect(t, s.client.Tables(t.Context(), levels))
		require.Equal(t, []polaris.Identifier{{Namespace: levels, Name: "t"}}, tables)
		loaded, err := s.client.Load(t.Context(), tables[0], polaris.LoadOptions{})
		require.NoError(t, err)
		require.NotEmpty(t, loaded.Metadata.UUID)
	}
}

// lists asks for more tables than a page holds, beside a view and a table of
// another format.
func (s *suite) lists(t *testing.T) {
	namespace := []string{"lists"}
	s.root.createNamespace(t, namespace...)
	var want []polaris.Identifier
	for i := range 7 {
		name := "t" + string(rune('0'+i))
		s.root.createTable(t, namespace, name, "2")
		want = append(want, polaris.Identifier{Namespace: namespace, Name: name})
	}
	s.makeView(t, namespace, "v")
	s.makeGeneric(t, namespace, "g")
	require.ElementsMatch(t, want, collect(t, s.client.Tables(t.Context(), namespace)))

	if s.Policies {
		require.Equal(t, []polaris.Identifier{{Namespace: namespace, Name: "g"}}, collect(t, s.client.GenericTables(t.Context(), namespace)))
	}
	_, err := firstOf(s.client.Tables(t.Context(), []string{"no-such"}))
	require.ErrorIs(t, err, polaris.ErrNoNamespace)
}
