package orphans_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	mt "deckhand/internal/maintenance/maintenancetest"
	"deckhand/internal/ownership"
	"deckhand/internal/polaris"
	"deckhand/internal/s3test"
	"deckhand/internal/tabletest"
	"deckhand/internal/tabletest/icebergtable"
	"deckhand/jobs"
	"deckhand/jobs/orphans"
)

// refuses wants a dead letter with such a sentence, and that nothing was touched.
func (y *yard) refuses(params string, sentences ...string) {
	y.T.Helper()
	before := y.Keys()
	r, err := y.search(params)
	require.True(y.T, jobs.IsPermanent(err), "%v", err)
	for _, sentence := range sentences {
		require.ErrorContains(y.T, err, sentence)
	}
	require.Equal(y.T, before, y.Keys())
	require.Empty(y.T, r.Deleted)
	require.Empty(y.T, r.Moved)
}

// small is a table of three snapshots with two orphans.
func small(t testing.TB) *yard {
	y := newYard(t)
	d := mt.NewDraft()
	d.Manifest("m1", "f1", "f2")
	d.Manifest("m2", "f3")
	d.Snapshot("m1")
	d.Snapshot("m1", "m2")
	y.Lay(d, nil)
	y.plant("data/orphan1", "data/orphan2")
	return y
}

func TestATableThatMayShareItsFilesIsRefused(t *testing.T) {
	t.Parallel()
	y := small(t)
	y.Edit(y.Ledger.Location, func(m mt.Object) { m["properties"] = mt.Object{"gc.enabled": "false"} })
	y.refuses(quickly, "gc.enabled", "set it to true")
}

func TestWhatCannotBeReadStopsTheRun(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(y *yard) string{
		"a manifest that is gone": func(y *yard) string { y.Remove(mt.InHome("metadata/m1")); return "metadata/m1" },
		"a manifest that is cut": func(y *yard) string {
			m := mt.InHome("metadata/m2")
			y.Put(m, tabletest.Truncate(70)(y.Get(m)))
			return "metadata/m2"
		},
		"a list that is no list": func(y *yard) string {
			y.Put(mt.InHome("metadata/list-1.avro"), tabletest.NotAvro(nil))
			return "metadata/list-1.avro"
		},
		"a manifest that may not be read": func(y *yard) string {
			y.Server.Fault(func(_ int64, op string, r *http.Request) *s3test.Fault {
				if op == "GetObject" && strings.HasSuffix(r.URL.Path, "/m2") {
					return &s3test.Fault{Status: http.StatusForbidden, Code: "AccessDenied"}
				}
				return nil
			})
			return "metadata/m2"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			y := small(t)
			y.refuses(quickly, spoil(y), "cannot be read", "mend it or roll the table back")
		})
	}
}

func TestAListingThatFailsDeletesNothing(t *testing.T) {
	t.Parallel()
	y := small(t)
	for n := range 1500 {
		y.plant("data/many-" + strings.Repeat("x", n%7) + string(rune('a'+n%26)) + time.Duration(n).String())
	}
	before := y.Keys()
	pages := 0
	y.Server.Fault(func(_ int64, op string, _ *http.Request) *s3test.Fault {
		if op == "ListObjectsV2" {
			if pages++; pages > 1 {
				return &s3test.Fault{Status: http.StatusServiceUnavailable, Code: "InternalError"}
			}
		}
		return nil
	})
	_, err := y.search(quickly)
	require.ErrorIs(t, err, jobs.ErrUnavailable)
	require.Equal(t, before, y.Keys())
	y.Server.Fault(func(_ int64, op string, _ *http.Request) *s3test.Fault {
		if op == "ListObjectsV2" {
			return &s3test.Fault{Status: http.StatusForbidden, Code: "AccessDenied"}
		}
		return nil
	})
	y.refuses(quickly, "list", "access denied")
	y.Server.Fault(nil)
	_, err = y.search(quickly)
	require.NoError(t, err)
	require.Less(t, len(y.Keys()), 50)
}

