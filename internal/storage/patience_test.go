package storage

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestABrokenReadGetsItsAttemptsBackOnlyForProgress(t *testing.T) {
	t.Parallel()
	var p patience
	start := time.Now()
	p.broke(start)
	require.False(t, p.renews(1, start, time.Minute))
	require.False(t, p.renews(renewalBytes-2, start, time.Minute))
	require.True(t, p.renews(1, start, time.Minute), "bytes of several connections add up")
	p.broke(start)
	require.False(t, p.renews(1, start, time.Minute), "they count anew")
	require.True(t, p.renews(1, start.Add(time.Minute), time.Minute), "a slow line")
}

func TestABrokenReadGetsItsAttemptsBackOnlySoOften(t *testing.T) {
	t.Parallel()
	var p patience
	renewed := 0
	for range 3 * maxRenewals {
		p.broke(time.Now())
		if p.renews(renewalBytes, time.Now(), time.Minute) {
			renewed++
		}
	}
	require.Equal(t, maxRenewals, renewed)
}
