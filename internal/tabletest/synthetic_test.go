package tabletest_test

import (
	"bytes"
	"io"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/tabletest"
)

func TestSyntheticTableIsTheSameEveryTime(t *testing.T) {
	t.Parallel()
	options := tabletest.SyntheticOptions{Location: "s3://warehouse/big", Files: 300, Manifests: 3, Columns: 20}
	first, second := bucket{}, bucket{}
	_, err := tabletest.Synthetic(options, tabletest.ToBucket(first))
	require.NoError(t, err)
	_, err = tabletest.Synthetic(options, tabletest.ToBucket(second))
	require.NoError(t, err)
	names := slices.Sorted(maps.Keys(first))
	require.Equal(t, names, slices.Sorted(maps.Keys(second)))
	for _, name := range names {
		require.True(t, bytes.Equal(first[name], second[name]), name)
	}
	require.Len(t, names, 3+1+2, "manifests, lists, and metadata files before and after the snapshot")
}

func BenchmarkSynthetic(b *testing.B) {
	for name, columns := range map[string]int{"narrow": 0, "wide": 20} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				discard := func(_ string, write func(io.Writer) error) error { return write(io.Discard) }
				made, err := tabletest.Synthetic(tabletest.SyntheticOptions{Location: "s3://warehouse/big", Files: 100_000, Columns: columns}, discard)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(made.ManifestBytes)/100_000, "B/entry")
			}
		})
	}
}
