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
	"deckhand/internal/polaris"
	"deckhand/internal/table"
	"deckhand/internal/tabletest/icebergtable"
	"deckhand/jobs"
)

// setRef is the commit of someone who creates a branch or tag.
func setRef(name, kind string, snapshot int64) object {
	return object{"action": "set-snapshot-ref", "ref-name": name, "type": kind, "snapshot-id": snapshot}
}

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
					y.ledger.lenient = lenient
					y.write(icebergtable.Options{FormatVersion: version, Files: 8, Snapshots: 4, PositionDeletes: version > 1, Statistics: true})
					before := y.metadata()
					reached, keys := y.reach(before), y.files()
					saved := before.Snapshots[1].ID
					y.ledger.race = func() { y.ledger.change(setRef("late", kind, saved)) }
					progress := &jobtest.Progress{}
					receipt, err := y.run(t.Context(), expireAll, progress)
					after := y.metadata()
					if version > 1 && !lenient {
						// Its sequence number is behind the table's, so the catalog refuses it.
						require.True(t, jobs.IsPermanent(err), err)
						require.ErrorContains(t, err, fmt.Sprintf("the %s %q at snapshot %d", kind, "late", saved))
						require.ErrorContains(t, err, after.MetadataLog[len(after.MetadataLog)-1])
						require.Empty(t, receipt.Deleted)
						require.Subset(t, y.files(), keys, "no file may go")

						// Every further expiry says the same.
						_, again := y.expire(expireAll)
						require.True(t, jobs.IsPermanent(again))
						require.Subset(t, y.files(), keys)

						// The restore of the README: the table is registered anew.
						restored := after.MetadataLog[len(after.MetadataLog)-1]
						y.open(restored)
						_, err = y.expire(expireAll)
						require.NoError(t, err)
						after = y.metadata()
					} else {
						require.NoError(t, err)
						require.Contains(t, strings.Join(receipt.Notes, " "), "were put back")
					}
					require.Equal(t, table.Ref{SnapshotID: saved, Type: table.RefType(kind)}, after.Refs["late"])
					require.Len(t, after.Snapshots, 2)
					for _, s := range after.Snapshots {
						require.Equal(t, reached[s.ID], y.reach(after)[s.ID])
					}
					require.Equal(t, wantAfter(keys, reached.union(before), reached.union(after)), y.files())
				})
			}
		}
	}
}

func TestNoFileGoesWhileTheReplacedMetadataCannotBeRead(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.write(icebergtable.Everything())
	keys := y.files()
	old := y.metadata().Snapshots[0].ID
	y.ledger.race = func() {
		y.ledger.change(object{"action": "set-properties", "updates": object{"a": "b"}})
		y.put(y.ledger.location, append([]byte("x"), y.get(y.ledger.location)...))
	}
	damaged := ""
	y.ledger.race = func() {
		y.ledger.change(setRef("late", "tag", old))
		damaged = y.ledger.location
	}
	y.ledger.fault = func(_ int, op string) catalogFault {
		if damaged != "" && op == "load" {
			y.put(damaged, []byte("not json"))
		}
		return catalogFault{}
	}
	receipt, err := y.expire(expireAll)
	require.True(t, jobs.IsPermanent(err), err)
	require.ErrorContains(t, err, damaged)
	require.Empty(t, receipt.Deleted)
	require.Subset(t, y.files(), keys)

	y.ledger.fault = nil
	y.remove(damaged)
	_, err = y.expire(expireAll)
	require.True(t, jobs.IsPermanent(err), err)
	require.Subset(t, y.files(), keys)
}

func TestARaceThatTouchesNothingIsNoReasonToKeepFiles(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.write(icebergtable.Everything())
	before := y.metadata()
	reached, keys := y.reach(before), y.files()
	y.ledger.race = func() {
		y.ledger.change(object{"action": "set-properties", "updates": object{"a": "b"}})
		y.ledger.change(setRef("current", "tag", before.CurrentSnapshotID))
	}
	receipt, err := y.expire(expireAll)
	require.NoError(t, err)
	require.Zero(t, receipt.Conflicts)
	after := y.metadata()
	require.Contains(t, after.Refs, "current")
	require.Equal(t, wantAfter(keys, reached.union(before), reached.union(after)), y.files())
}

func TestARefThatMovesBeforeTheCommitMakesThePlanAnew(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.write(icebergtable.Everything())
	before := y.metadata()
	reached, keys := y.reach(before), y.files()
	// Someone rolls main back to a snapshot that was about to go.
	back := before.Snapshots[1].ID
	y.ledger.race = func() { y.ledger.change(setRef("main", "branch", back)) }
	receipt, err := y.expire(expireAll)
	require.NoError(t, err)
	require.Equal(t, 1, receipt.Conflicts)
	after := y.metadata()
	require.Equal(t, back, after.CurrentSnapshotID)
	require.Equal(t, wantAfter(keys, reached.union(before), reached.union(after)), y.files())
}

func TestACommitThatAlwaysConflictsComesBackLaterAndLeavesNothing(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.write(icebergtable.Everything())
	keys := y.files()
	y.ledger.fault = func(_ int, op string) catalogFault {
		if op == "commit" {
			return catalogFault{err: fmt.Errorf("%w: busy", polaris.ErrConflict)}
		}
		return catalogFault{}
	}
	_, err := y.expire(expireAll)
	require.ErrorIs(t, err, polaris.ErrConflict)
	require.False(t, jobs.IsPermanent(err))
	require.Equal(t, keys, y.files())
}

