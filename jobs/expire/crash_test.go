package expire_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	"deckhand/internal/s3test"
	"deckhand/internal/tabletest"
	"deckhand/internal/tabletest/icebergtable"
	"deckhand/jobs/expire"
)

var errKilled = errors.New("killed")

// cut says after which request a run is cut off, and whether that one was carried
// out.
type cut struct {
	catalog bool // the n-th request to the catalog, not to storage
	n       int
	served  bool
}

func (c cut) String() string {
	return fmt.Sprintf("catalog %t, request %d, served %t", c.catalog, c.n, c.served)
}

// cutOff runs the job until that request, and never lets it see an answer after.
func (y *yard) cutOff(c cut, progress *jobtest.Progress) error {
	ctx, kill := context.WithCancelCause(y.t.Context())
	defer kill(nil)
	if c.catalog {
		y.ledger.fault = func(n int, _ string) catalogFault {
			if n == c.n {
				kill(errKilled)
			}
			if n >= c.n {
				return catalogFault{err: errUnknown, served: c.served && n == c.n}
			}
			return catalogFault{}
		}
		defer func() { y.ledger.fault = nil }()
	} else {
		y.server.Fault(s3test.CutOff(int64(c.n), c.served, func() { kill(errKilled) }))
		defer y.server.Fault(nil)
	}
	_, err := y.run(ctx, expireAll, progress)
	y.server.Settle() // a record may be written still
	return err
}

// cuts are all that a whole run can be cut off at.
func (y *yard) cuts(whole *expire.Receipt) []cut {
	var storageRequests int64
	for _, n := range whole.Requests.ByOperation {
		storageRequests += n
	}
	var cuts []cut
	for _, served := range []bool{false, true} {
		for n := 1; n <= int(storageRequests); n++ {
			cuts = append(cuts, cut{n: n, served: served})
		}
		for n := 1; n <= y.ledger.requests; n++ {
			cuts = append(cuts, cut{catalog: true, n: n, served: served})
		}
	}
	return cuts
}

