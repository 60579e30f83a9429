package manifests_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/apache/iceberg-go"
	"github.com/stretchr/testify/require"

	"deckhand/internal/tabletest"
)

// keysOf are the least and the greatest value of the partition k in each manifest of
// main, by iceberg-go.
func (f *forge) keysOf() [][2]int32 {
	f.T.Helper()
	var all [][2]int32
	for _, m := range f.manifestsOf(current(f.T, f.Metadata())) {
		entries, err := iceberg.ReadManifest(m, bytes.NewReader(f.Get(m.FilePath())), true)
		require.NoError(f.T, err)
		ends := [2]int32{1 << 30, -1}
		for _, e := range entries {
			k := int32(-1)
			if v := e.DataFile().Partition()[1000]; v != nil {
				k = v.(int32)
			}
			ends = [2]int32{min(ends[0], k), max(ends[1], k)}
		}
		all = append(all, ends)
	}
	return all
}

// overlapping counts the pairs of manifests that have keys between those of each
// other.
func overlapping(ends [][2]int32) int {
	count := 0
	for i, a := range ends {
		for _, b := range ends[:i] {
			if a[0] < b[1] && b[0] < a[1] {
				count++
			}
		}
	}
	return count
}

// Files of 40 partitions, some of them null, in 60 manifests that each hold all. What
// does not fit into memory is written in ranges, and clustered as well.
func TestManifestsAreClusteredByPartitionWhateverMemoryThereIs(t *testing.T) {
	t.Parallel()
	for _, memory := range []int64{0, 200 << 10, 1} {
		t.Run(fmt.Sprint(memory), func(t *testing.T) {
			t.Parallel()
			y := newYard(t)
			f := y.forge(3)
			r := rand.New(rand.NewPCG(1, 2))
			for m := range 60 {
				var files []forged
				for n := range 40 {
					file := forged{path: fmt.Sprintf("%d-%d-%x.parquet", m, n, r.Uint64()), partition: int32(r.IntN(40)), sequence: int64(m)}
					if n%13 == 0 {
						file.partition = nil
					}
					files = append(files, file)
				}
				f.manifest(0, files...)
			}
			f.open(nil)
			was := f.currentContent()
			f.memory = memory
			receipt, err := f.rewrite(`{"target-size-bytes":12288}`)
			require.NoError(t, err)
			require.Equal(t, was, f.currentContent())
			require.Greater(t, receipt.Written.Files, int64(3))
			require.Less(t, receipt.Written.Files, int64(30))
			require.Zero(t, overlapping(f.keysOf()), f.keysOf())
			for _, m := range f.manifestsOf(current(t, f.Metadata())) {
				require.Zero(t, m.AddedDataFiles())
				require.Zero(t, m.DeletedDataFiles())
				require.Equal(t, current(t, f.Metadata()).ID, m.SnapshotID())
				require.Equal(t, current(t, f.Metadata()).SequenceNumber, m.SequenceNum())
				require.LessOrEqual(t, m.Length(), int64(3*12288))
			}
			again, err := f.rewrite(`{"target-size-bytes":12288}`)
			require.NoError(t, err)
			require.Zero(t, again.Replaced)
		})
	}
}

// Manifests of the right size that each hold everything are written anew for the
// sake of the order alone, and those that are in order stay.
func TestOnlyManifestsOutOfOrderAreRewrittenForTheirOrder(t *testing.T) {
	t.Parallel()
	for _, ordered := range []bool{true, false} {
		y := newYard(t)
		f := y.forge(2)
		for m := range 6 {
			var files []forged
			for n := range 300 {
				key := n % 6
				if ordered {
					key = m
				}
				files = append(files, forged{path: fmt.Sprintf("%d-%d.parquet", m, n), partition: int32(key), sequence: 1})
			}
			f.manifest(0, files...)
		}
		f.open(nil)
		target := fmt.Sprintf(`{"target-size-bytes":%d}`, f.named[0].Length())
		r, err := f.rewrite(target)
		require.NoError(t, err)
		if ordered {
			require.Zero(t, r.Replaced)
			continue
		}
		require.EqualValues(t, 6, r.Replaced.Files)
		require.Zero(t, overlapping(f.keysOf()))
	}
}

func TestSortByNamesTheFieldsThatComeFirst(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	two := iceberg.NewPartitionSpecID(0,
		iceberg.PartitionField{SourceIDs: []int{3}, FieldID: 1001, Name: "s", Transform: iceberg.IdentityTransform{}},
		iceberg.PartitionField{SourceIDs: []int{2}, FieldID: 1000, Name: "k", Transform: iceberg.IdentityTransform{}})
	f := y.forge(2, two)
	for m := range 6 {
		var files []forged
		for n := range 2000 {
			files = append(files, forged{path: fmt.Sprintf("%d-%d.parquet", m, n), partition: int32(n % 7), text: fmt.Sprint(n % 11), sequence: 1})
		}
		f.manifest(0, files...)
	}
	f.open(nil)
	_, err := f.rewrite(fmt.Sprintf(`{"target-size-bytes":%d,"sort-by":["k"]}`, f.named[0].Length()))
	require.NoError(t, err)
	require.Greater(t, len(f.keysOf()), 2)
	require.Zero(t, overlapping(f.keysOf()), f.keysOf())
}

func TestAHundredThousandEntriesAreRewrittenInLittleMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 40 MB")
	}
	peak, _ := rewriteOnDisk(t, tabletest.SyntheticOptions{Files: 100_000, Manifests: 400, Columns: 20, Stored: true}, 16<<20)
	require.Less(t, peak, 120.0, "MiB; with all entries in memory it is 160")
	t.Logf("peak heap %.1f MiB", peak)
}
