package purge_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	"deckhand/internal/s3test"
	"deckhand/internal/tabletest"
	"deckhand/internal/tabletest/icebergtable"
	"deckhand/jobs/purge"
)

var errKilled = errors.New("killed")

// cutOff runs the handler until storage request n, which is carried out or not,
// and never lets the run see an answer after that.
func cutOff(y *yard, handler *purge.Tables, uuid, location string, progress *jobtest.Progress, n int64, served bool) error {
	ctx, kill := context.WithCancelCause(y.t.Context())
	defer kill(nil)
	y.server.Fault(s3test.CutOff(n, served, func() { kill(errKilled) }))
	defer y.server.Fault(nil)
	_, err := runContext(ctx, y.t, handler, jobFor(uuid, location), progress)
	y.server.Settle() // something may be deleted still
	return err
}

func TestAPurgeCutOffAfterAnyRequestEndsTheSameWhenResumed(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	o := icebergtable.Everything()
	o.Properties = map[string]string{"write.data.path": "s3://other/data/t"}
	table, neighbours := y.write(o)
	full := y.server.Snapshot()
	handler := y.tables(purge.Policy{})

	receipt, err := run(t, handler, jobFor(table.UUID, table.MetadataLocation), &jobtest.Progress{})
	require.NoError(t, err)
	require.Equal(t, neighbours, y.keys())
	want := receipt.Deleted
	require.Equal(t, countsOf(table.Files), fileCounts(want))
	var requests int64
	for _, n := range receipt.Requests.ByOperation {
		requests += n
	}

	for _, served := range []bool{false, true} {
		for n := int64(1); n <= requests; n++ {
			y.server.Restore(full)
			progress := &jobtest.Progress{}
			err := cutOff(y, handler, table.UUID, table.MetadataLocation, progress, n, served)
			if err == nil {
				// Only the final listing may fail without consequence.
				require.Equal(t, neighbours, y.keys(), "request %d", n)
				continue
			}
			receipt, err := run(t, handler, jobFor(table.UUID, table.MetadataLocation), progress)
			require.NoError(t, err, "request %d, served %t", n, served)
			require.Equal(t, neighbours, y.keys(), "request %d, served %t", n, served)
			require.Equal(t, want, receipt.Deleted, "request %d, served %t", n, served)
			require.Empty(t, receipt.Absent, "request %d, served %t", n, served)
			require.False(t, receipt.AtMost)
		}
	}
}

func TestAPurgeCutOffAgainAndAgainStillEnds(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	table, neighbours := y.write(icebergtable.Everything())
	handler := y.tables(purge.Policy{})
	progress := &jobtest.Progress{}
	for n := int64(1); ; n++ {
		require.Less(t, n, int64(1000), "the purge makes no progress")
		if cutOff(y, handler, table.UUID, table.MetadataLocation, progress, n, n%2 == 0) == nil {
			break
		}
	}
	require.Equal(t, neighbours, y.keys())
}

func TestARunThatCannotStoreItsCheckpointDeletesNothingMore(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	table, _ := y.write(icebergtable.Options{})
	before := y.keys()
	lost := errors.New("lease lost")
	_, err := run(t, y.tables(purge.Policy{}), jobFor(table.UUID, table.MetadataLocation), &jobtest.Progress{Fail: lost})
	require.ErrorIs(t, err, lost)
	require.Equal(t, before, y.keys())
}

func TestACheckpointThatCannotBeStoredOnTheWayStopsTheRun(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	h := numbered(6, 700)
	neighbours := y.lay(h)
	lost := errors.New("lease lost")
	_, err := y.purge(purge.Policy{}, h, &jobtest.Progress{Fail: lost, FailAfter: 1})
	require.ErrorIs(t, err, lost)
	for _, m := range h.Manifests {
		require.Contains(t, y.keys(), m.Path)
	}
	_, err = y.purge(purge.Policy{}, h, &jobtest.Progress{})
	require.NoError(t, err)
	require.Equal(t, neighbours, y.keys())
}

// Tables whose manifests name the same files several times, by other engines.
func TestZooTablesCutOffAfterAnyRequestEndTheSame(t *testing.T) {
	t.Parallel()
	zoo := tabletest.LoadZoo(t)
	y := newYard(t)
	zoo.Load(y.server)
	full := y.server.Snapshot()
	for _, name := range []string{"v1_plain", "v2_posdel", "v2_eqdel_part", "v2_stats", "v2_gcoff", "v3_dv_shared", "v3_lineage"} {
		table := zoo.Table(t, name)
		handler := y.tables(purge.Policy{})
		y.server.Restore(full)
		receipt, err := run(t, handler, jobFor(table.UUID, table.MetadataLocation), &jobtest.Progress{})
		require.NoError(t, err, name)
		wantKeys, want, wantKept := y.keys(), receipt.Deleted, receipt.Kept
		var requests int64
		for _, n := range receipt.Requests.ByOperation {
			requests += n
		}
		for n := int64(1); n < requests; n++ {
			y.server.Restore(full)
			progress := &jobtest.Progress{}
			_ = cutOff(y, handler, table.UUID, table.MetadataLocation, progress, n, n%2 == 0)
			receipt, err := run(t, handler, jobFor(table.UUID, table.MetadataLocation), progress)
			require.NoError(t, err, "%s, request %d", name, n)
			require.Equal(t, wantKeys, y.keys(), "%s, request %d", name, n)
			require.Equal(t, want, receipt.Deleted, "%s, request %d", name, n)
			require.Equal(t, len(wantKept), len(receipt.Kept), "%s, request %d", name, n)
			for reason, kept := range wantKept {
				require.Equal(t, kept.Counts, receipt.Kept[reason].Counts, "%s, request %d", name, n)
			}
		}
	}
}
