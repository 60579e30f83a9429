package erase

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/table"
)

// requireWhole says that a run was told of everything once.
func requireWhole(t *testing.T, y *yard, judge *ledger, when string) {
	t.Helper()
	require.Equal(t, once(y.files), judge.deleted, when)
	require.Equal(t, once(y.kept), judge.kept, when)
	require.Empty(t, judge.refused, when)
	require.Len(t, judge.ended, len(y.manifests), when)
	for i, n := range judge.ended {
		require.Equal(t, 1, n, "manifest %d is told of once: %s", i, when)
	}
}

func TestAKilledRunLeavesNoMoreToRepeatThanItsBatchesInFlight(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2) {
		y := newYard(t, seed, 6, 70)
		j := &job{y: y, batches: 3, size: 5}
		_, err := j.run()
		require.NoError(t, err)
		batches := y.batches()
		require.Equal(t, once(y.files), y.take())
		most := 0
		for at := 1; at <= batches; at += 2 {
			when := fmt.Sprintf("seed %d, killed at batch %d", seed, at)
			hold := jitter(uint64(at))
			y.atBatch(func(n int) {
				if n == at {
					j.die()
				}
				hold(n)
			})
			j.stored = nil
			_, err := j.run()
			require.ErrorIs(t, err, errKilled, when)
			before := y.take()
			y.atBatch(nil)
			judge, err := j.run()
			require.NoError(t, err, when)
			after := y.take()
			repeats := 0
			for key := range after {
				repeats += before[key]
			}
			most = max(most, repeats)
			require.LessOrEqual(t, repeats, j.batches*j.size, when)
			require.Equal(t, y.files, slices.Sorted(maps.Keys(both(before, after))), when)
			requireWhole(t, y, judge, when)
		}
		require.Positive(t, most, "the kills have hit nothing")
	}
}

func TestARunThatIsKilledAgainAndAgainEnds(t *testing.T) {
	t.Parallel()
	y := newYard(t, 7, 8, 60)
	j := &job{y: y, batches: 2, size: 5}
	all := map[string]int{}
	for kills := 0; ; kills++ {
		require.Less(t, kills, 100, "it makes no progress")
		y.atBatch(func(n int) {
			if n == 5 {
				j.die()
			}
		})
		judge, err := j.run()
		all = both(all, y.take())
		if err == nil {
			requireWhole(t, y, judge, "at the end")
			break
		}
		require.ErrorIs(t, err, errKilled)
	}
	require.Equal(t, y.files, slices.Sorted(maps.Keys(all)))
	repeats := 0
	for _, n := range all {
		repeats += n - 1
	}
	require.LessOrEqual(t, repeats, len(y.files), "most of what a run has done is not done again")
}

// Whatever was stored at any time, a run that resumes from it deletes all that was
// not gone then.
func TestEveryCheckpointTellsOnlyOfFilesThatAreGone(t *testing.T) {
	t.Parallel()
	y := newYard(t, 3, 8, 60)
	j := &job{y: y, batches: 4, size: 5}
	type point struct {
		stored []byte
		gone   map[string]int
	}
	var points []point
	hold := jitter(3)
	y.atBatch(func(n int) {
		j.mu.Lock()
		y.mu.Lock()
		points = append(points, point{slices.Clone(j.stored), maps.Clone(y.deleted)})
		y.mu.Unlock()
		j.mu.Unlock()
		hold(n)
	})
	_, err := j.run()
	require.NoError(t, err)
	y.atBatch(nil)
	y.take()
	require.Greater(t, len(points), 20)
	for i, p := range points {
		j.stored = p.stored
		judge, err := j.run()
		require.NoError(t, err)
		after := y.take()
		require.Equal(t, y.files, slices.Sorted(maps.Keys(both(p.gone, after))), "point %d", i)
		requireWhole(t, y, judge, fmt.Sprintf("point %d", i))
	}
}

func TestWhatWasRefusedIsTriedAgainAndNothingElse(t *testing.T) {
	t.Parallel()
	y := newYard(t, 5, 5, 50)
	j := &job{y: y, batches: 3, size: 5}
	var refused []string
	for i := 3; i < len(y.files); i += 17 {
		refused = append(refused, y.files[i])
		y.refused[y.files[i]] = true
	}
	judge, err := j.run()
	require.NoError(t, err)
	require.Equal(t, once(refused), judge.refused)
	y.take()
	judge, err = j.run()
	require.NoError(t, err)
	require.Equal(t, once(refused), judge.refused)
	require.Empty(t, y.take())
	y.refused = map[string]bool{}
	judge, err = j.run()
	require.NoError(t, err)
	requireWhole(t, y, judge, "when nothing is refused any more")
	require.Equal(t, once(refused), y.take())
}

// A bitmap alone is what workers stored that knew nothing of entries.
func TestACheckpointWithoutEntriesIsResumed(t *testing.T) {
	t.Parallel()
	y := newYard(t, 9, 9, 40)
	j := &job{y: y, batches: 2, size: 5}
	y.atBatch(func(n int) {
		if n == 30 {
			j.die()
		}
	})
	_, err := j.run()
	require.ErrorIs(t, err, errKilled)
	before := y.take()
	y.atBatch(nil)
	require.Greater(t, len(j.stored), 2)
	j.stored = j.stored[:2]
	judge, err := j.run()
	require.NoError(t, err)
	require.Equal(t, y.files, slices.Sorted(maps.Keys(both(before, y.take()))))
	requireWhole(t, y, judge, "resumed from a bitmap")
}

func TestLittleIsLeftUnsavedWhereMuchIsDeleted(t *testing.T) {
	t.Parallel()
	of := func(files int64) int64 {
		m := &table.Manifest{}
		m.AddedFiles = files
		return (&Entries{Manifests: []*table.Manifest{m}}).unsaved(8)
	}
	require.Zero(t, of(-1), "the lists do not tell")
	require.Zero(t, of(100_000))
	require.EqualValues(t, 1_500, of(1_000_000))
	for _, files := range []int64{1_000_000, 10_000_000, 1_000_000_000} {
		require.Less(t, of(files)+8_000, files/100)
	}
}