func TestTwoTablesInOneLocationAreKnownByTheirMetadataFiles(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"another table":         `{"format-version":2,"table-uuid":"11111111-2222-3333-4444-555555555555","location":"s3://warehouse/db/t","last-column-id":1}`,
		"a view":                `{"view-uuid":"11111111-2222-3333-4444-555555555555","format-version":1,"location":"s3://warehouse/db/t"}`,
		"one that does not say": `{"format-version":1,"location":"s3://warehouse/db/t"}`,
		"one that is damaged":   `{"format-version":2,"location":"s3://wareh`,
		"a UUID far behind":     `{"location":"` + strings.Repeat("x", 10_000) + `","table-uuid":"11111111-2222-3333-4444-555555555555"}`,
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
		return n, ownership.Catalog
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

	y = outside()
	y.among(&town{})
	_, err = y.search(quickly)
	require.NoError(t, err)
	y.Has(false, "s3://other/pool/orphan", "data/orphan1")

	y = outside()
	y.among(&town{found: ownership.Surroundings{Neighbours: []ownership.Neighbour{neighbour("s3://other/pool", "s3://other/pool", ownership.Same)}}})
	y.refuses(quickly, "s3://other/pool")
}

func TestAWholeBucketIsNoPlaceToLook(t *testing.T) {
	t.Parallel()
	y := small(t)
	y.refuses(`{"locations":["s3://warehouse/"]}`, "whole bucket", "name a folder of the table")
	r, err := y.search(`{"locations":["s3://warehouse/db/t2","s3://warehouse/db"]}`)
	require.NoError(t, err)
	y.Has(true, "data/orphan1")
	require.Contains(t, strings.Join(r.Notes, "\n"), "s3://warehouse/db/t2 is skipped")
	require.Empty(t, r.Locations)
}

func TestFilesNamedWithAnotherBucketAreDealtWithAsTheSettingsSay(t *testing.T) {
	t.Parallel()
	mixed := func() *yard {
		y := newYard(t)
		d := mt.NewDraft()
		d.Manifest("m1", "f1", "s3://other/db/t/data/f2", "s3a://warehouse/db/t/data/f3")
		d.Snapshot("m1")
		y.Lay(d, nil)
		y.plant("data/f2", "data/orphan1")
		return y
	}
	y := mixed()
	y.refuses(quickly, "s3://warehouse/db/t/data/f2", "s3://other/", "equal-authorities", "other=warehouse", "prefix-mismatch-mode")
	r, err := y.search(`{"prefix-mismatch-mode":"IGNORE"}`)
	require.NoError(t, err)
	y.Has(true, "data/f2", "data/f1", "data/f3")
	y.Has(false, "data/orphan1")
	require.EqualValues(t, 1, r.Kept[orphans.Mismatched].Counts.Total().Files)

	y = mixed()
	_, err = y.search(`{"prefix-mismatch-mode":"DELETE"}`)
	require.NoError(t, err)
	y.Has(false, "data/f2", "data/orphan1")
	y.Has(true, "data/f1", "data/f3", "s3://other/db/t/data/f2")

	y = mixed()
	r, err = y.search(`{"equal-authorities":"other=warehouse"}`)
	require.NoError(t, err)
	y.Has(true, "data/f2", "data/f1", "data/f3")
	y.Has(false, "data/orphan1")
	require.EqualValues(t, 6, r.Named.Files)

	// What is somebody else's or too young needs no answer.
	y = mixed()
	y.ages["data/f2"] = time.Hour
	_, err = y.search(quickly)
	require.NoError(t, err)
	y.Has(true, "data/f2")
	y.Has(false, "data/orphan1")
}

