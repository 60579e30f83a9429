package orphans_test

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	mt "deckhand/internal/maintenance/maintenancetest"
	"deckhand/internal/ownership"
	"deckhand/internal/polaris"
	"deckhand/internal/s3test"
	"deckhand/jobs/orphans"
)

func TestTwoTablesInOneLocationAreKnownByTheirMetadataFiles(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"another table":         `{"format-version":2,"table-uuid":"11111111-2222-3333-4444-555555555555","location":"s3://warehouse/db/t","last-column-id":1}`,
		"a view":                `{"view-uuid":"11111111-2222-3333-4444-555555555555","format-version":1,"location":"s3://warehouse/db/t"}`,
		"one that does not say": `{"format-version":1,"location":"s3://warehouse/db/t"}`,
		"one that is damaged":   `{"format-version":2,"location":"s3://wareh`,
		"a UUID far behind":     `{"format-version":2,"last-column-id":1,"location":"` + strings.Repeat("x", 10_000) + `","table-uuid":"11111111-2222-3333-4444-555555555555"}`,
		"a view's far behind":   `{"location":"` + strings.Repeat("x", 10_000) + `","view-uuid":"11111111-2222-3333-4444-555555555555"}`,
		"large and not a table": `{"location":"` + strings.Repeat("x", 10_000) + `","uuid":"11111111-2222-3333-4444-555555555555"}`,
	} {
		for _, params := range []string{quickly, `{"locations":["s3://warehouse/db/t/data"]}`} {
			t.Run(name+params, func(t *testing.T) {
				t.Parallel()
				y := small(t)
				other := "metadata/00007-other.metadata.json"
				y.Put(mt.InHome(other), []byte(content))
				y.ages[other] = time.Minute // its age does not matter
				y.refuses(params, other, "the location", "nothing was deleted")
			})
		}
	}
	t.Run("an earlier one of its own, and an empty one", func(t *testing.T) {
		t.Parallel()
		y := small(t)
		y.Put(mt.InHome("metadata/old.metadata.json"), y.Get(y.Ledger.Location))
		y.Put(mt.InHome("metadata/empty.metadata.json"), nil)
		y.Put(mt.InHome("metadata/young.metadata.json"), y.Get(y.Ledger.Location))
		y.ages["young.metadata.json"] = time.Hour
		_, err := y.search(quickly)
		require.NoError(t, err)
		y.Has(false, "metadata/old.metadata.json", "metadata/empty.metadata.json", "data/orphan1")
		y.Has(true, "metadata/young.metadata.json")
	})
}

// town answers as a catalog's index of neighbours.
type town struct {
	found ownership.Surroundings
	err   error
	asked []ownership.Query
	then  func()
	mode  ownership.Mode // "": the whole catalog
}

func (n *town) Inside(_ context.Context, q ownership.Query) (*ownership.Surroundings, error) {
	n.asked = append(n.asked, q)
	if n.then != nil && len(n.asked) == 2 {
		n.then()
	}
	return &n.found, n.err
}

func (y *yard) among(n *town) {
	y.cfg.Neighbours = func(realm, catalog string) (orphans.Neighbours, ownership.Mode) {
		require.Equal(y.T, "POLARIS/lake", realm+"/"+catalog)
		return n, cmp.Or(n.mode, ownership.Catalog)
	}
}

func neighbour(location, own string, relation ownership.Relation) ownership.Neighbour {
	return ownership.Neighbour{
		Kind: ownership.View, ID: polaris.Identifier{Namespace: []string{"a"}, Name: "v"},
		Location: location, Own: own, Relation: relation,
	}
}

