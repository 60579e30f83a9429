package storms

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) } //nolint:gosec // repeatable

func TestEachKindOfStormComesOnceBeforeAnyComesAgain(t *testing.T) {
	t.Parallel()
	drawn := func(seed uint64, n int) []Kind {
		d, all := newDeck(OfWorkers, seeded(seed)), []Kind(nil)
		for range n {
			all = append(all, d.next())
		}
		return all
	}
	require.ElementsMatch(t, []Kind{KillWorker, TerminateWorker, StallWorker, CutWorker, FreezeWorker}, drawn(1, 5))
	require.ElementsMatch(t, OfWorkers, drawn(1, 5+len(OfWorkers))[5:])
	require.Equal(t, drawn(7, 50), drawn(7, 50), "one seed, one plan")
	require.NotEqual(t, drawn(7, 50), drawn(8, 50))
}