func TestATableThatIsDroppedOrMadeAnewMeanwhileIsLeftAlone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(y *yard)
		check  func(r *orphans.Receipt, err error)
	}{
		"dropped": {
			func(y *yard) { y.Ledger.Location = "" },
			func(r *orphans.Receipt, err error) { require.NoError(t, err); require.True(t, r.Gone) },
		},
		"made anew": {
			func(y *yard) {
				y.Edit(y.Ledger.Location, func(m mt.Object) { m["table-uuid"] = "aaaaaaaa-0000-0000-0000-000000000000" })
			},
			func(_ *orphans.Receipt, err error) { require.ErrorContains(t, err, "created anew") },
		},
		"shared": {
			func(y *yard) {
				y.Ledger.Change(mt.Object{"action": "set-properties", "updates": mt.Object{"gc.enabled": "false"}})
			},
			func(_ *orphans.Receipt, err error) { require.ErrorContains(t, err, "gc.enabled") },
		},
		"moved": {
			func(y *yard) {
				y.Ledger.Change(mt.Object{"action": "set-properties", "updates": mt.Object{"write.data.path": "s3://other/x"}})
			},
			func(_ *orphans.Receipt, err error) { require.ErrorContains(t, err, "locations were changed") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			y := small(t)
			y.Ledger.Fault = func(n int, _ string) mt.Fault {
				if n == 2 {
					c.change(y)
				}
				return mt.Fault{}
			}
			r, err := y.search(quickly)
			c.check(r, err)
			y.Has(true, "data/orphan1", "data/orphan2")
		})
	}
}

func TestAFileThatALaterCommitAdoptsStays(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	made := y.Write(icebergtable.Options{Files: 2, Snapshots: 1})
	y.plant("data/orphan1", "data/region=north/adopted.parquet")
	y.Ledger.Fault = func(n int, op string) mt.Fault {
		if n == 2 {
			y.adopt("data/region=north/adopted.parquet")
		}
		return mt.Fault{}
	}
	r, err := y.search(quickly)
	require.NoError(t, err)
	y.Has(true, "data/region=north/adopted.parquet")
	y.Has(false, "data/orphan1")
	require.EqualValues(t, 1, r.Kept[orphans.Adopted].Counts.Total().Files)
	require.Equal(t, 1, r.Commits)
	require.NotEqual(t, made.MetadataLocation, r.MetadataLocation)
}

// adopt commits a snapshot that names files which are there already, as add_files
// does.
func (y *yard) adopt(names ...string) {
	m := y.Metadata()
	n := len(m.Snapshots) + 1
	d := mt.NewDraft()
	d.Snapshots = nil
	list := mt.InHome("metadata/adopting-" + time.Duration(n).String() + ".avro")
	manifest := "adopting-m" + time.Duration(n).String()
	d.Manifest(manifest, func() (files []string) {
		for _, name := range names {
			files = append(files, mt.InHome(name))
		}
		return files
	}()...)
	d.Lists = []tabletest.HandmadeList{{Path: list, Manifests: []string{mt.InHome("metadata/" + manifest)}}}
	d.Root = mt.InHome("adopting/nothing")
	d.Metadata = mt.CompleteMetadata([]mt.Object{{"snapshot-id": 1, "timestamp-ms": 1}})
	objects := d.Objects()
	delete(objects, d.Root)
	y.Load(objects)
	y.Ledger.Change(mt.Object{"action": "add-snapshot", "snapshot": mt.Object{
		"snapshot-id": 1000 + n, "sequence-number": m.LastSequenceNumber + 1, "timestamp-ms": time.Now().UnixMilli(),
		"manifest-list": list, "summary": mt.Object{"operation": "append"}, "schema-id": 0,
	}}, mt.SetRef("main", "branch", int64(1000+n)))
}

func TestARunDealsWithNoMoreThanItMayAndSaysHowManyAreLeft(t *testing.T) {
	t.Parallel()
	y := small(t)
	for n := range 8 {
		y.plant("data/more-" + time.Duration(n).String())
	}
	r, err := y.search(`{"max-files":3}`)
	require.NoError(t, err)
	require.EqualValues(t, 3, r.Deleted.Total().Files)
	require.EqualValues(t, 7, r.Kept[orphans.BeyondCap].Counts.Total().Files)
	y.cfg.MaxFiles = 4
	r, err = y.search(quickly)
	require.NoError(t, err)
	require.EqualValues(t, 4, r.Deleted.Total().Files)
	r, err = y.search(`{"max-files":100}`)
	require.NoError(t, err)
	require.EqualValues(t, 3, r.Deleted.Total().Files)
	require.Empty(t, r.Kept)
}