// endsTheSame cuts the expiry of a table off everywhere, resumes it, as the same
// job and as another one without a checkpoint, and compares with a whole run.
func endsTheSame(t *testing.T, y *yard, name string) {
	t.Helper()
	location, full := y.ledger.location, y.server.Snapshot()
	y.ledger.requests = 0
	whole, err := y.expire(expireAll)
	require.NoError(t, err, name)
	want, wantSnapshots := y.files(), y.metadata().Snapshots
	for _, c := range y.cuts(whole) {
		for _, same := range []bool{true, false} {
			y.server.Restore(full)
			y.open(location)
			y.ledger.requests = 0
			progress := &jobtest.Progress{}
			first := y.cutOff(c, progress)
			if !same {
				progress = &jobtest.Progress{}
			}
			receipt, err := y.run(t.Context(), expireAll, progress)
			require.NoError(t, err, "%s: %s", name, c)
			require.Equal(t, want, y.files(), "%s: %s, same job %t", name, c, same)
			require.Equal(t, wantSnapshots, y.metadata().Snapshots, "%s: %s", name, c)
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
	y.write(o)
	endsTheSame(t, y, "iceberg-go")
}

func TestZooTablesCutOffAfterAnyRequestEndTheSame(t *testing.T) {
	t.Parallel()
	zoo := tabletest.LoadZoo(t)
	y := newYard(t)
	zoo.Load(y.server)
	full := y.server.Snapshot()
	for _, name := range []string{"v1_plain", "v2_posdel", "v2_stats", "v2_refs", "v3_dv_shared"} {
		y.server.Restore(full)
		y.open(zoo.Table(t, name).MetadataLocation)
		endsTheSame(t, y, name)
	}
}

func TestAnExpiryCutOffAgainAndAgainStillEnds(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.write(icebergtable.Everything())
	progress := &jobtest.Progress{}
	for n := 1; ; n++ {
		require.Less(t, n, 1000, "the expiry makes no progress")
		if y.cutOff(cut{n: n, served: n%2 == 0}, progress) == nil {
			break
		}
	}
	cut := y.files()
	_, err := y.expire(expireAll)
	require.NoError(t, err)
	require.Equal(t, cut, y.files())
}

func TestARunThatLostItsLeaseCommitsNothing(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.write(icebergtable.Everything())
	location, before := y.ledger.location, y.files()
	lost := errors.New("lease lost")
	_, err := y.run(t.Context(), expireAll, &jobtest.Progress{Fail: lost})
	require.ErrorIs(t, err, lost)
	require.Equal(t, location, y.ledger.location)
	require.Empty(t, y.ledger.commits)
	// Only the record is there, and the next run drops it.
	require.Len(t, y.files(), len(before)+1)
	receipt, err := y.expire(`{"older-than":"10000h"}`)
	require.NoError(t, err)
	require.True(t, receipt.Removed.Empty())
	require.Equal(t, before, y.files())
}

// The same job never plans a second time: what expires meanwhile is the next one's.
func TestAResumedJobOnlyFinishesWhatItHasCommitted(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	d := newDraft()
	for n := 1; n <= 3; n++ {
		d.manifest(fmt.Sprint("m", n), fmt.Sprint("f", n))
		d.snapshot(fmt.Sprint("m", n))
	}
	y.lay(d, nil)
	full, location := y.server.Snapshot(), y.ledger.location
	y.ledger.requests = 0
	whole, err := y.expire(expireAll)
	require.NoError(t, err)
	committed := 0
	for _, c := range y.cuts(whole) {
		y.server.Restore(full)
		y.open(location)
		y.ledger.requests, y.ledger.commits = 0, nil
		progress := &jobtest.Progress{}
		_ = y.cutOff(c, progress)
		if len(y.ledger.commits) == 0 {
			continue
		}
		committed++
		// main goes back to nothing old: a plan would find the next snapshot.
		y.ledger.change(
			object{"action": "add-snapshot", "snapshot": object{"snapshot-id": 9, "sequence-number": 9, "parent-snapshot-id": 3,
				"timestamp-ms": 1_700_000_000_009, "manifest-list": d.Lists[2].Path, "summary": object{"operation": "append"}}},
			setRef("main", "branch", 9))
		_, err := y.run(t.Context(), expireAll, progress)
		require.NoError(t, err, c)
		require.Len(t, y.ledger.commits, 1, c)
		require.Len(t, y.metadata().Snapshots, 2, c)
	}
	require.Greater(t, committed, 5)
}

// A commit without an answer and the next one have a record each: a run that is
// cut off between has both to finish.
func TestTwoRecordsOfOneJobLeaveNoFileWhenItIsCutOff(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	d := newDraft()
	for n := 1; n <= 3; n++ {
		d.manifest(fmt.Sprint("m", n), fmt.Sprint("f", n))
		d.snapshot(fmt.Sprint("m", n))
	}
	y.lay(d, nil)
	y.ledger.change(setRef("held", "tag", 2))
	full, location := y.server.Snapshot(), y.ledger.location
	begin := func() {
		y.server.Restore(full)
		y.open(location)
		y.ledger.commits = nil
		first := true
		y.ledger.fault = func(_ int, op string) catalogFault {
			if op != "commit" || !first {
				return catalogFault{}
			}
			first = false // and the next plan has more to remove
			require.NoError(t, y.ledger.apply([]byte("[]"), mustJSON([]object{{"action": "remove-snapshot-ref", "ref-name": "held"}})))
			return catalogFault{err: errUnknown}
		}
	}
	begin()
	whole, err := y.expire(expireAll)
	require.NoError(t, err)
	require.Len(t, y.ledger.commits, 1)
	_, err = y.expire(expireAll) // what the first commit's record is for is over
	require.NoError(t, err)
	want := y.files()
	y.has(false, "f1", "f2", "m1", "m2")
	requests := int64(0)
	for _, n := range whole.Requests.ByOperation {
		requests += n
	}
	for n := int64(1); n <= requests; n++ {
		for _, served := range []bool{false, true} {
			begin()
			ctx, kill := context.WithCancelCause(t.Context())
			progress := &jobtest.Progress{}
			y.server.Fault(s3test.CutOff(n, served, func() { kill(errKilled) }))
			_, _ = y.run(ctx, expireAll, progress)
			y.server.Settle()
			y.server.Fault(nil)
			kill(nil)
			for range 2 {
				_, err := y.run(t.Context(), expireAll, progress)
				require.NoError(t, err, "%d %t", n, served)
				progress = &jobtest.Progress{}
			}
			require.Equal(t, want, y.files(), "%d %t", n, served)
		}
	}
}