func TestATableThatSharesItsLocationByTheCatalogIsRefused(t *testing.T) {
	t.Parallel()
	for location, relation := range map[string]ownership.Relation{
		"s3://warehouse/db/t/": ownership.Same, "s3a://warehouse/db": ownership.Around,
	} {
		y := small(t)
		n := &town{found: ownership.Surroundings{Neighbours: []ownership.Neighbour{neighbour(location, mt.Home, relation)}}}
		y.among(n)
		y.refuses(quickly, "the view a.v has the location "+location, "nothing was deleted", "move one of them")
		require.Equal(t, []string{mt.Home}, n.asked[0].Locations)
		require.Equal(t, ownership.Catalog, n.asked[0].Mode)
		require.Equal(t, "zoo.t", n.asked[0].ID.String())

		// Somebody may come while the files are listed.
		n.found, n.asked = ownership.Surroundings{}, nil
		n.then = func() { n.found.Neighbours = []ownership.Neighbour{neighbour(location, mt.Home, relation)} }
		y.refuses(quickly, "the view a.v has the location "+location)
		require.Len(t, n.asked, 2)
	}
}

func TestFoldersOfOthersAreLeftAlone(t *testing.T) {
	t.Parallel()
	y := small(t)
	y.plant("data/by-catalog/data/f", "data/later/f", "data/by-catalog2/f",
		"a/delta/part-0.parquet", "a/delta/_delta_log/00.json", "a/hudi/x.parquet", "a/hudi/.hoodie/hoodie.properties",
		"z/iceberg/data/x.parquet", "z/iceberg/metadata/v1.metadata.json", "z/deep/view/metadata/00-1.gz.metadata.json", "z/deep/other")
	n := &town{found: ownership.Surroundings{
		Neighbours: []ownership.Neighbour{neighbour(mt.InHome("data/by-catalog"), mt.Home, ownership.Within)},
		Unasked:    []string{"the views: forbidden"},
	}}
	n.then = func() {
		n.found.Neighbours = append(n.found.Neighbours, neighbour(mt.InHome("data/later"), mt.Home, ownership.Within))
	}
	y.among(n)
	all := y.below()
	r, err := y.search(quickly)
	require.NoError(t, err)
	require.Equal(t, without(all, "data/orphan1", "data/orphan2", "data/by-catalog2/f", "z/deep/other"), y.below())
	require.EqualValues(t, 7, r.Kept[orphans.Foreign].Counts.Total().Files)
	require.Len(t, r.Foreign, 6)
	require.Contains(t, r.Foreign, "s3://warehouse/db/t/a/delta/: it has _delta_log/")
	require.Contains(t, r.Foreign, "s3://warehouse/db/t/data/later/: the view a.v")
	require.Contains(t, strings.Join(r.Notes, "\n"), "the views: forbidden")
}

func TestAnotherFormatsLogInTheTablesOwnFolderKeepsAll(t *testing.T) {
	t.Parallel()
	for _, params := range []string{quickly, `{"locations":["s3://warehouse/db/t/data"]}`} {
		y := small(t)
		y.plant("_delta_log/00.json")
		all := y.below()
		r, err := y.search(params)
		require.NoError(t, err)
		require.Equal(t, all, y.below())
		require.EqualValues(t, 2, r.Kept[orphans.Foreign].Counts.Total().Files)
	}
}

func TestASubfolderOfSomebodyElsesTableIsKnownByWhatLiesAbove(t *testing.T) {
	t.Parallel()
	for _, sign := range []string{"sub/metadata/v1.metadata.json", "sub/_delta_log/0", "sub/x/.hoodie/h"} {
		y := small(t)
		y.plant(sign, "sub/x/data/f")
		all := y.below()
		r, err := y.search(`{"locations":["s3://warehouse/db/t/sub/x/data"]}`)
		require.NoError(t, err)
		require.Equal(t, all, y.below(), sign)
		require.EqualValues(t, 1, r.Listed.Files)
		require.EqualValues(t, 1, r.Kept[orphans.Foreign].Counts.Total().Files)
	}
}

