package expire_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	"deckhand/internal/maintenance/maintenancetest"
	"deckhand/internal/s3test"
	"deckhand/internal/tabletest"
	"deckhand/internal/tabletest/icebergtable"
)

// endsTheSame cuts the expiry of a table off everywhere, resumes it, as the same
// job and as another one without a checkpoint, and compares with a whole run.
func endsTheSame(t *testing.T, y *yard, name string) {
	t.Helper()
	location, full := y.Ledger.Location, y.Server.Snapshot()
	y.Ledger.Requests = 0
	whole, err := y.expire(expireAll)
	require.NoError(t, err, name)
	want, wantSnapshots := y.Files(), y.Metadata().Snapshots
	for _, c := range y.cuts(whole) {
		for _, same := range []bool{true, false} {
			y.Server.Restore(full)
			y.Open(location)
			y.Ledger.Requests = 0
			progress := &jobtest.Progress{}
			first := y.cutOff(c, progress)
			if !same {
				progress = &jobtest.Progress{}
			}
			receipt, err := y.run(t.Context(), expireAll, progress)
			require.NoError(t, err, "%s: %s", name, c)
			require.Equal(t, want, y.Files(), "%s: %s, same job %t", name, c, same)
			require.Equal(t, wantSnapshots, y.Metadata().Snapshots, "%s: %s", name, c)
			if !same || first == nil {
				continue
			}
			require.Equal(t, whole.Deleted, receipt.Deleted, "%s: %s", name, c)
			require.Equal(t, whole.Removed, receipt.Removed, "%s: %s", name, c)
			require.Empty(t, receipt.Absent, "%s: %s", name, c)
			require.Zero(t, receipt.Finished, "%s: %s", name, c)
		}
	}
}

func TestAnExpiryCutOffAfterAnyRequestEndsTheSameWhenResumed(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	o := icebergtable.Everything()
	o.Properties = map[string]string{"write.data.path": "s3://other/data/t"}
	y.Write(o)
	endsTheSame(t, y, "iceberg-go")
}

func TestZooTablesCutOffAfterAnyRequestEndTheSame(t *testing.T) {
	t.Parallel()
	zoo := tabletest.LoadZoo(t)
	y := newYard(t)
	zoo.Load(y.Server)
	full := y.Server.Snapshot()
	for _, name := range []string{"v1_plain", "v2_posdel", "v2_stats", "v2_refs", "v3_dv_shared"} {
		y.Server.Restore(full)
		y.Open(zoo.Table(t, name).MetadataLocation)
		endsTheSame(t, y, name)
	}
}

func TestAnExpiryCutOffAgainAndAgainStillEnds(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.Write(icebergtable.Everything())
	progress := &jobtest.Progress{}
	for n := 1; ; n++ {
		require.Less(t, n, 1000, "the expiry makes no progress")
		if y.cutOff(maintenancetest.Cut{N: n, Served: n%2 == 0}, progress) == nil {
			break
		}
	}
	cut := y.Files()
	_, err := y.expire(expireAll)
	require.NoError(t, err)
	require.Equal(t, cut, y.Files())
}

func TestARunThatLostItsLeaseCommitsNothing(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.Write(icebergtable.Everything())
	location, before := y.Ledger.Location, y.Files()
	lost := errors.New("lease lost")
	_, err := y.run(t.Context(), expireAll, &jobtest.Progress{Fail: lost})
	require.ErrorIs(t, err, lost)
	require.Equal(t, location, y.Ledger.Location)
	require.Empty(t, y.Ledger.Commits)
	// Only the record is there, and the next run drops it.
	require.Len(t, y.Files(), len(before)+1)
	receipt, err := y.expire(`{"older-than":"10000h"}`)
	require.NoError(t, err)
	require.True(t, receipt.Removed.Empty())
	require.Equal(t, before, y.Files())
}

