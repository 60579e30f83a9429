package expire_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	"deckhand/internal/maintenance/maintenancetest"
	"deckhand/internal/polaris"
	"deckhand/internal/table"
	"deckhand/internal/tabletest/icebergtable"
	"deckhand/jobs"
)

// A tag or branch that comes between the plan and the commit goes with its
// snapshot, as a catalog does it; then it is put back, or the job says how.
func TestARefThatComesBeforeTheCommitIsNeverLostWithItsFiles(t *testing.T) {
	t.Parallel()
	for _, version := range []int{1, 2, 3} {
		for _, kind := range []string{"tag", "branch"} {
			for _, lenient := range []bool{false, true} {
				t.Run(fmt.Sprintf("v%d %s lenient %t", version, kind, lenient), func(t *testing.T) {
					t.Parallel()
					y := newYard(t)
					y.Ledger.Lenient = lenient
					y.Write(icebergtable.Options{FormatVersion: version, Files: 8, Snapshots: 4, PositionDeletes: version > 1, Statistics: true})
					before := y.Metadata()
					reached, keys := y.Reach(before), y.Files()
					saved := before.Snapshots[1].ID
					y.Ledger.Race = func() { y.Ledger.Change(maintenancetest.SetRef("late", kind, saved)) }
					progress := &jobtest.Progress{}
					receipt, err := y.run(t.Context(), expireAll, progress)
					after := y.Metadata()
					if version > 1 && !lenient {
						// Its sequence number is behind the table's, so the catalog refuses it.
						require.True(t, jobs.IsPermanent(err), err)
						require.ErrorContains(t, err, fmt.Sprintf("the %s %q at snapshot %d", kind, "late", saved))
						require.ErrorContains(t, err, after.MetadataLog[len(after.MetadataLog)-1])
						require.Empty(t, receipt.Deleted)
						require.Empty(t, y.Missing(keys), "no file may go")

						// Every further expiry says the same.
						_, again := y.expire(expireAll)
						require.True(t, jobs.IsPermanent(again))
						require.Empty(t, y.Missing(keys))

						// The restore of the README: the table is registered anew.
						restored := after.MetadataLog[len(after.MetadataLog)-1]
						y.Open(restored)
						_, err = y.expire(expireAll)
						require.NoError(t, err)
						after = y.Metadata()
					} else {
						require.NoError(t, err)
						require.Contains(t, strings.Join(receipt.Notes, " "), "were put back")
					}
					require.Equal(t, table.Ref{SnapshotID: saved, Type: table.RefType(kind)}, after.Refs["late"])
					require.Len(t, after.Snapshots, 2)
					for _, s := range after.Snapshots {
						require.Equal(t, reached[s.ID], y.Reach(after)[s.ID])
					}
					require.Equal(t, wantAfter(keys, reached.Union(before), reached.Union(after)), y.Files())
				})
			}
		}
	}
}

func TestNoFileGoesWhileTheReplacedMetadataCannotBeRead(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.Write(icebergtable.Everything())
	keys := y.Files()
	old := y.Metadata().Snapshots[0].ID
	y.Ledger.Race = func() {
		y.Ledger.Change(object{"action": "set-properties", "updates": object{"a": "b"}})
		y.Put(y.Ledger.Location, append([]byte("x"), y.Get(y.Ledger.Location)...))
	}
	damaged := ""
	y.Ledger.Race = func() {
		y.Ledger.Change(maintenancetest.SetRef("late", "tag", old))
		damaged = y.Ledger.Location
	}
	y.Ledger.Fault = func(_ int, op string) maintenancetest.Fault {
		if damaged != "" && op == "load" {
			y.Put(damaged, []byte("not json"))
		}
		return maintenancetest.Fault{}
	}
	receipt, err := y.expire(expireAll)
	require.True(t, jobs.IsPermanent(err), err)
	require.ErrorContains(t, err, damaged)
	require.Empty(t, receipt.Deleted)
	require.Empty(t, y.Missing(keys))

	y.Ledger.Fault = nil
	y.Remove(damaged)
	_, err = y.expire(expireAll)
	require.True(t, jobs.IsPermanent(err), err)
	require.Empty(t, y.Missing(keys))
}

