package orphans_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/apache/iceberg-go/table"
	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	"deckhand/internal/maintenance"
	mt "deckhand/internal/maintenance/maintenancetest"
	"deckhand/internal/s3test"
	"deckhand/internal/standin"
	"deckhand/internal/tabletest/icebergtable"
	"deckhand/jobs"
	"deckhand/jobs/orphans"
)

// searchOver runs one search over HTTP.
func (y *yard) searchOver(o *mt.Office, params string) (r *orphans.Receipt, err error) {
	y.T.Helper()
	o.OverHTTP(func(cfg maintenance.Config) {
		config := y.cfg
		config.Config = cfg
		config.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
		handler, newErr := orphans.New(config)
		require.NoError(y.T, newErr)
		r, err = jobtest.Run[orphans.Receipt](y.T.Context(), y.T, handler, mt.Job(jobs.Orphans, params), &jobtest.Progress{})
	})
	return r, err
}

// addFiles adopts files that lie in the table's folder, as Spark's procedure does.
func addFiles(ctx context.Context, a *mt.Author, paths ...string) error {
	t, err := a.LoadTable(ctx, table.Identifier{"zoo", "t"})
	if err != nil {
		return err
	}
	tx := t.NewTransaction()
	if err := tx.AddFiles(ctx, paths, nil, false); err != nil {
		return err
	}
	_, err = tx.Commit(ctx)
	return err
}

// Whatever iceberg-go does to a table, with searches in between and writers that
// come at any request of them, those who adopt what seemed to be an orphan among
// them: every snapshot that is there reads the same rows as it always did. All files
// are old here, so that nothing but the comparison guards them.
func TestALivingTableReadsTheSameRowsAfterEachSearch(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	deleted, adopted, raced, gone := int64(0), int64(0), 0, 0
	for n := range 5 {
		y := newYard(t)
		made := y.Write(icebergtable.Options{Files: 2, Snapshots: 2, PositionDeletes: n%2 == 0})
		o := y.OfficeOf(made.MetadataLocation)
		a := &mt.Author{Office: o, Random: rand.New(rand.NewPCG(seed, uint64(n))), Next: 100}
		var parquet []byte
		for _, key := range y.below() {
			if strings.HasPrefix(key, "data/") && strings.HasSuffix(key, ".parquet") && !strings.Contains(key, "delete") {
				parquet = y.Get(mt.InHome(key))
			}
		}
		known := map[int64][]string{}
		check := func(what string) {
			for id, rows := range y.Rows(o.Location()) {
				if known[id] == nil {
					known[id] = rows
				}
				require.Equal(t, known[id], rows, "seed %d, table %d, after %s: snapshot %d", seed, n, what, id)
			}
		}
		check("the beginning")
		for step := range 10 {
			if a.Random.IntN(3) == 0 {
				what, _ := a.Step(t.Context())
				check(what)
				continue
			}
			var planted []string
			for i := range 3 {
				planted = append(planted, mt.InHome(fmt.Sprintf("data/planted-%d-%d.parquet", step, i)))
				y.Put(planted[i], parquet)
			}
			// Somebody comes at one of the requests.
			at, request, first := a.Random.IntN(12), 0, true
			come := func() {
				if request++; request <= at || !first {
					return
				}
				first = false
				raced++
				if a.Random.IntN(2) == 0 {
					_, _ = a.Step(context.Background())
				} else if err := addFiles(context.Background(), a, planted[0]); err != nil {
					gone++ // it was deleted before
				}
			}
			o.Catalog.Fault(func(_ int64, kind standin.Kind, _ *http.Request) *standin.Fault {
				if kind != standin.LoadTable {
					return nil
				}
				return &standin.Fault{Call: come}
			})
			y.Server.Fault(func(_ int64, op string, _ *http.Request) *s3test.Fault {
				if op == "ListObjectsV2" {
					come()
				}
				return nil
			})
			r, err := y.searchOver(o, []string{quickly, `{"quarantine":"30d"}`}[a.Random.IntN(2)])
			o.Catalog.Fault(nil)
			y.Server.Fault(nil)
			require.NoError(t, err)
			deleted += r.Deleted.Total().Files + r.Moved.Total().Files
			adopted += r.Kept[orphans.Adopted].Counts.Total().Files
			check("a search")
			named := y.namedBy(o)
			for _, p := range planted {
				if !named[p] { // it may have come after the listing
					y.Remove(p)
				}
			}
		}
	}
	t.Logf("%d files deleted, %d adopted meanwhile, %d commits in between, %d of them too late", deleted, adopted, raced, gone)
	require.Positive(t, deleted)
	require.Positive(t, raced)
}

// namedBy is what the table of an office names.
func (y *yard) namedBy(o *mt.Office) map[string]bool {
	m := o.Metadata()
	return y.Reach(m).Union(m)
}

func TestASearchOverRESTUsesTheKeysThatTheCatalogVends(t *testing.T) {
	t.Parallel()
	for _, params := range []string{quickly, `{"quarantine":"7d"}`} {
		y := newYard(t)
		made := y.Write(icebergtable.Everything())
		y.plant("data/orphan1", "metadata/orphan-m0.avro", ".deckhand-trash/20200101-000000/data/f")
		o := y.OfficeOf(made.MetadataLocation)
		o.VendedOnly()
		r, err := y.searchOver(o, params)
		require.NoError(t, err)
		require.Zero(t, o.Refused.Load())
		require.Positive(t, o.Tokens())
		require.EqualValues(t, r.Loads, o.Catalog.Count(standin.LoadTable, http.StatusNotModified), "a table that has not changed costs no body")
		y.Has(false, "data/orphan1", "metadata/orphan-m0.avro")
		if params != quickly {
			require.EqualValues(t, 2, r.Moved.Total().Files)
			y.Has(false, ".deckhand-trash/20200101-000000/data/f")
		}
		y.Rows(o.Location())
	}
}
