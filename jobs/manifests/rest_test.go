package manifests_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	"deckhand/internal/maintenance"
	"deckhand/internal/maintenance/maintenancetest"
	"deckhand/internal/polaris"
	"deckhand/internal/standin"
	"deckhand/internal/tabletest/icebergtable"
	"deckhand/jobs"
	"deckhand/jobs/manifests"
)

// rewriteOver runs a job over HTTP.
func rewriteOver(ctx context.Context, o *maintenancetest.Office, params string) (r *manifests.Receipt, err error) {
	o.T.Helper()
	o.OverHTTP(func(cfg maintenance.Config) {
		handler, newErr := manifests.New(manifests.Config{Config: cfg})
		require.NoError(o.T, newErr)
		r, err = jobtest.Run[manifests.Receipt](ctx, o.T, handler, jobWith(params), &jobtest.Progress{})
	})
	return r, err
}

func TestManifestsAreRewrittenWithTheKeysThatTheCatalogVends(t *testing.T) {
	t.Parallel()
	o := maintenancetest.NewOffice(t)
	before := o.Metadata()
	reached := o.Reach(before)
	o.VendedOnly()
	r, err := rewriteOver(t.Context(), o, `{}`)
	require.NoError(t, err)
	require.Positive(t, r.Written.Files)
	require.Zero(t, o.Refused.Load())
	require.Positive(t, o.Tokens())
	o.Server.Fault(nil)
	for id, files := range reached {
		require.Equal(t, files, o.Reach(o.Metadata())[id])
	}
}

func TestRefusalsOfTheCatalogSayWhatIsMissing(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		privileges []string
		spoil      func(o *maintenancetest.Office)
		says       []string
	}{
		"may only read": {[]string{"NAMESPACE_LIST", "TABLE_READ_DATA"}, func(o *maintenancetest.Office) { o.VendedOnly() },
			[]string{"write a manifest", "access denied", "TABLE_WRITE_DATA"}},
		"may not commit": {[]string{"NAMESPACE_LIST", "TABLE_READ_DATA"}, func(o *maintenancetest.Office) { o.DontVend() },
			[]string{"commit the rewritten manifests", "TABLE_WRITE_DATA"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := maintenancetest.NewOffice(t, test.privileges...)
			keys, location := o.Keys(), o.Location()
			test.spoil(o)
			_, err := rewriteOver(t.Context(), o, `{}`)
			require.True(t, jobs.IsPermanent(err), err)
			for _, text := range test.says {
				require.ErrorContains(t, err, text)
			}
			o.Server.Fault(nil)
			o.Catalog.Fault(nil)
			require.Equal(t, location, o.Location())
			require.Equal(t, keys, o.Keys())
		})
	}
}

// plain leaves out columns that were added without values: the snapshot of a rewriting
// has the schema that the table has by then.
func plain(rows []string) []string {
	var short []string
	for _, row := range rows {
		short = append(short, newColumn.ReplaceAllString(row, ""))
	}
	return short
}

var newColumn = regexp.MustCompile(`(?m)^c\d+=\(null\)\n`)

// Whatever iceberg-go does to a table, with rewritings in between and writers that
// come between their plans and their commits: every snapshot that is there reads the
// same rows as it always did, with the same row ids.
func TestALivingTableReadsTheSameRowsAfterEachRewriting(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rewritten, dropped, conflicts := 0, int64(0), 0
	for n := range 6 {
		y := newYard(t)
		made := y.Write(icebergtable.Options{FormatVersion: 1 + n%3, Files: 2, Snapshots: 2, PositionDeletes: n%3 == 1})
		a := &maintenancetest.Author{Office: y.OfficeOf(made.MetadataLocation), Random: rand.New(rand.NewPCG(seed, uint64(n))), Next: 100}
		known := map[int64][]string{}
		check := func(what string) {
			for id, rows := range y.Rows(a.Location()) {
				if known[id] == nil {
					known[id] = rows
				}
				require.Equal(t, plain(known[id]), plain(rows), "seed %d, table %d, after %s: snapshot %d", seed, n, what, id)
			}
		}
		check("the beginning")
		for range 14 {
			if a.Random.IntN(3) > 0 {
				what, _ := a.Step(t.Context())
				check(what)
				continue
			}
			before := a.Metadata()
			if a.Random.IntN(2) == 0 {
				first := true
				a.Catalog.Fault(func(_ int64, kind standin.Kind, _ *http.Request) *standin.Fault {
					if kind != standin.CommitTable || !first {
						return nil
					}
					first = false
					return &standin.Fault{Call: func() { _, _ = a.Step(context.Background()) }}
				})
			}
			r, err := rewriteOver(t.Context(), a.Office, fmt.Sprintf(`{"target-size-bytes":%d}`, 4096<<a.Random.IntN(12)))
			a.Catalog.Fault(nil)
			require.NoError(t, err, "seed %d, table %d", seed, n)
			conflicts += r.Conflicts
			dropped += r.Dropped.Total().Files
			if r.SnapshotID == "" {
				continue
			}
			rewritten++
			after := a.Metadata()
			made := current(t, after)
			if r.Conflicts == 0 {
				known[made.ID] = known[before.CurrentSnapshotID]
			} else {
				known[made.ID] = known[made.ParentID]
			}
			check("a rewriting")
		}
	}
	t.Logf("%d rewritten, %d conflicts, %d delete files dropped", rewritten, conflicts, dropped)
	require.Positive(t, rewritten)
}

// The first commit's answer says that its state is not known, and it comes while the
// job looks for it, or later.
func TestACommitThatComesLateIsTakenForWhatItIs(t *testing.T) {
	t.Parallel()
	f := aForge(t, 2)
	c := f.AtCounter(f.Ledger.Location)
	late := &lateClient{Counter: c}
	handler, err := manifests.New(manifests.Config{Config: f.Over(late)})
	require.NoError(t, err)
	r, err := jobtest.Run[manifests.Receipt](t.Context(), t, handler, jobWith(`{}`), &jobtest.Progress{})
	require.NoError(t, err)
	loaded, err := c.Load(t.Context(), polaris.Identifier{}, polaris.LoadOptions{})
	require.NoError(t, err)
	require.Len(t, loaded.Metadata.Snapshots, 2, "one commit")
	require.Equal(t, idText(loaded.Metadata.CurrentSnapshotID), r.SnapshotID)
}
