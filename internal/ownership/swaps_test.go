package ownership_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/ownership"
	"deckhand/internal/standin"
)

// Tools that build a table anew beside the old one rename the old one, give the new
// one its name, and drop the old one by its new name: all within the minute in which
// the namespace was looked through.
func TestTablesThatAreRenamedAndDroppedCostNoLookEach(t *testing.T) {
	t.Parallel()
	const tables = 50
	for mode, lists := range map[ownership.Mode]int64{ownership.Namespace: 1, ownership.Catalog: 2} {
		w := newTown(t)
		homes := make([]home, tables)
		for i := range homes {
			homes[i] = w.settled("n", fmt.Sprint("t", i))
		}
		w.settled("m", "elsewhere")
		for i, old := range homes {
			w.pass(time.Second)
			w.drop("n", fmt.Sprint("t", i))
			w.register(w.build(fmt.Sprint("new", i), nil), "n", fmt.Sprint("t", i))
			q := old.of()
			q.ID, q.Mode = id("n", fmt.Sprintf("t%d__backup", i)), mode
			require.Nil(t, w.owner(q))
		}
		// A look at first, which saw the new t0; then for each its own name, and what it was called before.
		require.LessOrEqual(t, w.Server.Count(standin.LoadTable), int64(tables+1+2*tables), mode)
		require.LessOrEqual(t, w.Server.Count(standin.ListTables), tables*lists, mode)

		w.pass(time.Minute)
		before := w.Server.Count(standin.LoadTable)
		q := homes[0].of()
		q.ID, q.Mode = id("n", "t0__backup"), mode
		require.Nil(t, w.owner(q))
		require.GreaterOrEqual(t, w.Server.Count(standin.LoadTable)-before, int64(tables), "%s: what was seen in between makes no look younger", mode)
	}
}

// The namespace is new, and was looked through for another question before the table
// was registered in it.
func TestAnOwnerThatWentToAnotherNamespaceIsLookedForAnew(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	dropped := w.build("t", nil)
	w.register(dropped, "n", "again")
	q := dropped.of()
	q.Mode = ownership.Catalog
	require.NotNil(t, w.owner(q))
	w.settled("m", "neighbour")
	require.Nil(t, w.owner(ownership.Query{ID: id("m", "x"), UUID: "00000000-0000-4000-8000-000000000001"}))
	w.pass(time.Second)
	w.drop("n", "again")
	w.register(dropped, "m", "renamed")
	owner := w.owner(q)
	require.NotNil(t, owner)
	require.Equal(t, "m.renamed", owner.ID.String())
}
