package ownership_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/ownership"
	"deckhand/internal/standin"
)

// The table was registered again under another name, seen there, and renamed before
// the minute was over.
func TestAnOwnerThatWasRenamedSinceItWasSeenIsLookedForAnew(t *testing.T) {
	t.Parallel()
	for _, mode := range []ownership.Mode{ownership.Namespace, ownership.Catalog} {
		w := newTown(t)
		w.settled("n", "neighbour")
		dropped := w.build("t", nil)
		w.register(dropped, "n", "again")
		q := dropped.of()
		q.Mode = mode
		require.NotNil(t, w.owner(q))
		w.drop("n", "again")
		w.register(dropped, "n", "renamed")
		owner := w.owner(q)
		require.NotNil(t, owner, mode)
		require.Equal(t, "n.renamed", owner.ID.String())
	}
}

// It is in the list by its old name, and gone when it is asked for.
func TestAnOwnerThatIsRenamedDuringTheLookIsFound(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.settled("n", "neighbour")
	dropped := w.build("t", nil)
	w.register(dropped, "n", "again")
	var once atomic.Bool
	w.Server.Fault(func(_ int64, kind standin.Kind, _ *http.Request) *standin.Fault {
		if kind != standin.LoadTable || !once.CompareAndSwap(false, true) {
			return nil
		}
		return &standin.Fault{Status: 404, Type: "NoSuchTableException", Call: func() {
			w.drop("n", "again")
			w.register(dropped, "n", "renamed")
		}}
	})
	require.NotNil(t, w.owner(dropped.of()))
}

// slow gives the index a clock that goes on by some time with each request.
func slow(t *testing.T, each time.Duration, change func(*ownership.Config)) *town {
	t.Helper()
	var w *town
	w = newTown(t, func(c *ownership.Config) {
		c.Now = func() time.Time {
			total := int64(0)
			for _, n := range w.counts() {
				total += n
			}
			return w.time().Add(time.Duration(total) * each)
		}
		change(c)
	})
	return w
}

// A catalog that takes longer than a minute to look through would be looked through
// for each question.
func TestALookThroughTheCatalogAnswersForAMinuteAfterItsEndHoweverLongItTook(t *testing.T) {
	t.Parallel()
	w := slow(t, 5*time.Second, func(*ownership.Config) {})
	for n := range 10 {
		for i := range 5 {
			w.settled(fmt.Sprint("n", n), fmt.Sprint("t", i))
		}
	}
	q := w.build("t", nil).of()
	q.Mode = ownership.Catalog
	require.Nil(t, w.owner(q))
	before := w.Server.Count(standin.LoadTable)
	for range 8 {
		require.Nil(t, w.owner(q))
	}
	require.EqualValues(t, before+8, w.Server.Count(standin.LoadTable))
}

// What a long look saw first would else be forgotten at its end.
func TestNamespacesThatAreAskedForAreRememberedHoweverLongTheLookTook(t *testing.T) {
	t.Parallel()
	w := slow(t, 30*time.Second, func(c *ownership.Config) { c.MaxEntries, c.Parallel = 1, 1 })
	for n := range 10 {
		w.settled(fmt.Sprint("n", n), "t")
	}
	q := w.build("t", nil).of()
	q.Mode = ownership.Catalog
	require.Nil(t, w.owner(q))
	w.pass(2 * time.Minute)
	require.Nil(t, w.owner(q))
	require.EqualValues(t, 10, w.Server.Count(standin.LoadTable, 304), "all are known by their ETags")
}

// A table of the same files under two other names that come and go cannot be told.
func TestWhatComesAndGoesWhileItIsLookedForIsNotKnown(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	dropped := w.build("t", nil)
	w.register(dropped, "n", "again0")
	loads := 0
	w.Server.Fault(func(_ int64, kind standin.Kind, _ *http.Request) *standin.Fault {
		if kind != standin.LoadTable {
			return nil
		}
		loads++
		if loads%2 == 1 { // the look
			return nil
		}
		return &standin.Fault{Call: func() {
			w.drop("n", fmt.Sprint("again", loads/2-1))
			w.register(dropped, "n", fmt.Sprint("again", loads/2))
		}}
	})
	_, err := w.index.Owner(t.Context(), dropped.of())
	require.True(t, isUnavailable(err))
	require.ErrorContains(t, err, "come and go")
}

// A server that ignores page tokens and gives a new one each time: the job must seem
// to be dead at last.
func TestAListThatGoesRoundInCirclesIsNoSignOfLife(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.settled("n", "neighbour")
	var names []string
	for i := range 500 {
		names = append(names, fmt.Sprintf(`{"namespace":["n"],"name":"t%d"}`, i))
	}
	ctx, stop := context.WithCancel(t.Context())
	w.Server.Fault(func(n int64, kind standin.Kind, _ *http.Request) *standin.Fault {
		if kind != standin.ListTables {
			return nil
		}
		if w.Server.Count(kind) == 50 {
			stop()
		}
		return &standin.Fault{Status: 200, Body: fmt.Appendf(nil, `{"identifiers":[%s],"next-page-token":"p%d"}`, strings.Join(names, ","), n)}
	})
	q, alive := w.build("t", nil).of(), 0
	q.Alive = func() { alive++ }
	_, err := w.index.Owner(ctx, q)
	require.ErrorIs(t, err, context.Canceled)
	require.LessOrEqual(t, alive, 1)
}