func TestARaceThatTouchesNothingIsNoReasonToKeepFiles(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.Write(icebergtable.Everything())
	before := y.Metadata()
	reached, keys := y.Reach(before), y.Files()
	y.Ledger.Race = func() {
		y.Ledger.Change(object{"action": "set-properties", "updates": object{"a": "b"}})
		y.Ledger.Change(maintenancetest.SetRef("current", "tag", before.CurrentSnapshotID))
	}
	receipt, err := y.expire(expireAll)
	require.NoError(t, err)
	require.Zero(t, receipt.Conflicts)
	after := y.Metadata()
	require.Contains(t, after.Refs, "current")
	require.Equal(t, wantAfter(keys, reached.Union(before), reached.Union(after)), y.Files())
}

func TestARefThatMovesBeforeTheCommitMakesThePlanAnew(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.Write(icebergtable.Everything())
	before := y.Metadata()
	reached, keys := y.Reach(before), y.Files()
	// Someone rolls main back to a snapshot that was about to go.
	back := before.Snapshots[1].ID
	y.Ledger.Race = func() { y.Ledger.Change(maintenancetest.SetRef("main", "branch", back)) }
	receipt, err := y.expire(expireAll)
	require.NoError(t, err)
	require.Equal(t, 1, receipt.Conflicts)
	after := y.Metadata()
	require.Equal(t, back, after.CurrentSnapshotID)
	require.Equal(t, wantAfter(keys, reached.Union(before), reached.Union(after)), y.Files())
}

func TestACommitThatAlwaysConflictsComesBackLaterAndLeavesNothing(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.Write(icebergtable.Everything())
	keys := y.Files()
	y.Ledger.Fault = func(_ int, op string) maintenancetest.Fault {
		if op == "commit" {
			return maintenancetest.Fault{Err: fmt.Errorf("%w: busy", polaris.ErrConflict)}
		}
		return maintenancetest.Fault{}
	}
	_, err := y.expire(expireAll)
	require.ErrorIs(t, err, polaris.ErrConflict)
	require.False(t, jobs.IsPermanent(err))
	require.Equal(t, keys, y.Files())
}

func TestACommitOfUnknownStateIsLookedAfter(t *testing.T) {
	t.Parallel()
	for _, served := range []bool{true, false} {
		y := newYard(t)
		y.Write(icebergtable.Everything())
		before := y.Metadata()
		reached, keys := y.Reach(before), y.Files()
		first := true
		y.Ledger.Fault = func(_ int, op string) maintenancetest.Fault {
			if op == "commit" && first {
				first = false
				return maintenancetest.Fault{Err: maintenancetest.ErrUnknown, Served: served}
			}
			return maintenancetest.Fault{}
		}
		receipt, err := y.expire(expireAll)
		require.NoError(t, err, served)
		after := y.Metadata()
		require.Equal(t, wantAfter(keys, reached.Union(before), reached.Union(after)), y.Files())
		require.Equal(t, len(before.Snapshots)-len(after.Snapshots), receipt.Removed.Snapshots)
		require.Len(t, after.MetadataLog, len(before.MetadataLog)+1, "one commit")
	}
}

func TestARecordStaysWhileACommitMayStillCome(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.Write(icebergtable.Everything())
	before := y.Metadata()
	reached, keys := y.Reach(before), y.Files()
	var late func()
	y.Ledger.Fault = func(_ int, op string) maintenancetest.Fault {
		if op == "commit" {
			return maintenancetest.Fault{Err: maintenancetest.ErrUnknown}
		}
		return maintenancetest.Fault{}
	}
	_, err := y.expire(expireAll)
	require.ErrorIs(t, err, polaris.ErrStateUnknown)
	require.Len(t, y.Files(), len(keys)+1)
	require.Nil(t, late)
	// The server does it after all.
	y.Ledger.Fault = nil
	actions := object{"action": "remove-snapshots", "snapshot-ids": []int64{before.Snapshots[1].ID, before.Snapshots[2].ID}}
	y.Ledger.Change(actions)
	_, err = y.expire(expireAll)
	require.NoError(t, err)
	after := y.Metadata()
	require.Equal(t, wantAfter(keys, reached.Union(before), reached.Union(after)), y.Files())
}