// The same job never plans a second time: what expires meanwhile is the next one's.
func TestAResumedJobOnlyFinishesWhatItHasCommitted(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	d := maintenancetest.NewDraft()
	for n := 1; n <= 3; n++ {
		d.Manifest(fmt.Sprint("m", n), fmt.Sprint("f", n))
		d.Snapshot(fmt.Sprint("m", n))
	}
	y.Lay(d, nil)
	full, location := y.Server.Snapshot(), y.Ledger.Location
	y.Ledger.Requests = 0
	whole, err := y.expire(expireAll)
	require.NoError(t, err)
	committed := 0
	for _, c := range y.cuts(whole) {
		y.Server.Restore(full)
		y.Open(location)
		y.Ledger.Requests, y.Ledger.Commits = 0, nil
		progress := &jobtest.Progress{}
		_ = y.cutOff(c, progress)
		if len(y.Ledger.Commits) == 0 {
			continue
		}
		committed++
		// main goes back to nothing old: a plan would find the next snapshot.
		y.Ledger.Change(
			object{"action": "add-snapshot", "snapshot": object{"snapshot-id": 9, "sequence-number": 9, "parent-snapshot-id": 3,
				"timestamp-ms": 1_700_000_000_009, "manifest-list": d.Lists[2].Path, "summary": object{"operation": "append"}}},
			maintenancetest.SetRef("main", "branch", 9))
		_, err := y.run(t.Context(), expireAll, progress)
		require.NoError(t, err, c)
		require.Len(t, y.Ledger.Commits, 1, c)
		require.Len(t, y.Metadata().Snapshots, 2, c)
	}
	require.Greater(t, committed, 5)
}

// A commit without an answer and the next one have a record each: a run that is
// cut off between has both to finish.
func TestTwoRecordsOfOneJobLeaveNoFileWhenItIsCutOff(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	d := maintenancetest.NewDraft()
	for n := 1; n <= 3; n++ {
		d.Manifest(fmt.Sprint("m", n), fmt.Sprint("f", n))
		d.Snapshot(fmt.Sprint("m", n))
	}
	y.Lay(d, nil)
	y.Ledger.Change(maintenancetest.SetRef("held", "tag", 2))
	full, location := y.Server.Snapshot(), y.Ledger.Location
	begin := func() {
		y.Server.Restore(full)
		y.Open(location)
		y.Ledger.Commits = nil
		first := true
		y.Ledger.Fault = func(_ int, op string) maintenancetest.Fault {
			if op != "commit" || !first {
				return maintenancetest.Fault{}
			}
			first = false // and the next plan has more to remove
			y.Ledger.Change(object{"action": "remove-snapshot-ref", "ref-name": "held"})
			return maintenancetest.Fault{Err: maintenancetest.ErrUnknown}
		}
	}
	begin()
	whole, err := y.expire(expireAll)
	require.NoError(t, err)
	require.Len(t, y.Ledger.Commits, 1)
	_, err = y.expire(expireAll) // what the first commit's record is for is over
	require.NoError(t, err)
	want := y.Files()
	y.Has(false, "f1", "f2", "m1", "m2")
	requests := int64(0)
	for _, n := range whole.Requests.ByOperation {
		requests += n
	}
	for n := int64(1); n <= requests; n++ {
		for _, served := range []bool{false, true} {
			begin()
			ctx, kill := context.WithCancelCause(t.Context())
			progress := &jobtest.Progress{}
			y.Server.Fault(s3test.CutOff(n, served, func() { kill(maintenancetest.ErrKilled) }))
			_, _ = y.run(ctx, expireAll, progress)
			y.Server.Settle()
			y.Server.Fault(nil)
			kill(nil)
			for range 2 {
				_, err := y.run(t.Context(), expireAll, progress)
				require.NoError(t, err, "%d %t", n, served)
				progress = &jobtest.Progress{}
			}
			require.Equal(t, want, y.Files(), "%d %t", n, served)
		}
	}
}
