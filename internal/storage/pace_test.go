package storage

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWorkersComeToTheRateThatTheStoreTakesAndShareIt(t *testing.T) {
	t.Parallel()
	for seed, c := range []struct {
		workers     int
		rate, burst float64
		latency     time.Duration
		between     time.Duration
	}{
		{1, 10, 10, 20 * time.Millisecond, 0},
		{1, 20, 20, 50 * time.Millisecond, 0},
		{1, 100, 100, 20 * time.Millisecond, 0},
		{1, 100, 3000, 20 * time.Millisecond, 0}, // what went before lasts for half a minute
		{1, 200, 20, 5 * time.Millisecond, 0},
		{1, 60, 60, 400 * time.Millisecond, 0},
		{2, 100, 100, 20 * time.Millisecond, 0},
		{8, 60, 60, 20 * time.Millisecond, 0},
		{8, 100, 100, 20 * time.Millisecond, 0},
		{8, 100, 10, 20 * time.Millisecond, 0},
		{8, 100, 100, 20 * time.Millisecond, 10 * time.Second}, // who comes late gets as much
		{8, 250, 250, 400 * time.Millisecond, 0},
		{8, 250, 250, 2 * time.Millisecond, time.Second},
	} {
		name := fmt.Sprintf("%d workers, %v/s, burst %v, latency %v, %v apart", c.workers, c.rate, c.burst, c.latency, c.between)
		fleet := newFleet(uint64(seed), c.workers, throttle{rate: c.rate, burst: c.burst}, c.latency, c.between)
		fleet.world.pass(max(time.Minute, min(4*time.Minute, seconds(20_000/c.rate))))
		got := fleet.measure(max(time.Minute, min(10*time.Minute, seconds(60_000/c.rate))))
		t.Logf("%s: %.0f%% of the rate, shares within %.2f, %.2f%% refused", name, 100*got.rate/c.rate, got.share, 100*got.refused)
		require.InEpsilon(t, c.rate, got.rate, 0.2, name)
		require.Less(t, got.share, 2.0, name)
		require.Less(t, got.refused, 0.02, name)
	}
}