func TestWhereTheCatalogMayNotBeAskedTheListingAloneTells(t *testing.T) {
	t.Parallel()
	y := small(t)
	y.among(&town{err: polaris.ErrForbidden})
	r, err := y.search(quickly)
	require.NoError(t, err)
	y.Has(false, "data/orphan1", "data/orphan2")
	require.Contains(t, strings.Join(r.Notes, "\n"), "may not be asked")

	for _, unsure := range []error{polaris.ErrUnavailable, ownership.ErrUnreadable} {
		y = small(t)
		y.among(&town{err: unsure})
		_, err = y.search(quickly)
		require.ErrorIs(t, err, unsure)
		y.Has(true, "data/orphan1", "data/orphan2")
	}
}

// A folder outside of the table's location may be that of many tables.
func TestFoldersOutsideOfTheTablesLocationNeedTheCatalogOrAName(t *testing.T) {
	t.Parallel()
	outside := func() *yard {
		y := small(t)
		y.Edit(y.Ledger.Location, func(m mt.Object) { m["properties"] = mt.Object{"write.data.path": "s3://other/pool"} })
		y.plant("s3://other/pool/orphan")
		return y
	}
	y := outside()
	r, err := y.search(quickly)
	require.NoError(t, err)
	y.Has(true, "s3://other/pool/orphan")
	y.Has(false, "data/orphan1")
	require.Contains(t, strings.Join(r.Notes, "\n"), "s3://other/pool is not looked through")

	y = outside()
	_, err = y.search(`{"locations":["s3://other/pool"]}`)
	require.NoError(t, err)
	y.Has(false, "s3://other/pool/orphan")
	y.Has(true, "data/orphan1")

	// Where only the namespace is asked, or something in the catalog may not be, a table
	// that nobody has heard of may have its files there.
	for _, n := range []*town{{mode: ownership.Namespace}, {found: ownership.Surroundings{Unasked: []string{"the generic tables: forbidden"}}}} {
		y = outside()
		y.among(n)
		r, err = y.search(quickly)
		require.NoError(t, err)
		y.Has(true, "s3://other/pool/orphan")
		y.Has(false, "data/orphan1")
		require.Contains(t, strings.Join(r.Notes, "\n"), "orphans.neighbours: catalog")
		require.Equal(t, []string{mt.Home}, r.Locations)
	}

	y = outside()
	y.among(&town{})
	_, err = y.search(quickly)
	require.NoError(t, err)
	y.Has(false, "s3://other/pool/orphan", "data/orphan1")

	// A whole bucket is not only this catalog's.
	y = outside()
	y.Edit(y.Ledger.Location, func(m mt.Object) { m["properties"] = mt.Object{"write.data.path": "s3://other"} })
	y.among(&town{})
	r, err = y.search(quickly)
	require.NoError(t, err)
	y.Has(true, "s3://other/pool/orphan")
	y.Has(false, "data/orphan1")
	require.Contains(t, strings.Join(r.Notes, "\n"), "s3://other/ is not looked through: it is a whole bucket")
	_, err = y.search(`{"locations":["s3://other"]}`)
	require.NoError(t, err)
	y.Has(false, "s3://other/pool/orphan")

	y = outside()
	y.among(&town{found: ownership.Surroundings{Neighbours: []ownership.Neighbour{neighbour("s3://other/pool", "s3://other/pool", ownership.Same)}}})
	y.refuses(quickly, "s3://other/pool")
}

// A folder of somebody else that comes first takes no room of orphans behind it.
func TestFilesOfOthersTakeNoRoomOfOrphans(t *testing.T) {
	t.Parallel()
	y := small(t)
	for n := range 20 {
		y.plant("data/a/data/f" + time.Duration(n).String())
	}
	y.plant("data/a/metadata/v1.metadata.json")
	r, err := y.search(`{"max-files":10}`)
	require.NoError(t, err)
	y.Has(false, "data/orphan1", "data/orphan2")
	require.EqualValues(t, 2, r.Deleted.Total().Files)
	require.EqualValues(t, 21, r.Kept[orphans.Foreign].Counts.Total().Files)
	require.EqualValues(t, len(y.below())+2, r.Listed.Files)
	require.NotContains(t, r.Kept, orphans.BeyondCap)
	require.Len(t, y.list, 23)
	// Once each, but for twelve of which the first listing said that there is no room.
	require.Equal(t, 23+12, y.records)
}

