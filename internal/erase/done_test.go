package erase

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPartsAreReadAsTheyWereStored(t *testing.T) {
	t.Parallel()
	parts := []part{
		{manifest: 70_000, settled: spans{{0, 5_000}}},
		{manifest: 3, settled: spans{{10, 20}, {21, 3_000_000}}},
		{manifest: 4, settled: spans{{0, 1}}},
	}
	encoded := encodeParts(parts)
	require.Less(t, len(encoded), 30)
	want := map[int]spans{70_000: {{0, 5_000}}, 3: {{10, 20}, {21, 3_000_000}}, 4: {{0, 1}}}
	require.Equal(t, want, decodeParts(encoded, 70_001))
	delete(want, 70_000)
	require.Equal(t, want, decodeParts(encoded, 70_000), "there is no such manifest")
	require.Empty(t, decodeParts(nil, 1))
}

func TestPartsHaveABoundAndTheLargestOnesRoom(t *testing.T) {
	t.Parallel()
	var parts []part
	for m := range 3_000 {
		p := part{manifest: m * 1_000}
		for s := range int64(1 + m%5) {
			p.settled = p.settled.add(span{s * 100, s*100 + 50})
		}
		parts = append(parts, p)
	}
	largest := part{manifest: 4_000_000, settled: spans{{0, 1 << 40}}}
	encoded := encodeParts(append(parts, largest))
	require.LessOrEqual(t, len(encoded), maxParts)
	decoded := decodeParts(encoded, 4_000_001)
	require.Equal(t, largest.settled, decoded[4_000_000])
	require.Greater(t, len(decoded), 50)

	one := part{manifest: 9}
	for s := range int64(2_000) {
		one.settled = one.settled.add(span{s * 3, s*3 + 1})
	}
	encoded = encodeParts([]part{one})
	require.LessOrEqual(t, len(encoded), maxParts)
	found := decodeParts(encoded, 10)[9]
	require.Greater(t, len(found), 300)
	require.Equal(t, one.settled[:len(found)], found, "the first ones have room")
}

// FuzzParts: whatever is stored, what is read of it makes sense.
func FuzzParts(f *testing.F) {
	f.Add(encodeParts([]part{{3, spans{{1, 2}, {5, 9}}}, {8, spans{{0, 1 << 30}}}}), 10)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 1, 0, 1}, 100)
	f.Fuzz(func(t *testing.T, encoded []byte, manifests int) {
		for manifest, settled := range decodeParts(encoded, manifests) {
			if manifest < 0 || manifest >= manifests || len(settled) == 0 {
				t.Fatalf("manifest %d of %d has %v", manifest, manifests, settled)
			}
			end := int64(-1)
			for _, s := range settled {
				if s.start <= end || s.end <= s.start || s.end > maxEntry {
					t.Fatalf("spans %v", settled)
				}
				end = s.end
			}
		}
	})
}

func TestOpenEntriesLeaveTheGapsThatASetWouldLeave(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 1)) //nolint:gosec // a test
	for range 200 {
		var open openEntries
		set := map[int64]bool{}
		end := int64(0)
		for range 300 {
			if n := int64(random.IntN(400)); random.IntN(3) == 0 && set[n] {
				open.remove(n)
				delete(set, n)
				continue
			}
			end += int64(random.IntN(3))
			open.add(end)
			set[end] = true
			end++
			var want spans
			for n := range end {
				if !set[n] {
					want = want.add(span{n, n + 1})
				}
			}
			require.Equal(t, want, open.gaps(end))
		}
		for n := range set {
			open.remove(n)
		}
		require.Empty(t, open.words, "what is not needed is let go")
		require.Equal(t, spans{{0, end}}, open.gaps(end))
	}
}