func TestWhatTheStoreRefusesIsCountedAndTheRestGoes(t *testing.T) {
	t.Parallel()
	y := small(t)
	y.Server.Fault(func(_ int64, op string, _ *http.Request) *s3test.Fault {
		if op == "DeleteObjects" {
			return &s3test.Fault{Key: func(key string) string {
				return map[string]string{"db/t/data/orphan1": "AccessDenied"}[key]
			}}
		}
		return nil
	})
	r, err := y.search(quickly)
	require.True(t, jobs.IsPermanent(err))
	require.ErrorContains(t, err, "data/orphan1")
	y.Has(true, "data/orphan1")
	y.Has(false, "data/orphan2")
	require.EqualValues(t, 1, r.Deleted.Total().Files)
	require.EqualValues(t, 1, r.Kept["refused by the store"].Counts.Total().Files)
}

func TestHiddenFoldersOfPartitionFieldsAreLookedThrough(t *testing.T) {
	t.Parallel()
	y := small(t)
	y.Edit(y.Ledger.Location, func(m mt.Object) {
		m["partition-specs"] = []mt.Object{{"spec-id": 0, "fields": []mt.Object{{"source-id": 1, "field-id": 1000, "name": "_c", "transform": "identity"}}}}
	})
	y.plant("data/_c=1/orphan", "data/_d=1/f")
	_, err := y.search(quickly)
	require.NoError(t, err)
	y.Has(false, "data/_c=1/orphan")
	y.Has(true, "data/_d=1/f")
}

func TestACutOffRunKeepsItsCounts(t *testing.T) {
	t.Parallel()
	y := small(t)
	progress := jobtest.After([]byte(`{"deleted":{"data":{"files":5,"bytes":50}}}`))
	r, err := y.run(t.Context(), quickly, progress)
	require.NoError(t, err)
	require.True(t, r.Resumed)
	require.EqualValues(t, 7, r.Deleted.Total().Files)
	require.True(t, slices.Contains(y.Keys(), y.Ledger.Location))
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
}

func TestAStoreThatLetsNothingBeDeletedIsNotAskedForAll(t *testing.T) {
	t.Parallel()
	y := small(t)
	for n := range 3000 {
		y.plant("data/many" + time.Duration(n).String())
	}
	y.Server.Fault(func(_ int64, op string, _ *http.Request) *s3test.Fault {
		if op == "DeleteObjects" {
			return &s3test.Fault{Key: func(string) string { return "AccessDenied" }}
		}
		return nil
	})
	r, err := y.search(`{"max-concurrent-deletes":1}`)
	require.True(t, jobs.IsPermanent(err))
	require.ErrorContains(t, err, "1000 problems")
	require.EqualValues(t, 1, r.Requests.ByOperation["DeleteObjects"])
}

// No version of the format has them yet.
func TestAPathThatIsRelativeIsOneBelowTheTablesLocation(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	d := mt.NewDraft()
	d.Manifest("m1", "f1")
	d.Snapshot("m1")
	y.Lay(d, nil)
	d.Manifests[0].Entries = append(d.Manifests[0].Entries, tabletest.HandmadeEntry{Status: 1, Path: "data/relative", Size: 1})
	y.Put(mt.InHome("metadata/m1"), d.Objects()[mt.InHome("metadata/m1")])
	y.Put(mt.InHome("metadata/list-1.avro"), d.Objects()[mt.InHome("metadata/list-1.avro")])
	y.plant("data/relative", "data/orphan")
	_, err := y.search(quickly)
	require.NoError(t, err)
	y.Has(true, "data/relative")
	y.Has(false, "data/orphan")
}
