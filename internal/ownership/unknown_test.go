package ownership_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/ownership"
	"deckhand/internal/polaris"
	"deckhand/internal/pulltest"
	"deckhand/internal/standin"
	"deckhand/jobs"
)

// Only an answer that it is not there means that it is not.
func TestWhatTheCatalogDoesNotTellIsNotKnown(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault  standin.Fault
		is     error
		outage bool
	}{
		"401":               {standin.Fault{Status: 401}, polaris.ErrUnauthorized, false},
		"403":               {standin.Fault{Status: 403, Type: "ForbiddenException", Message: "no"}, polaris.ErrForbidden, false},
		"500":               {standin.Fault{Status: 500, Type: "IllegalStateException"}, polaris.ErrUnavailable, true},
		"503":               {standin.Fault{Status: 503, Type: "ServiceUnavailableException"}, polaris.ErrUnavailable, true},
		"429":               {standin.Fault{Status: 429}, polaris.ErrUnavailable, true},
		"a proxy's 404":     {standin.Fault{Status: 404, Body: []byte("<html>not found</html>")}, polaris.ErrUnavailable, true},
		"a torn connection": {standin.Fault{Drop: true}, polaris.ErrUnavailable, true},
		"no answer":         {standin.Fault{Hang: true}, polaris.ErrUnavailable, true},
		"half an answer":    {standin.Fault{Status: 200, Body: []byte(`{"metadata":{"location":"fil`)}, polaris.ErrUnavailable, true},
		"another's answer":  {standin.Fault{Status: 200, Body: []byte(`{}`)}, polaris.ErrUnavailable, true},
	} {
		for _, kind := range []standin.Kind{standin.ListTables, standin.LoadTable} {
			for _, mode := range []ownership.Mode{ownership.Namespace, ownership.Catalog} {
				t.Run(fmt.Sprint(name, " to ", kind, " in the ", mode), func(t *testing.T) {
					t.Parallel()
					w := newTown(t)
					q := w.build("t", nil).of()
					q.Mode = mode
					require.Nil(t, w.owner(q), "the namespace is not there")
					for i := range 5 {
						w.settled("n", fmt.Sprint("other", i))
					}
					w.pass(2 * time.Minute)
					w.Server.Fault(func(_ int64, k standin.Kind, _ *http.Request) *standin.Fault {
						if k == kind {
							return &c.fault
						}
						return nil
					})
					_, err := w.index.Owner(t.Context(), q)
					require.ErrorIs(t, err, c.is)
					if kind == standin.ListTables {
						_, err = w.index.Inside(t.Context(), q)
						require.ErrorIs(t, err, c.is)
					}
					require.Equal(t, c.outage, isUnavailable(err))
					require.NotErrorIs(t, err, ownership.ErrUnreadable)
					w.Server.Fault(nil)
					require.Nil(t, w.owner(q), "a failure is not remembered")
				})
			}
		}
	}
}

func TestAListThatBreaksOffIsNoList(t *testing.T) {
	t.Parallel()
	lake := pulltest.New(t, "")
	paged := standin.Start(t, standin.Options{Paging: true, Catalogs: []standin.Catalog{{Name: "lake", Location: "file://" + lake.Warehouse()}}})
	lake.Server = paged
	w := settle(t, lake, "")
	home := w.settled("n", "t500")
	for i := range 600 {
		require.NoError(t, paged.Register(t.Context(), pulltest.In("n", fmt.Sprintf("s%03d", i)), home.root))
	}
	dropped := w.build("t", nil)
	paged.Fault(standin.OnNth(2, standin.ListTables, standin.Fault{Status: 500, Type: "IllegalStateException"}))
	_, err := w.index.Owner(t.Context(), dropped.of())
	require.ErrorIs(t, err, polaris.ErrUnavailable)
	require.EqualValues(t, 2, paged.Count(standin.ListTables))
	require.Zero(t, paged.Count(standin.LoadTable), "half a list is not looked at")
	paged.Fault(nil)
	require.Nil(t, w.owner(dropped.of()))
	require.EqualValues(t, 601+1, paged.Count(standin.LoadTable))
}

func TestANamespaceThatIsGoneHoldsNothingAndACatalogThatIsGoneTellsNothing(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	dropped := w.build("t", nil)
	require.Nil(t, w.owner(dropped.of()))
	w.pass(2 * time.Minute)
	w.Server.Fault(func(_ int64, kind standin.Kind, _ *http.Request) *standin.Fault {
		if kind == standin.Config {
			return &standin.Fault{Status: 404, Type: "NotFoundException", Message: "Unable to find warehouse lake"}
		}
		return nil
	})
	for _, q := range []ownership.Query{dropped.of(), {ID: id("n", "t")}} {
		_, err := w.index.Owner(t.Context(), q)
		require.ErrorIs(t, err, polaris.ErrNoCatalog)
	}
}

