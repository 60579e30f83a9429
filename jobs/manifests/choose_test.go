package manifests

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/manifest"
)

// sized makes a manifest of some per cent of the target 1000, with partitions from
// low to high; none for low above high.
func sized(percent int64, low, high byte) *source {
	s := &source{Kept: &manifest.Kept{ListEntry: manifest.ListEntry{Length: percent * 10, AddedFiles: 5, ExistingFiles: 5}}}
	if low <= high {
		s.span = span{low: [][]byte{{low}}, high: [][]byte{{high}}, known: true}
	}
	return s
}

func TestWhatIsWorthWritingAnew(t *testing.T) {
	t.Parallel()
	many := func(n int, percent int64, low, high byte) (all []*source) {
		for range n {
			all = append(all, sized(percent, low, high))
		}
		return all
	}
	row := func(n int) (all []*source) {
		for i := range n {
			all = append(all, sized(100, byte(i), byte(i+1)))
		}
		return all
	}
	for name, test := range map[string]struct {
		group  []*source
		chosen int
	}{
		"nothing":                             {nil, 0},
		"one small":                           {many(1, 10, 1, 2), 0},
		"two small":                           {many(2, 10, 1, 2), 2},
		"two that would be two again":         {many(2, 60, 1, 2), 0},
		"of the right size and in a row":      {row(20), 0},
		"of the right size and one on top":    {append(row(20), sized(100, 0, 20)), 0},
		"of the right size and all on top":    {many(8, 100, 0, 20), 8},
		"of the right size, one partition":    {many(8, 100, 3, 3), 0},
		"without partitions":                  {many(8, 100, 1, 0), 0},
		"small ones with a right one between": {[]*source{sized(60, 0, 3), sized(90, 3, 6), sized(40, 6, 9)}, 0},
		"small neighbours":                    {[]*source{sized(60, 0, 3), sized(20, 3, 6), sized(90, 6, 9)}, 2},
		"small ones beside a row":             {append(row(20), many(5, 5, 30, 40)...), 5},
		"few small ones on top of long row":   {append(row(60), many(5, 5, 0, 60)...), 5},
		"small ones on top of a short row":    {append(row(4), many(5, 5, 0, 4)...), 9},
	} {
		require.Len(t, choose(test.group, 1000).chosen, test.chosen, name)
	}
	large := &source{Kept: &manifest.Kept{ListEntry: manifest.ListEntry{Length: 10 << 20, AddedFiles: 5}}}
	require.Len(t, choose([]*source{large}, 4<<20).chosen, 1)
	require.True(t, choose([]*source{large}, 4<<20).split)
	large.AddedFiles = 1
	require.Empty(t, choose([]*source{large}, 4<<20).chosen)
}

func TestSpansThatTouchDoNotOverlap(t *testing.T) {
	t.Parallel()
	of := func(low, high string) span {
		parts := func(text string) (all [][]byte) {
			for i := range len(text) {
				all = append(all, []byte{text[i]})
			}
			return all
		}
		return span{low: parts(low), high: parts(high), known: true}
	}
	for _, test := range []struct {
		a, b     span
		overlaps bool
	}{
		{of("a", "c"), of("c", "e"), false},
		{of("a", "d"), of("c", "e"), true},
		{of("a", "e"), of("b", "c"), true},
		{of("b", "b"), of("a", "c"), true},
		{of("a", "a"), of("a", "a"), false},
		{of("ab", "ad"), of("ad", "af"), false},
		{of("ab", "ad"), of("a", "c"), false}, // a is where the second begins
		{of("bb", "bd"), of("a", "c"), true},
		{of("a", "c"), span{}, false},
	} {
		require.Equal(t, test.overlaps, test.a.overlaps(test.b), "%q %q", test.a, test.b)
		require.Equal(t, test.overlaps, test.b.overlaps(test.a))
	}
}

// However many partitions there are, ranges cover them all once, in order, and no
// more is in one than fits, but for one partition alone.
func TestRangesCoverEveryPartitionOnce(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	for _, most := range []int{8, 100, maxBins} {
		h := newHistogram()
		h.most = most
		weights, total := map[string]int64{}, int64(0)
		for range 5000 {
			key := fmt.Sprintf("%03d", int(r.NormFloat64()*100+500))
			weight := 1 + r.Int64N(100)
			if key == "500" {
				weight *= 1000
			}
			h.add([]byte(key), weight)
			weights[key] += weight
			total += weight
		}
		require.Equal(t, total, h.total)
		ranges := h.ranges(total / 20)
		require.Less(t, len(ranges), 60)
		found, sum := make([]int64, len(ranges)), int64(0)
		for key, weight := range weights {
			i := find(ranges, []byte(key))
			require.GreaterOrEqual(t, i, 0)
			found[i] += weight
			require.True(t, ranges[i].meets(key, key))
			if i > 0 {
				require.False(t, ranges[i-1].meets(key, key))
			}
		}
		for i, one := range ranges {
			if most == maxBins { // else some of it was counted with a neighbour
				require.Equal(t, one.weight, found[i])
			}
			sum += one.weight
			require.Equal(t, i < len(ranges)-1, one.ended)
			if i > 0 {
				require.Equal(t, ranges[i-1].high, one.low)
			}
			if one.weight > total/20 && most == maxBins {
				require.True(t, one.single)
			}
		}
		require.Equal(t, total, sum)
		require.LessOrEqual(t, len(h.bins), 2*most)
		require.Equal(t, -1, find(ranges[1:], []byte("000")))
	}
}

func TestAFeedHandsOverInOrderAndEndsWithTheFirstError(t *testing.T) {
	t.Parallel()
	read := func(fail int) func(context.Context, int, func(piece) error) error {
		return func(_ context.Context, lane int, give func(piece) error) error {
			for n := range 5 {
				if lane == fail && n == 2 {
					return errBad
				}
				if err := give(piece{entries: []entry{{source: int32(lane), number: int32(n)}}, size: aheadBytes / 4}); err != nil {
					return err
				}
			}
			return nil
		}
	}
	var got []int
	take := func(lane int, p piece) error {
		got = append(got, 10*lane+int(p.entries[0].number))
		return nil
	}
	require.NoError(t, newFeed(100).run(t.Context(), read(-1), take))
	require.Len(t, got, 500)
	require.True(t, slices.IsSorted(got))
	require.ErrorIs(t, newFeed(100).run(t.Context(), read(50), take), errBad)
	stop := errors.New("stop")
	require.ErrorIs(t, newFeed(100).run(t.Context(), read(-1), func(int, piece) error { return stop }), stop)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stop)
	require.ErrorIs(t, newFeed(100).run(ctx, read(-1), take), stop)
}