func TestACatalogThatRefusesLeavesNoRecord(t *testing.T) {
	t.Parallel()
	for _, answer := range []error{polaris.ErrForbidden, polaris.ErrRejected} {
		y := newYard(t)
		y.Write(icebergtable.Everything())
		keys := y.Files()
		y.Ledger.Fault = func(_ int, op string) maintenancetest.Fault {
			if op == "commit" {
				return maintenancetest.Fault{Err: fmt.Errorf("commit: %w", answer)}
			}
			return maintenancetest.Fault{}
		}
		_, err := y.expire(expireAll)
		require.ErrorIs(t, err, answer)
		require.True(t, jobs.IsPermanent(err))
		require.Equal(t, keys, y.Files())
	}
}

func TestATableThatIsGoneIsDone(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.Write(icebergtable.Everything())
	keys := y.Files()
	location := y.Ledger.Location
	for n := 1; n <= 3; n++ {
		y.Open(location)
		y.Ledger.Requests = 0
		y.Ledger.Fault = func(i int, _ string) maintenancetest.Fault {
			if i >= n {
				return maintenancetest.Fault{Err: fmt.Errorf("load: %w", polaris.ErrNotFound)}
			}
			return maintenancetest.Fault{}
		}
		receipt, err := y.expire(expireAll)
		require.NoError(t, err)
		require.True(t, receipt.Gone)
		if n < 3 {
			require.Equal(t, keys, y.Files())
			continue
		}
		require.Empty(t, y.Missing(keys))
		require.Contains(t, strings.Join(receipt.Notes, " "), "they stay")
	}
}

func TestAnOutageOfTheCatalogSpendsNoAttempt(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.Write(icebergtable.Everything())
	keys := y.Files()
	y.Ledger.Fault = func(int, string) maintenancetest.Fault {
		return maintenancetest.Fault{Err: errors.Join(jobs.ErrUnavailable, errors.New("down"))}
	}
	_, err := y.expire(expireAll)
	require.ErrorIs(t, err, jobs.ErrUnavailable)
	require.Equal(t, keys, y.Files())
}

// A commit without an answer is planned anew, and comes late: with it goes a tag
// that only the second plan knew.
func TestACommitThatComesLateLosesNoTagWithItsFiles(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.Write(icebergtable.Everything())
	before := y.Metadata()
	keys, saved := y.Files(), before.Snapshots[1].ID
	var gone []int64
	for _, s := range before.Snapshots {
		if !slices.ContainsFunc(slices.Collect(maps.Values(before.Refs)), func(r table.Ref) bool { return r.SnapshotID == s.ID }) {
			gone = append(gone, s.ID)
		}
	}
	require.Contains(t, gone, saved)
	commits := 0
	y.Ledger.Fault = func(_ int, op string) maintenancetest.Fault {
		if op != "commit" {
			return maintenancetest.Fault{}
		}
		switch commits++; commits {
		case 1:
			y.Ledger.Change(maintenancetest.SetRef("race", "tag", saved))
			return maintenancetest.Fault{Err: maintenancetest.ErrUnknown}
		case 2: // the first one is carried out after all, and knows no tag
			y.Ledger.Change(object{"action": "remove-snapshots", "snapshot-ids": gone})
		}
		return maintenancetest.Fault{}
	}
	receipt, err := y.expire(expireAll)
	require.True(t, jobs.IsPermanent(err), "%v %+v", err, receipt)
	require.ErrorContains(t, err, "race")
	require.Empty(t, receipt.Deleted)
	require.Empty(t, y.Missing(keys), "no file may go")
}
