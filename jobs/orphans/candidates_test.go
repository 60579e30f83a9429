package orphans

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/storage"
)

func TestCandidatesComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	places := []place{newPlace(at(t, "s3://w/db/t"), at(t, "s3://w/db/t")), newPlace(at(t, "file:///w/t"), at(t, "file:///w/t"))}
	random := rand.New(rand.NewPCG(1, 2))
	c := newCandidates(places)
	var want []candidate
	for n := range 5000 {
		p := random.IntN(2)
		l := places[p].root
		l.Key += fmt.Sprintf("/data/p=%d/%05d-\xff%s.parquet", random.IntN(3), n, string(make([]byte, random.IntN(400))))
		one := candidate{location: l, size: random.Int64N(1 << 40), written: time.Unix(random.Int64N(1<<31), random.Int64N(1e9)), place: p}
		if n%7 == 0 {
			one.mismatched, one.other = true, prefixID(random.IntN(256))
		}
		c.add(one)
		want = append(want, one)
	}
	require.Equal(t, len(want), c.count)
	var got []candidate
	for one := range c.all {
		got = append(got, one)
	}
	require.Equal(t, want, got)
	c.filter(func(one candidate) bool { return one.mismatched })
	require.Equal(t, (len(want)+6)/7, c.count)
	for one := range c.all {
		require.True(t, one.mismatched)
	}
}

func TestAHundredThousandCandidatesTakeFewBytes(t *testing.T) {
	p := newPlace(at(t, "s3://w/db/t"), at(t, "s3://w/db/t"))
	c := newCandidates([]place{p})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	random := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		l := storage.Location{Scheme: "s3", Bucket: "w", Key: fmt.Sprintf("db/t/data/p=%03d/00000-0-%016x-00001.parquet", random.IntN(100), random.Uint64())}
		c.add(candidate{location: l, size: 1 << 20})
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	require.Less(t, after.HeapAlloc-before.HeapAlloc, uint64(100_000*64))
	runtime.KeepAlive(c)
}
