package orphans_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	mt "deckhand/internal/maintenance/maintenancetest"
	"deckhand/internal/tabletest/icebergtable"
)

// A run that is cut off at any request, to the store or the catalog, and repeated
// ends as one that was not; so does a run that somebody else's commit comes into.
func TestARunThatIsCutOffAnywhereAndRepeatedEndsTheSame(t *testing.T) {
	t.Parallel()
	for _, params := range []string{quickly, `{"quarantine":"7d"}`} {
		t.Run(params, func(t *testing.T) {
			t.Parallel()
			y := newYard(t)
			y.Write(icebergtable.Options{Files: 3, Snapshots: 2, PositionDeletes: true})
			y.plant("data/a", "data/b", "metadata/old-m0.avro", ".deckhand-trash/20200101-000000/data/long-ago", ".deckhand-trash/20200101-000000/young")
			y.Put(mt.InHome("metadata/old.metadata.json"), y.Get(y.Ledger.Location))
			full, location := y.Server.Snapshot(), y.Ledger.Location
			y.Ledger.Requests = 0
			whole, err := y.search(params)
			require.NoError(t, err)
			want := y.settled()
			cuts := y.Cuts(whole.Requests)
			require.Greater(t, len(cuts), 20)
			for _, c := range cuts {
				y.Server.Restore(full)
				y.Open(location)
				y.Ledger.Requests = 0
				progress := &jobtest.Progress{}
				_ = y.CutOff(c, func(ctx context.Context) error {
					_, err := y.run(ctx, params, progress)
					return err
				})
				r, err := y.run(t.Context(), params, progress)
				require.NoError(t, err, c)
				require.Equal(t, want, y.settled(), c)
				total := r.Deleted.Total().Files + r.Moved.Total().Files
				require.LessOrEqual(t, total, int64(6), c)
			}
		})
	}
}

// settled are the keys, with the trash of these runs under no time: a move that was
// cut off leaves what it has copied there, and is made again.
func (y *yard) settled() []string {
	var keys []string
	for _, name := range y.below() {
		if match := stampPattern.FindString(name); match != "" {
			name = fmt.Sprintf("trash of a run/%s", name[len(match):])
		}
		keys = append(keys, name)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}
