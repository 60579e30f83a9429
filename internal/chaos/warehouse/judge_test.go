package warehouse

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/chaos/history"
	"deckhand/internal/maintenance/maintenancetest"
	"deckhand/jobs"
)

func open(t *testing.T) *Warehouse {
	t.Helper()
	record, err := history.Create(filepath.Join(t.TempDir(), "history.jsonl"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, record.Close()) })
	w, err := Open(record)
	require.NoError(t, err)
	t.Cleanup(w.Close)
	return w
}

// purge takes all of a table away, as if a worker had.
func (w *Warehouse) purge(d *Dropped) {
	d.Accepted.Store(true)
	for _, key := range d.keys.all() {
		w.Store.Remove(bucket, key)
	}
}

func TestWhatOughtToBeGoneAndWhatOughtToStayIsKnown(t *testing.T) {
	t.Parallel()
	w := open(t)
	small, err := w.Drop(t.Context(), "t1x", Size{})
	require.NoError(t, err)
	big, err := w.Drop(t.Context(), "t2x", Size{Files: 20, Manifests: 4})
	require.NoError(t, err)
	require.NotEqual(t, small.Lock, big.Lock)
	require.Empty(t, w.Violations(t.Context()), "nothing was asked for")
	w.purge(small)
	w.purge(big)
	require.Empty(t, w.Violations(t.Context()))

	w.Store.Put(bucket, big.keys.all()[0], []byte("left"))
	require.ErrorContains(t, violation(t, w), big.keys.all()[0])
	w.Store.Remove(bucket, big.keys.all()[0])
	neighbour := "dropped/t2x2/data/00000-0.parquet"
	require.True(t, w.Has(neighbour))
	w.Store.Put(bucket, neighbour, []byte("changed"))
	require.ErrorContains(t, violation(t, w), neighbour)
	w.Store.Remove(bucket, neighbour)
	require.ErrorContains(t, violation(t, w), neighbour)
}

func TestATableWhosePurgeWasNeverAcceptedMustBeThere(t *testing.T) {
	t.Parallel()
	w := open(t)
	d, err := w.Drop(t.Context(), "t1x", Size{Files: 5, Manifests: 1})
	require.NoError(t, err)
	w.purge(d)
	d.Accepted.Store(false)
	require.ErrorContains(t, violation(t, w), "never accepted")
}

// sentence is a violation as an error, for the assertions about those.
type sentence string

func (s sentence) Error() string { return string(s) }

func violation(t *testing.T, w *Warehouse) error {
	t.Helper()
	found := w.Violations(t.Context())
	require.Len(t, found, 1)
	return sentence(found[0])
}

func TestAWriterKnowsTheRowsThatItCommitted(t *testing.T) {
	t.Parallel()
	w := open(t)
	require.NoError(t, w.Populate(t.Context(), 1, rand.New(rand.NewPCG(1, 1))))
	l := w.Living()[0]
	for range 12 {
		_, err := l.step(t.Context())
		require.NoError(t, err)
	}
	require.Empty(t, w.Violations(t.Context()))

	// A row that was committed and is not there any more, and one that should not be.
	for id := range l.rows[mainBranch] {
		delete(l.rows[mainBranch], id)
		break
	}
	require.ErrorContains(t, violation(t, w), "never committed")
	l.rows[mainBranch][9_999_999] = true
	require.Len(t, w.Violations(t.Context()), 2)
}

func TestTheSnapshotsOfAWriterAreReadToo(t *testing.T) {
	t.Parallel()
	w := open(t)
	require.NoError(t, w.Populate(t.Context(), 1, rand.New(rand.NewPCG(1, 1))))
	l := w.Living()[0]
	for len(l.at) < 8 {
		_, err := l.step(t.Context())
		require.NoError(t, err)
	}
	refs, snapshots, err := l.read(t.Context())
	require.NoError(t, err)
	require.Greater(t, len(snapshots), len(refs))
	require.Len(t, l.at, len(snapshots), "each of them is the writer's")
	for id := range snapshots {
		l.at[id][9_999_999] = true
		require.ErrorContains(t, violation(t, w), fmt.Sprintf("in snapshot %d", id))
		break
	}
}

