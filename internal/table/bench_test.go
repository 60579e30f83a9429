package table

import (
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/tabletest"
)

// BenchmarkShelf reads 40 lists that name 400,000 times one of 10,040 manifests,
// and reports what it holds on to.
func BenchmarkShelf(b *testing.B) {
	const manifests, lists = 10_000, 40
	h := tabletest.HandmadeTable{Location: "s3://warehouse/db/t"}
	path := func(n int) string {
		return fmt.Sprintf("%s/metadata/11111111-2222-4333-8444-%012d-m0.avro", h.Location, n)
	}
	var named []string
	for n := range manifests {
		named = append(named, path(n))
	}
	var names Names
	for n := range lists {
		named = append(named, path(manifests+n))
		list := tabletest.HandmadeList{Path: fmt.Sprintf("%s/metadata/snap-%d.avro", h.Location, n), Manifests: slices.Clone(named)}
		slices.Reverse(list.Manifests) // the newest first, as writers do
		h.Lists, names.Lists = append(h.Lists, list), append(names.Lists, list.Path)
	}
	from := shelf{objects: h.Objects()}
	heap := func() uint64 {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	before, held := heap(), uint64(0)
	for b.Loop() {
		shelf := NewShelf(from, 0)
		tree, err := shelf.Read(b.Context(), names)
		require.NoError(b, err)
		require.Len(b, tree.Manifests, manifests+lists)
		b.StopTimer()
		held = max(held, heap()-before)
		runtime.KeepAlive(shelf)
		runtime.KeepAlive(tree)
		b.StartTimer()
	}
	b.ReportMetric(float64(held)/manifests, "B/manifest")
	b.ReportMetric(float64(manifests*lists*b.N)/b.Elapsed().Seconds(), "names/s")
}
