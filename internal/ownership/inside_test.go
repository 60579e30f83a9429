package ownership_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/ownership"
	"deckhand/internal/pulltest"
	"deckhand/internal/standin"
)

func TestNeighboursOfEachKindAreFoundWhereTheirLocationsTouch(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	place := func(path string) string { return "file://" + w.Warehouse() + path }
	settle := func(location, data string, levels ...string) {
		w.register(w.build("metadata-of-"+levels[len(levels)-1], map[string]any{
			"location": location, "properties": map[string]string{"write.data.path": data},
		}), levels...)
	}
	settle(place("/n/t"), "", "n", "t")
	settle(place("/n/t/inner"), "", "n", "inside")
	settle(place("/n/t2"), "", "n", "beside")
	settle(place("/n/u"), place("/n/t"), "n", "same")
	settle(place(""), "", "m", "around")
	require.NoError(t, w.Server.AddGenericTableAt(pulltest.In("n", "delta"), "delta", place("/n/t/delta")))
	require.NoError(t, w.Server.AddGenericTable(pulltest.In("n", "nowhere"), "delta"))
	require.NoError(t, w.Server.AddView(pulltest.In("n", "v")))

	own := []string{place("/n/t"), place("/n/v"), "abfss://else@where/t"}
	inside := func(mode ownership.Mode) (texts []string) {
		found, err := w.index.Inside(t.Context(), ownership.Query{ID: id("n", "t"), Mode: mode, Locations: own})
		require.NoError(t, err)
		require.Empty(t, found.Unasked)
		require.WithinDuration(t, w.time(), found.Looked, time.Minute)
		for _, n := range found.Neighbours {
			texts = append(texts, fmt.Sprintf("%s %s: %s %s %s", n.Kind, n.ID, n.Location, n.Relation, n.Own))
		}
		return texts
	}
	near := []string{
		"generic table n.delta: " + place("/n/t/delta") + " inside " + place("/n/t"),
		"table n.inside: " + place("/n/t/inner") + " inside " + place("/n/t"),
		"table n.same: " + place("/n/t") + " the same as " + place("/n/t"),
		"view n.v: " + place("/n/v") + " the same as " + place("/n/v"),
	}
	require.Equal(t, near, inside(ownership.Namespace))
	require.Equal(t, append([]string{
		"table m.around: " + place("") + " around " + place("/n/t"), "table m.around: " + place("") + " around " + place("/n/v"),
	}, near...), inside(ownership.Catalog))

	w.drop("n", "inside")
	w.drop("m", "around")
	require.Contains(t, inside(ownership.Namespace), near[1], "it is not a minute ago")
	w.pass(2 * time.Minute)
	require.Equal(t, append(near[:1:1], near[2:]...), inside(ownership.Catalog))
}

func TestWhatThePrincipalMayNotSeeIsSaidAndMissingRightsToTablesAreAnError(t *testing.T) {
	t.Parallel()
	lake := pulltest.New(t, "")
	require.NoError(t, lake.Server.AddView(pulltest.In("n", "v")))
	blind, err := lake.Server.CreatePrincipal("blind", "lake", "TABLE_WRITE_DATA", "NAMESPACE_LIST")
	require.NoError(t, err)
	w := settle(t, lake, blind)
	w.settled("n", "t")
	found, err := w.index.Inside(t.Context(), ownership.Query{ID: id("n", "t"), Locations: []string{"file://" + w.Warehouse()}})
	require.NoError(t, err)
	require.Empty(t, found.Neighbours)
	require.Len(t, found.Unasked, 1)
	require.Contains(t, found.Unasked[0], "the views: ")
	require.Contains(t, found.Unasked[0], `"privilege":"VIEW_READ_PROPERTIES"`)

	for _, c := range []struct {
		privilege string
		mode      ownership.Mode
		err       string
	}{
		{"TABLE_LIST", ownership.Namespace, "LOAD_TABLE"},
		{"NAMESPACE_LIST", ownership.Namespace, "LIST_TABLES"},
		{"TABLE_READ_PROPERTIES", ownership.Catalog, "LIST_NAMESPACES"},
		{"TABLE_READ_PROPERTIES", ownership.Namespace, ""},
	} {
		credential, err := lake.Server.CreatePrincipal("poor-"+c.privilege+string(c.mode), "lake", c.privilege)
		require.NoError(t, err)
		w := settle(t, lake, credential)
		q := ownership.Query{ID: id("n", "x"), UUID: "some", Mode: c.mode}
		_, err = w.index.Owner(t.Context(), q)
		_, insideErr := w.index.Inside(t.Context(), q)
		if c.err == "" {
			require.NoError(t, err)
			require.NoError(t, insideErr)
			continue
		}
		require.ErrorContains(t, err, c.err, c.privilege)
		require.ErrorContains(t, insideErr, c.err, c.privilege)
	}
}

func TestNamespacesThatNobodyAsksForAreForgotten(t *testing.T) {
	t.Parallel()
	w := newTown(t, func(c *ownership.Config) { c.MaxEntries = 5 })
	dropped := w.build("t", nil)
	for _, namespace := range []string{"a", "b", "c"} {
		for _, name := range []string{"x", "y", "z"} {
			w.settled(namespace, name)
		}
	}
	ask := func(namespace string) int64 {
		w.Server.ResetCounts()
		q := dropped.of()
		q.ID = id(namespace, "t")
		require.Nil(t, w.owner(q))
		return w.Server.Count(standin.LoadTable, 200)
	}
	require.EqualValues(t, 3, ask("a"))
	w.pass(2*time.Minute + time.Second)
	require.EqualValues(t, 3, ask("b"))
	require.EqualValues(t, 3, ask("c"), "a is forgotten")
	require.EqualValues(t, 0, ask("b"), "b was asked for just now")
	w.pass(2*time.Minute + time.Second)
	require.EqualValues(t, 0, ask("c"), "nothing has changed")
	require.EqualValues(t, 3, ask("a"))
}