// Its metadata file is damaged: nobody knows which table it is.
func TestATableThatTheCatalogCannotReadMayBeTheOwner(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.settled("n", "fine")
	dropped := w.build("t", nil)
	damaged := w.settled("n", "damaged")
	path := strings.TrimPrefix(damaged.root, "file://")
	whole, err := os.ReadFile(path)
	require.NoError(t, err)

	for name, damage := range map[string]func() error{
		"gone":   func() error { return os.Remove(path) },
		"broken": func() error { return os.WriteFile(path, []byte("{"), 0o600) },
	} {
		w := settle(t, w.Lake, "")
		require.NoError(t, damage())
		_, err := w.index.Owner(t.Context(), dropped.of())
		var unreadable *ownership.UnreadableError
		require.ErrorAs(t, err, &unreadable, name)
		require.Equal(t, "n.damaged", unreadable.ID.String())
		require.False(t, isUnavailable(err), "%s: the others can be read, so that it is no outage", name)
		_, err = w.index.Inside(t.Context(), ownership.Query{ID: id("n", "fine"), Locations: []string{dropped.location}})
		require.ErrorIs(t, err, ownership.ErrUnreadable, name)

		w.register(dropped, "n", "t")
		require.NotNil(t, w.owner(dropped.of()), "who is known to own them is said all the same")
		w.drop("n", "t")
		require.NoError(t, os.WriteFile(path, whole, 0o600))
		w.pass(2 * time.Minute)
		require.Nil(t, w.owner(dropped.of()))

		require.NoError(t, os.Remove(path))
		w.pass(2 * time.Minute)
		require.Nil(t, w.owner(dropped.of()), "%s: by its ETag it is still known which one it is", name)
		require.NoError(t, os.WriteFile(path, whole, 0o600))
	}
}

func TestAServerThatFailsOnOneTableOnlyIsNotAway(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		w.settled("n", name)
	}
	dropped := w.build("t", nil)
	fail := func(fault standin.Fault, names string) {
		w.pass(2 * time.Minute)
		w.Server.Fault(func(_ int64, kind standin.Kind, r *http.Request) *standin.Fault {
			if kind == standin.LoadTable && strings.Contains(names, r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]) {
				return &fault
			}
			return nil
		})
	}
	for _, fault := range []standin.Fault{{Status: 500, Type: "NullPointerException"}, {Status: 504}, {Drop: true}} {
		fail(fault, "c")
		_, err := w.index.Owner(t.Context(), dropped.of())
		require.ErrorIs(t, err, ownership.ErrUnreadable)
		require.False(t, isUnavailable(err))
	}

	fail(standin.Fault{Status: 403, Type: "ForbiddenException", Message: "not this one"}, "c")
	w.Server.ResetCounts()
	for range 10 {
		_, err := w.index.Owner(t.Context(), dropped.of())
		require.ErrorIs(t, err, polaris.ErrForbidden)
		require.NotErrorIs(t, err, ownership.ErrUnreadable)
		require.ErrorContains(t, err, "ask for table n.c: ")
	}
	require.EqualValues(t, 1, w.Server.Count(standin.ListTables), "the namespace is not looked through anew by each")
	require.EqualValues(t, 5+10, w.Server.Count(standin.LoadTable))

	fail(standin.Fault{Status: 500, Type: "NullPointerException"}, "abcde")
	_, err := w.index.Owner(t.Context(), dropped.of())
	require.NotErrorIs(t, err, ownership.ErrUnreadable)
	require.True(t, isUnavailable(err))
}

// A format that is not known, or an encrypted table, can be told from others.
func TestTablesThatCannotBeMaintainedCanBeTold(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.register(w.build("newer", map[string]any{"format-version": 9}), "n", "newer")
	dropped := w.build("t", map[string]any{"format-version": 9})
	require.Nil(t, w.owner(dropped.of()))
	w.register(dropped, "n", "again")
	w.pass(2 * time.Minute)
	require.NotNil(t, w.owner(dropped.of()))
}

func TestCallersShareALookAndOneThatLeavesDoesNotFailTheOthers(t *testing.T) {
	t.Parallel()
	w := newTown(t, func(c *ownership.Config) { c.Now = time.Now })
	for i := range 20 {
		w.settled("n", fmt.Sprint("t", i))
	}
	dropped := w.build("t", nil)
	ctx, leave := context.WithCancel(t.Context())
	looking, going := make(chan struct{}), make(chan struct{})
	var first atomic.Bool
	w.Server.Fault(func(n int64, kind standin.Kind, _ *http.Request) *standin.Fault {
		if kind != standin.LoadTable || !first.CompareAndSwap(false, true) {
			return nil
		}
		return &standin.Fault{Call: func() { close(looking); <-going }}
	})
	type result struct {
		answer *ownership.Answer
		err    error
	}
	ask := func(ctx context.Context) chan result {
		done := make(chan result, 1)
		go func() {
			answer, err := w.index.Owner(ctx, dropped.of())
			done <- result{answer, err}
		}()
		return done
	}
	leaver := ask(ctx)
	<-looking
	var others []chan result
	for range 8 {
		others = append(others, ask(t.Context()))
	}
	leave()
	require.ErrorIs(t, (<-leaver).err, context.Canceled)
	close(going)
	for _, other := range others {
		r := <-other
		require.NoError(t, r.err)
		require.Nil(t, r.answer.Owner)
	}
	require.EqualValues(t, 2, w.Server.Count(standin.ListTables), "that of the one who left, and one for all others")
}

func isUnavailable(err error) bool { return errors.Is(err, jobs.ErrUnavailable) }
