package expire_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	"deckhand/internal/maintenance/maintenancetest"
	"deckhand/internal/standin"
	"deckhand/internal/tabletest/icebergtable"
	"deckhand/jobs"
)

// Whatever iceberg-go does to a table, with expiries in between and writers that
// come between their plans and their commits: every snapshot that is there reads
// the same rows as it always did.
func TestALivingTableReadsTheSameRowsAfterEachStep(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	done, refused := map[string]int{}, map[string]int{}
	expired, dead := 0, 0
	for n := range 6 {
		y := newYard(t)
		made := y.Write(icebergtable.Options{Files: 2, Snapshots: 2, PositionDeletes: n%2 == 0})
		o := y.officeOf(made.MetadataLocation)
		a := &maintenancetest.Author{Office: o.Office, Random: rand.New(rand.NewPCG(seed, uint64(n))), Next: 100}
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
		for range 14 {
			if a.Random.IntN(3) > 0 {
				what, err := a.Step(t.Context())
				if done[what]++; err != nil {
					refused[what]++
				}
				check(what)
				continue
			}
			if raced := a.Random.IntN(2) == 0; raced {
				first := true
				o.Catalog.Fault(func(_ int64, kind standin.Kind, _ *http.Request) *standin.Fault {
					if kind != standin.CommitTable || !first {
						return nil
					}
					first = false
					return &standin.Fault{Call: func() { _, _ = a.Step(context.Background()) }}
				})
			}
			r, err := o.expireOver(t.Context(), fmt.Sprintf(`{"older-than":"0s","retain-last":%d,"clean-expired-metadata":%t}`,
				1+a.Random.IntN(3), a.Random.IntN(2) == 0), &jobtest.Progress{})
			o.Catalog.Fault(nil)
			expired += r.Removed.Snapshots
			check("an expiry")
			if err != nil { // a ref came that the catalog does not take back
				dead++
				require.True(t, jobs.IsPermanent(err), "seed %d, table %d: %v", seed, n, err)
				require.ErrorContains(t, err, "does not take it back")
				break
			}
		}
	}
	t.Logf("done %v, refused %v; %d snapshots expired, %d dead", done, refused, expired, dead)
	require.Positive(t, expired)
}