func TestACommitOfUnknownStateIsLookedAfter(t *testing.T) {
	t.Parallel()
	for _, served := range []bool{true, false} {
		y := newYard(t)
		y.write(icebergtable.Everything())
		before := y.metadata()
		reached, keys := y.reach(before), y.files()
		first := true
		y.ledger.fault = func(_ int, op string) catalogFault {
			if op == "commit" && first {
				first = false
				return catalogFault{err: errUnknown, served: served}
			}
			return catalogFault{}
		}
		receipt, err := y.expire(expireAll)
		require.NoError(t, err, served)
		after := y.metadata()
		require.Equal(t, wantAfter(keys, reached.union(before), reached.union(after)), y.files())
		require.Equal(t, len(before.Snapshots)-len(after.Snapshots), receipt.Removed.Snapshots)
		require.Len(t, after.MetadataLog, len(before.MetadataLog)+1, "one commit")
	}
}

func TestARecordStaysWhileACommitMayStillCome(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.write(icebergtable.Everything())
	before := y.metadata()
	reached, keys := y.reach(before), y.files()
	var late func()
	y.ledger.fault = func(_ int, op string) catalogFault {
		if op == "commit" {
			return catalogFault{err: errUnknown}
		}
		return catalogFault{}
	}
	_, err := y.expire(expireAll)
	require.ErrorIs(t, err, polaris.ErrStateUnknown)
	require.Len(t, y.files(), len(keys)+1)
	require.Nil(t, late)
	// The server does it after all.
	y.ledger.fault = nil
	actions := object{"action": "remove-snapshots", "snapshot-ids": []int64{before.Snapshots[1].ID, before.Snapshots[2].ID}}
	y.ledger.change(actions)
	_, err = y.expire(expireAll)
	require.NoError(t, err)
	after := y.metadata()
	require.Equal(t, wantAfter(keys, reached.union(before), reached.union(after)), y.files())
}

func TestACatalogThatRefusesLeavesNoRecord(t *testing.T) {
	t.Parallel()
	for _, answer := range []error{polaris.ErrForbidden, polaris.ErrRejected} {
		y := newYard(t)
		y.write(icebergtable.Everything())
		keys := y.files()
		y.ledger.fault = func(_ int, op string) catalogFault {
			if op == "commit" {
				return catalogFault{err: fmt.Errorf("commit: %w", answer)}
			}
			return catalogFault{}
		}
		_, err := y.expire(expireAll)
		require.ErrorIs(t, err, answer)
		require.True(t, jobs.IsPermanent(err))
		require.Equal(t, keys, y.files())
	}
}

func TestATableThatIsGoneIsDone(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.write(icebergtable.Everything())
	keys := y.files()
	location := y.ledger.location
	for n := 1; n <= 3; n++ {
		y.open(location)
		y.ledger.requests = 0
		y.ledger.fault = func(i int, _ string) catalogFault {
			if i >= n {
				return catalogFault{err: fmt.Errorf("load: %w", polaris.ErrNotFound)}
			}
			return catalogFault{}
		}
		receipt, err := y.expire(expireAll)
		require.NoError(t, err)
		require.True(t, receipt.Gone)
		if n < 3 {
			require.Equal(t, keys, y.files())
			continue
		}
		require.Subset(t, y.files(), keys)
		require.Contains(t, strings.Join(receipt.Notes, " "), "they stay")
	}
}

func TestAnOutageOfTheCatalogSpendsNoAttempt(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.write(icebergtable.Everything())
	keys := y.files()
	y.ledger.fault = func(int, string) catalogFault {
		return catalogFault{err: errors.Join(jobs.ErrUnavailable, errors.New("down"))}
	}
	_, err := y.expire(expireAll)
	require.ErrorIs(t, err, jobs.ErrUnavailable)
	require.Equal(t, keys, y.files())
}

// A commit without an answer is planned anew, and comes late: with it goes a tag
// that only the second plan knew.
func TestACommitThatComesLateLosesNoTagWithItsFiles(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.write(icebergtable.Everything())
	before := y.metadata()
	keys, saved := y.files(), before.Snapshots[1].ID
	var gone []int64
	for _, s := range before.Snapshots {
		if !slices.ContainsFunc(slices.Collect(maps.Values(before.Refs)), func(r table.Ref) bool { return r.SnapshotID == s.ID }) {
			gone = append(gone, s.ID)
		}
	}
	require.Contains(t, gone, saved)
	commits := 0
	y.ledger.fault = func(_ int, op string) catalogFault {
		if op != "commit" {
			return catalogFault{}
		}
		switch commits++; commits {
		case 1:
			y.ledger.apply([]byte("[]"), mustJSON([]object{setRef("race", "tag", saved)}))
			return catalogFault{err: errUnknown}
		case 2: // the first one is carried out after all, and knows no tag
			y.ledger.apply([]byte("[]"), mustJSON([]object{{"action": "remove-snapshots", "snapshot-ids": gone}}))
		}
		return catalogFault{}
	}
	receipt, err := y.expire(expireAll)
	require.True(t, jobs.IsPermanent(err), "%v %+v", err, receipt)
	require.ErrorContains(t, err, "race")
	require.Empty(t, receipt.Deleted)
	require.Subset(t, y.files(), keys, "no file may go")
}
