package ownership_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/ownership"
	"deckhand/internal/pulltest"
	"deckhand/internal/standin"
)

func TestATableThatWasRegisteredAgainIsTheOwner(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		where   []string
		change  map[string]any
		mode    ownership.Mode
		found   bool
		because string
	}{
		"under its name":                       {where: []string{"n", "t"}, found: true, because: "the same UUID"},
		"under another name":                   {where: []string{"n", "other"}, found: true, because: "the same UUID"},
		"in another namespace":                 {where: []string{"m", "t"}},
		"in another namespace, all are asked":  {where: []string{"m", "t"}, mode: ownership.Catalog, found: true, because: "the same UUID"},
		"in one inside, all are asked":         {where: []string{"n", "in", "t"}, mode: ownership.Catalog, found: true, because: "the same UUID"},
		"without a UUID, by its metadata file": {where: []string{"n", "other"}, change: map[string]any{"table-uuid": nil, "format-version": 1}, found: true, because: "its metadata file is file://"},
	} {
		w := newTown(t)
		w.settled("n", "neighbour")
		h := w.build("t", c.change)
		w.register(h, c.where...)
		q := h.of()
		q.Mode, q.UUID = c.mode, strings.ToUpper(q.UUID)
		owner := w.owner(q)
		if !c.found {
			require.Nil(t, owner, name)
			continue
		}
		require.NotNil(t, owner, name)
		require.Equal(t, id(c.where...), owner.ID, name)
		require.Equal(t, h.root, owner.MetadataLocation, name)
		require.Contains(t, owner.Why, c.because, name)
	}
}

// Tables of format 1 can be without a UUID. One that was registered again and then
// committed to has another metadata file.
func TestWhatDescendsFromAMetadataFileOwnsItsFiles(t *testing.T) {
	t.Parallel()
	log := func(files ...string) map[string]any {
		entries := []any{}
		for _, file := range files {
			entries = append(entries, map[string]any{"timestamp-ms": 1, "metadata-file": file})
		}
		return map[string]any{"table-uuid": nil, "format-version": 1, "metadata-log": entries}
	}
	w := newTown(t)
	first := w.build("t", log())
	second := w.build("t", log(first.root))
	// file:/x and file:///x are one place.
	w.register(w.build("t", log(first.root, strings.Replace(second.root, "file:///", "file:/", 1))), "n", "committed")

	owner := w.owner(second.of())
	require.NotNil(t, owner)
	require.Equal(t, "n.committed", owner.ID.String())
	require.Equal(t, "it descends from the metadata file "+second.root, owner.Why)

	w.drop("n", "committed")
	w.register(first, "n", "earlier")
	w.pass(2 * time.Minute)
	q := second.of()
	require.Nil(t, w.owner(q))
	q.MetadataLog = []string{first.root}
	owner = w.owner(q)
	require.NotNil(t, owner)
	require.Equal(t, "its metadata file is "+first.root, owner.Why)
}

func TestANamespaceIsLookedThroughOnceAMinuteAndTheNameIsAlwaysAskedFor(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	for _, name := range []string{"a", "b", "c"} {
		w.settled("n", name)
	}
	dropped := w.build("t", nil)
	require.Nil(t, w.owner(dropped.of()))
	require.Equal(t, map[standin.Kind]int64{standin.ListTables: 1, standin.LoadTable: 3 + 1}, w.counts())
	for range 10 {
		require.Nil(t, w.owner(dropped.of()))
	}
	require.Equal(t, map[standin.Kind]int64{standin.ListTables: 1, standin.LoadTable: 3 + 11}, w.counts())

	w.register(dropped, "n", "again")
	require.Nil(t, w.owner(dropped.of()), "under another name it is not seen for a minute")
	w.Server.ResetCounts()
	w.pass(time.Minute + time.Second)
	require.NotNil(t, w.owner(dropped.of()))
	require.Equal(t, map[standin.Kind]int64{standin.ListTables: 1, standin.LoadTable: 3 + 1 + 1}, w.counts())
	require.EqualValues(t, 4, w.Server.Count(standin.LoadTable, 304), "what has not changed brings no body, the owner's second load too")

	w.drop("n", "again")
	w.register(dropped, "n", "t")
	require.NotNil(t, w.owner(dropped.of()), "under its own name it is seen at once")
}

// What is remembered may be over: the table was registered again, and dropped again.
func TestNoTableIsTheOwnerFromMemory(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	dropped := w.build("t", nil)
	w.register(dropped, "n", "again")
	require.NotNil(t, w.owner(dropped.of()))
	w.drop("n", "again")
	require.Nil(t, w.owner(dropped.of()))
	w.register(dropped, "n", "again")
	require.Nil(t, w.owner(dropped.of()), "and what is not remembered any more is seen when the minute is over")
	w.pass(2 * time.Minute)
	require.NotNil(t, w.owner(dropped.of()))
}

func TestATableOfTheNameThatIsAnotherIsNoOwner(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	dropped := w.build("t", nil)
	w.register(w.build("t", nil), "n", "t")
	require.Nil(t, w.owner(dropped.of()), "it lies at the same place")
	q := ownership.Query{ID: id("n", "t"), Locations: []string{dropped.location}}
	require.Contains(t, w.owner(q).Why, "is the same as "+dropped.location, "without a UUID the place decides")
	q.UUID = dropped.uuid
	require.Nil(t, w.owner(q))
	q = ownership.Query{ID: id("n", "t")}
	require.Contains(t, w.owner(q).Why, "neither UUID nor location is known")
	q.ID.Name = "u"
	require.Nil(t, w.owner(q))
}

func TestLocationsTellWhoOwnsFilesOfATableWithoutUUID(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	place := "file://" + filepath.Join(w.Warehouse(), "place")
	for more, lies := range map[string]string{
		place: "the same as", place + "/": "the same as", place + "/in": "inside", "file://" + w.Warehouse(): "around", place + "2": "",
	} {
		name := strings.ReplaceAll(strings.TrimPrefix(more, "file:///"), "/", "-")
		w.register(w.build(name, map[string]any{"properties": map[string]string{"write.data.path": more}}), "n", name)
		owner := w.owner(ownership.Query{ID: id("n", "t"), Locations: []string{place}})
		if lies == "" {
			require.Nil(t, owner, more)
		} else {
			require.Contains(t, owner.Why, lies+" "+place, more)
		}
		w.drop("n", name)
		w.pass(2 * time.Minute)
	}
}

func TestViewsAreAskedForAmongViews(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	require.NoError(t, w.Server.AddView(pulltest.In("n", "v")))
	w.settled("n", "t")
	known, err := w.index.Inside(t.Context(), ownership.Query{ID: id("n", "x"), Locations: []string{"file://" + w.Warehouse()}})
	require.NoError(t, err)
	require.Len(t, known.Neighbours, 2)
	view := w.describeView("v")
	for _, q := range []ownership.Query{{UUID: view.UUID}, {MetadataLocation: view.MetadataLocation}} {
		q.Kind, q.ID = ownership.View, id("n", "dropped")
		owner := w.owner(q)
		require.NotNil(t, owner)
		require.Equal(t, ownership.View, owner.Kind)
		require.Equal(t, "n.v", owner.ID.String())
		q.Kind = ownership.Table
		require.Nil(t, w.owner(q))
	}
}
