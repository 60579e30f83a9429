package purge

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAPurgeIsCutIntoSixtyFourShardsUnlessTheyAreTooSmallOrTooLarge(t *testing.T) {
	t.Parallel()
	for all, want := range map[int64]int64{200_001: 10_000, 1_000_000: 15_625, 10_000_000: 100_000} {
		require.Equal(t, want, shardSize(DefaultShardFiles, all))
	}
	require.EqualValues(t, 5_000, shardSize(5_000, 10_000_000))
}
