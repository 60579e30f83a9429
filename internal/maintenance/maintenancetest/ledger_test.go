package maintenancetest_test

import (
	"testing"

	iceberg "github.com/apache/iceberg-go/table"
	"github.com/stretchr/testify/require"

	"deckhand/internal/maintenance/maintenancetest"
	"deckhand/internal/polaris"
)

// threeSnapshots is a table of which each snapshot adds a manifest.
func threeSnapshots(t *testing.T) *maintenancetest.Yard {
	y := maintenancetest.NewYard(t)
	d := maintenancetest.NewDraft()
	d.Manifest("m1", "a", "-gone")
	d.Manifest("m2", "b")
	d.Snapshot("m1")
	d.Snapshot("m1", "m2")
	d.Snapshot("m2")
	y.Lay(d, maintenancetest.Object{"format-version": 3, "next-row-id": 100})
	return y
}

func TestTheLedgerTakesARefWithItsSnapshotWithoutAWord(t *testing.T) {
	t.Parallel()
	y := threeSnapshots(t)
	before := y.Ledger.Location
	y.Ledger.Change(maintenancetest.SetRef("saved", "tag", 1))
	require.Contains(t, y.Metadata().Refs, "saved")
	_, err := y.Ledger.Commit(t.Context(), polaris.Identifier{}, nil, []iceberg.Update{iceberg.NewRemoveSnapshotsUpdate([]int64{1}, false)})
	require.NoError(t, err)
	m := y.Metadata()
	require.NotContains(t, m.Refs, "saved")
	require.Len(t, m.Snapshots, 2)
	require.Equal(t, before, m.MetadataLog[len(m.MetadataLog)-2])
	require.Panics(t, func() { y.Ledger.Change(maintenancetest.SetRef("late", "tag", 1)) }, "the snapshot is gone")
}

func TestTheLedgerRefusesASnapshotThatIsBehindTheTable(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sequence, firstRow int64
		refusal            error
	}{
		"sequence number": {3, 100, polaris.ErrConflict}, "row id": {4, 99, polaris.ErrRejected}, "": {4, 100, nil},
	} {
		y := threeSnapshots(t)
		commit := func() error {
			_, err := y.Ledger.Commit(t.Context(), polaris.Identifier{}, nil, []iceberg.Update{iceberg.NewAddSnapshotUpdate(&iceberg.Snapshot{
				SnapshotID: 9, SequenceNumber: c.sequence, TimestampMs: 1_700_000_000_009, ManifestList: maintenancetest.InHome("metadata/list-3.avro"),
				FirstRowID: &c.firstRow, AddedRows: new(int64), Summary: &iceberg.Summary{Operation: iceberg.OpAppend},
			})})
			return err
		}
		require.ErrorIs(t, commit(), c.refusal, name)
		if c.refusal != nil {
			require.Len(t, y.Metadata().Snapshots, 3, name)
			y.Ledger.Lenient = true
			require.NoError(t, commit(), name)
		}
		require.Len(t, y.Metadata().Snapshots, 4, name)
	}
}

func TestAFaultOfTheLedgerIsCarriedOutOnlyWhereItSaysSo(t *testing.T) {
	t.Parallel()
	for _, served := range []bool{false, true} {
		y := threeSnapshots(t)
		before := y.Ledger.Location
		y.Ledger.Fault = func(n int, op string) maintenancetest.Fault {
			require.Equal(t, 1, n)
			require.Equal(t, "commit", op)
			return maintenancetest.Fault{Err: maintenancetest.ErrUnknown, Served: served}
		}
		_, err := y.Ledger.Commit(t.Context(), polaris.Identifier{}, nil, []iceberg.Update{iceberg.NewRemoveSnapshotRefUpdate("main")})
		require.ErrorIs(t, err, polaris.ErrStateUnknown)
		require.Equal(t, served, before != y.Ledger.Location)
	}
}

func TestReachIsWhatLiveEntriesNameAndAllAboveThem(t *testing.T) {
	t.Parallel()
	y := threeSnapshots(t)
	m := y.Metadata()
	reach := y.Reach(m)
	want := func(names ...string) map[string]bool {
		set := map[string]bool{}
		for _, name := range names {
			set[maintenancetest.InHome(name)] = true
		}
		return set
	}
	require.Equal(t, want("metadata/list-1.avro", "metadata/m1", "data/a"), reach[1])
	require.Equal(t, want("metadata/list-2.avro", "metadata/m1", "metadata/m2", "data/a", "data/b"), reach[2])
	require.Equal(t, want("metadata/list-3.avro", "metadata/m2", "data/b"), reach[3])
	m.Snapshots = m.Snapshots[1:]
	require.Equal(t, want("metadata/list-2.avro", "metadata/list-3.avro", "metadata/m1", "metadata/m2", "data/a", "data/b"), reach.Union(m))
}
