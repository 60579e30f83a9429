package orphans_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	mt "deckhand/internal/maintenance/maintenancetest"
	"deckhand/internal/s3test"
	"deckhand/internal/tabletest"
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

func TestAFolderThatASignWasLookedForInAndIsSaidNotToBeThereDeletesNothing(t *testing.T) {
	t.Parallel()
	y := small(t)
	y.Server.Fault(func(_ int64, op string, r *http.Request) *s3test.Fault {
		if op == "ListObjectsV2" && strings.Contains(r.URL.Query().Get("prefix"), "metadata") {
			return &s3test.Fault{Status: http.StatusNotFound, Code: "NoSuchKey"} // a proxy's; a store lists nothing
		}
		return nil
	})
	y.refuses(`{"locations":["`+mt.InHome("data")+`"]}`, "look for other tables")
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

func TestANameOfWhichTheBucketIsNotKnownStopsTheRun(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"s3://arn:aws:s3:r:1:accesspoint/a/db/t/data/f2", "s3:///warehouse/db/t/data/f2", "s3a:/warehouse/db/t/data/f2"} {
		for _, params := range []string{quickly, `{"equal-schemes":"s3=oss"}`} {
			y := newYard(t)
			d := mt.NewDraft()
			d.Manifest("m1", "f1")
			d.Snapshot("m1")
			y.Lay(d, nil)
			d.Manifests[0].Entries = append(d.Manifests[0].Entries, tabletest.HandmadeEntry{Status: 1, Path: name, Size: 1})
			y.Put(mt.InHome("metadata/m1"), d.Objects()[mt.InHome("metadata/m1")])
			y.Put(mt.InHome("metadata/list-1.avro"), d.Objects()[mt.InHome("metadata/list-1.avro")])
			y.plant("data/f2")
			y.refuses(params, name, "cannot be told which file")
		}
	}
}

func TestARoundThatFailsKeepsItsCountsForTheNextRun(t *testing.T) {
	t.Parallel()
	y := small(t)
	y.Server.Fault(func(_ int64, op string, _ *http.Request) *s3test.Fault {
		if op == "DeleteObjects" {
			return &s3test.Fault{Key: func(key string) string {
				return map[string]string{"db/t/data/orphan1": "InternalError"}[key]
			}}
		}
		return nil
	})
	progress := &jobtest.Progress{}
	_, err := y.run(t.Context(), quickly, progress)
	require.ErrorIs(t, err, jobs.ErrUnavailable)
	y.Has(true, "data/orphan1")
	y.Has(false, "data/orphan2")
	y.Server.Fault(nil)
	r, err := y.run(t.Context(), quickly, jobtest.After(progress.Checkpoint()))
	require.NoError(t, err)
	require.EqualValues(t, 2, r.Deleted.Total().Files)
}