func TestALostRefAndARowThatIsThereTwiceAreFound(t *testing.T) {
	t.Parallel()
	w := open(t)
	require.NoError(t, w.Populate(t.Context(), 1, rand.New(rand.NewPCG(1, 1))))
	l := w.Living()[0]
	l.rows["tag9"] = map[int64]bool{}
	require.ErrorContains(t, violation(t, w), "has lost its ref tag9")
	delete(l.rows, "tag9")

	table, err := l.load(t.Context())
	require.NoError(t, err)
	rows, err := maintenancetest.Records(table, 7_000_000, 7_000_000)
	require.NoError(t, err)
	defer rows.Release()
	_, err = table.Append(t.Context(), rows, nil)
	require.NoError(t, err)
	require.ErrorContains(t, violation(t, w), "row 7000000 is there twice")
}

func TestWhatShardsShareOutIsKnown(t *testing.T) {
	t.Parallel()
	w := open(t)
	small, err := w.Drop(t.Context(), "t1x", Size{})
	require.NoError(t, err)
	big, err := w.Drop(t.Context(), "t2x", Size{Files: 20, Manifests: 4})
	require.NoError(t, err)
	require.False(t, slices.ContainsFunc(small.keys.all(), small.IsEntry))
	entries := slices.DeleteFunc(big.keys.all(), func(key string) bool { return !big.IsEntry(key) })
	require.Len(t, entries, 20+4)
	lock, found := w.Belongs(entries[0])
	require.Same(t, big, found)
	require.Equal(t, big.Lock, lock)
	_, found = w.Belongs("dropped/t2x2/data/00000-0.parquet")
	require.Nil(t, found, "a neighbour")
}

func TestCommittedFilesOfLivingTablesLookOld(t *testing.T) {
	t.Parallel()
	w := open(t)
	require.NoError(t, w.Populate(t.Context(), 1, rand.New(rand.NewPCG(1, 1))))
	l := w.Living()[0]
	before := len(w.committed)
	require.Positive(t, before)
	for l.added == 0 {
		_, err := l.step(t.Context())
		require.NoError(t, err)
	}
	require.Greater(t, len(w.committed), before)
	require.True(t, w.isCommitted(l.written[0]))
	desk{writer: l}.note("s3://" + bucket + "/live/t1/data/refused.parquet")
	require.False(t, w.isCommitted("live/t1/data/refused.parquet"))
}

func TestADroppedViewLeavesTheOneThatWasCreatedAgain(t *testing.T) {
	t.Parallel()
	w := open(t)
	d, err := w.Drop(t.Context(), "t1x", Size{View: true})
	require.NoError(t, err)
	require.Equal(t, jobs.PurgeView, d.Job.Kind)
	w.purge(d)
	require.Empty(t, w.Violations(t.Context()))
	for _, key := range w.Store.Keys(bucket) {
		if strings.HasPrefix(key, "dropped/t1x/metadata/") {
			w.Store.Remove(bucket, key)
		}
	}
	require.ErrorContains(t, violation(t, w), "2 files outside")
}

func TestALivingTableThatLostAFileIsFound(t *testing.T) {
	t.Parallel()
	w := open(t)
	require.NoError(t, w.Populate(t.Context(), 1, rand.New(rand.NewPCG(1, 1))))
	keys := slices.DeleteFunc(w.Store.Keys(bucket), func(key string) bool { return !strings.HasSuffix(key, ".parquet") })
	require.NotEmpty(t, keys)
	w.Store.Remove(bucket, keys[0])
	require.ErrorContains(t, violation(t, w), "cannot be read")
}

func TestOldLitterLooksOld(t *testing.T) {
	t.Parallel()
	w := open(t)
	require.NoError(t, w.Populate(t.Context(), 1, rand.New(rand.NewPCG(1, 1))))
	w.Living()[0].Litter()
	lock, table := w.Belongs("live/t1/data/x.parquet")
	require.Equal(t, "table.POLARIS.lake.live.t1", lock)
	require.Nil(t, table)
	require.Greater(t, Old, 7*24*time.Hour, "what the jobs for orphans ask for")
}
