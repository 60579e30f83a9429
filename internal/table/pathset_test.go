package table

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/storage"
)

func numbered(i int) storage.Location {
	return storage.Location{Scheme: "s3", Bucket: "b", Key: fmt.Sprintf("data/%08d.parquet", i)}
}

func TestASetKnowsWhatWasAddedAndAdmitsWhenItIsFull(t *testing.T) {
	t.Parallel()
	const capacity = 64_000
	set := NewPathSet(capacity)
	added := 0
	for i := range 2 * capacity {
		switch set.Add(numbered(i)) {
		case New:
			added++
			require.Equal(t, Seen, set.Add(numbered(i)))
			require.Equal(t, Seen, set.Has(numbered(i)))
		case Unknown:
			require.Equal(t, Unknown, set.Has(numbered(i)))
		case Seen:
			t.Fatalf("%d was never added", i)
		}
	}
	require.Equal(t, capacity, added)
}

func TestOfManyAddersOfAPathExactlyOneIsFirst(t *testing.T) {
	t.Parallel()
	set := NewPathSet(100_000)
	const adders, paths = 8, 2_000
	first := make([]int, adders)
	var group sync.WaitGroup
	for a := range adders {
		group.Go(func() {
			for i := range paths {
				if set.Add(numbered(i)) == New {
					first[a]++
				}
			}
		})
	}
	group.Wait()
	total := 0
	for _, n := range first {
		total += n
	}
	require.Equal(t, paths, total)
}

func TestTheSameKeyInAnotherBucketIsAnotherLocation(t *testing.T) {
	t.Parallel()
	set := NewPathSet(1000)
	a, b := numbered(1), numbered(1)
	b.Bucket = "other"
	require.Equal(t, New, set.Add(a))
	require.Equal(t, New, set.Has(b))
}