// Writers put the files of all tables of a warehouse below one folder, if that is how
// write.data.path is set, with nothing around that tells whose they are.
func TestADataFolderAroundTheTableIsNoLocationOfItsOwn(t *testing.T) {
	t.Parallel()
	others := []string{"s3://warehouse/db/1010/ns/other/f.parquet", "s3://warehouse/db/f.parquet"}
	for _, n := range []*town{nil, {mode: ownership.Namespace}} {
		y := small(t)
		y.Edit(y.Ledger.Location, func(m mt.Object) { m["properties"] = mt.Object{"write.data.path": "s3://warehouse/db"} })
		y.plant(others...)
		if n != nil {
			y.among(n)
		}
		r, err := y.search(quickly)
		require.NoError(t, err)
		y.Has(true, others...)
		y.Has(false, "data/orphan1", "data/orphan2")
		require.Contains(t, strings.Join(r.Notes, "\n"), "s3://warehouse/db is not looked through")
		_, err = y.search(`{"locations":["s3://warehouse/db/t/data"]}`)
		require.NoError(t, err)
	}
}

func TestATableThatIsRenamedMeanwhileIsGoneAndNoNeighbourOfItself(t *testing.T) {
	t.Parallel()
	y := small(t)
	n := &town{}
	n.then = func() {
		y.Ledger.Location = ""
		n.found.Neighbours = []ownership.Neighbour{neighbour(mt.Home, mt.Home, ownership.Same)}
	}
	y.among(n)
	r, err := y.search(quickly)
	require.NoError(t, err)
	require.True(t, r.Gone)
	y.Has(true, "data/orphan1")
}

// Its metadata files tell where a table has its files, wherever they lie themselves.
func TestATableWithItsMetadataInAnotherFolderIsKnownByWhatThatSays(t *testing.T) {
	t.Parallel()
	const others = `{"format-version":2,"table-uuid":"11111111-2222-3333-4444-555555555555","last-column-id":1,"location":"%s","properties":{"write.data.path":"%s"}}`
	const view = `{"view-uuid":"11111111-2222-3333-4444-555555555555","format-version":1,"location":"%s%.0s"}`
	for _, c := range []struct{ form, location, data string }{
		{others, mt.Home + "/", ""}, {others, "s3a://warehouse/db", ""}, {others, mt.InHome("x"), mt.Home}, {view, mt.Home, ""},
	} {
		y := small(t)
		y.Put(mt.InHome("meta2/v1.metadata.json"), fmt.Appendf(nil, c.form, c.location, c.data))
		y.refuses(quickly, "meta2/v1.metadata.json is of another table or view", "move one of them")
	}
	y := small(t)
	y.plant("inside/data/f", "pool/f", "else/f", "bad/f", "denied/f")
	y.Put(mt.InHome("meta2/v1.metadata.json"), fmt.Appendf(nil, others, mt.InHome("inside"), mt.InHome("pool")))
	y.Put(mt.InHome("bad/metadata/v1.metadata.json"), []byte("{"))
	y.Put(mt.InHome("denied/metadata/v1.metadata.json"), fmt.Appendf(nil, others, mt.Home, ""))
	y.Put(mt.InHome("copy/metadata/v0.metadata.json"), y.Get(y.Ledger.Location)) // of the table itself
	y.Server.Fault(func(_ int64, op string, r *http.Request) *s3test.Fault {
		if op == "GetObject" && strings.Contains(r.URL.Path, "/denied/") {
			return &s3test.Fault{Status: http.StatusForbidden, Code: "AccessDenied"}
		}
		return nil
	})
	r, err := y.search(quickly)
	require.NoError(t, err)
	y.Has(true, "inside/data/f", "pool/f", "bad/f", "denied/f", "copy/metadata/v0.metadata.json")
	y.Has(false, "else/f", "data/orphan1")
	require.Contains(t, r.Foreign, mt.InHome("pool/")+": a table or view has it by "+mt.InHome("meta2/v1.metadata.json"))
}
