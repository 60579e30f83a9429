package storage_test

import (
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/s3test"
	"deckhand/internal/storage"
)

// BenchmarkList lists 200,000 objects, in parallel and one page after the other.
func BenchmarkList(b *testing.B) {
	const objects = 200_000
	l := open(b, s3test.Options{}, nil)
	for _, shape := range []struct {
		name    string
		folders int
		folder  func(n int) string
	}{
		{"1-folder", 1, func(int) string { return "data" }},
		{"64-folders", 64, func(n int) string { return fmt.Sprintf("data/bucket=%d", n) }},
		{"20000-folders", 20_000, func(n int) string { return fmt.Sprintf("data/day=%d/id=%d", n%31, n) }},
		{"20000-flat-folders", 20_000, func(n int) string { return fmt.Sprintf("data/id=%05d", n) }},
		{"200000-folders", objects, func(n int) string { return fmt.Sprintf("data/id=%d", n) }},
	} {
		root := key("t/" + shape.name)
		for n := range objects {
			l.srv.Put(bucket, fmt.Sprintf("%s/%s/%05d-%d-4a9f9d35-a825-4d5e-8d53-502b434f7e41-00001.parquet",
				root.Key, shape.folder(n%shape.folders), n/shape.folders, n%16), nil)
		}
		for _, latency := range []time.Duration{0, 20 * time.Millisecond} {
			measure := func(name string, list func() iter.Seq2[storage.Object, error]) {
				b.Run(fmt.Sprintf("%s/%dms/%s", shape.name, latency.Milliseconds(), name), func(b *testing.B) {
					l.srv.SetLatency(latency)
					l.srv.ResetCounts()
					b.ReportAllocs()
					for b.Loop() {
						n := 0
						for _, err := range list() {
							require.NoError(b, err)
							n++
						}
						require.Equal(b, objects, n)
					}
					b.ReportMetric(float64(l.srv.Total())/float64(b.N), "requests")
				})
			}
			measure("deckhand", func() iter.Seq2[storage.Object, error] {
				return l.ListParallel(b.Context(), root, storage.ListConfig{})
			})
			measure("rival", func() iter.Seq2[storage.Object, error] { return l.List(b.Context(), root) })
		}
	}
}
