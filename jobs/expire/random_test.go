package expire_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	"deckhand/internal/maintenance/maintenancetest"
	"deckhand/jobs"
)

// In any history, with another writer at the worst moment and a crash anywhere,
// every snapshot that is left reaches the same files, all of them are there, and
// nothing else is that a removed one had reached.
func TestInAnyHistoryExactlyWhatIsReachedStays(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	dead, raced, crashed := 0, 0, 0
	for n := range 50 {
		r := rand.New(rand.NewPCG(seed, uint64(n)))
		y := newYard(t)
		y.Ledger.Lenient = r.IntN(3) > 0
		if r.IntN(2) == 0 {
			y.large = -1 // every table is
		}
		d, more := maintenancetest.RandomDraft(r, 1)
		y.Lay(d, more)
		before := y.Metadata()
		reached, keys := y.Reach(before), y.Files()
		params := fmt.Sprintf(`{"older-than":"0s","retain-last":%d}`, 1+r.IntN(3))
		now := time.UnixMilli(1_700_000_000_000 + int64(r.IntN(len(before.Snapshots)+3)))
		y.Config.Now = func() time.Time { return now }

		spare := d.Snapshots[len(d.Snapshots)-1]
		victim := before.Snapshots[r.IntN(len(before.Snapshots))].ID
		switch r.IntN(4) {
		case 0:
			raced++
			y.Ledger.Race = func() { y.Ledger.Change(maintenancetest.SetRef("late", "tag", victim)) }
		case 1:
			raced++
			spare["parent-snapshot-id"], spare["first-row-id"] = victim, 100_000
			spare["sequence-number"] = 1000
			y.Ledger.Race = func() {
				y.Ledger.Change(object{"action": "add-snapshot", "snapshot": spare}, maintenancetest.SetRef("side", "branch", spare["snapshot-id"].(int64)))
			}
		case 2:
			raced++
			y.Ledger.Race = func() { y.Ledger.Change(maintenancetest.SetRef("main", "branch", victim)) }
		}
		spare["snapshot-id"] = int64(spare["snapshot-id"].(int))
		progress := &jobtest.Progress{}
		if r.IntN(2) == 0 {
			crashed++
			_ = y.cutOff(maintenancetest.Cut{Catalog: r.IntN(3) == 0, N: 1 + r.IntN(12), Served: r.IntN(2) == 0}, progress)
			if r.IntN(2) == 0 {
				progress = &jobtest.Progress{}
			}
		}
		receipt, err := y.run(t.Context(), params, progress)
		after := y.Metadata()
		what := fmt.Sprintf("seed %d, table %d: %v", seed, n, receipt.Notes)
		all := y.Reach(after) // fails when a file of metadata is missing
		for id, files := range reached {
			if all[id] != nil {
				require.Equal(t, files, all[id], what)
			}
		}
		there := map[string]bool{}
		for _, key := range y.Files() {
			there[key] = true
		}
		for file := range all.Union(after) {
			require.True(t, there[file], "%s: %s is missing", what, file)
		}
		if err != nil {
			dead++
			require.True(t, jobs.IsPermanent(err), "%s: %v", what, err)
			require.ErrorContains(t, err, `"late"`, what)
			require.Empty(t, receipt.Deleted, what)
			require.Empty(t, y.Missing(keys), what)
			continue
		}
		union := reached.Union(before)
		for file := range all.Union(after) {
			union[file] = true
		}
		require.Equal(t, wantAfter(keys, union, all.Union(after)), y.Files(), what)
		if _, late := after.Refs["late"]; late {
			require.Contains(t, all, victim, what)
		}
	}
	t.Logf("%d raced, %d crashed, %d dead", raced, crashed, dead)
	require.Positive(t, raced)
	require.Positive(t, crashed)
}
