package polaristest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/natstest"
)

const manyDrops = 50

func dropWithoutNATS(t *testing.T, r *ring) {
	_, c := r.serve(t, nil)
	r.create(t, c, 2*manyDrops)
	usual := drop(t, c, 0, manyDrops)
	eventually(t, func() bool { waiting, _ := r.published(t); return waiting == manyDrops }, "the first purges are not published")
	r.nats.Stop()
	without := drop(t, c, manyDrops, 2*manyDrops)
	requireUsual(t, usual, without)
	r.nats.Restart(t)
	r.js = r.nats.JetStream(t)
	eventually(t, func() bool { waiting, _ := r.published(t); return waiting == 2*manyDrops }, "not all purges are published")
}

func dropWithSlowNATS(t *testing.T, r *ring) {
	proxy := natstest.NewProxy(t, r.nats.Addr())
	_, c := r.serve(t, func(o *Options) { o.NATS = proxy.URL() })
	r.create(t, c, 2*manyDrops)
	usual := drop(t, c, 0, manyDrops)
	eventually(t, func() bool { waiting, _ := r.published(t); return waiting == manyDrops }, "the first purges are not published")
	proxy.Stall()
	slow := drop(t, c, manyDrops, 2*manyDrops)
	requireUsual(t, usual, slow)
	waiting, _ := r.published(t)
	require.EqualValues(t, manyDrops, waiting, "NATS was not slow")
	proxy.Resume()
	eventually(t, func() bool { waiting, _ := r.published(t); return waiting == 2*manyDrops }, "not all purges are published")
}

// What a busy machine may do to a drop. One that waits for NATS takes seconds.
const (
	slowerBy = 5
	floor    = 300 * time.Millisecond
	// one of fifty may also meet a pause of the JVM
	floorOfOne = time.Second
)

func requireUsual(t *testing.T, usual, now []time.Duration) {
	t.Helper()
	t.Logf("%d drops: %s; usually %s", len(now), inWords(now), inWords(usual))
	require.NoError(t, unusual(usual, now))
}

// unusual compares sorted times of drops with those of drops in good weather.
func unusual(usual, now []time.Duration) error {
	for _, part := range []struct {
		name  string
		of    func([]time.Duration) time.Duration
		floor time.Duration
	}{{"median", median, floor}, {"p90", p90, floor}, {"slowest", slowest, floorOfOne}} {
		if limit := slowerBy*part.of(usual) + part.floor; part.of(now) > limit {
			return fmt.Errorf("the %s of the drops takes %s, usually %s; more than %s is not usual", part.name, part.of(now), part.of(usual), limit)
		}
	}
	return nil
}

func median(sorted []time.Duration) time.Duration  { return sorted[len(sorted)/2] }
func p90(sorted []time.Duration) time.Duration     { return sorted[len(sorted)*9/10] }
func p99(sorted []time.Duration) time.Duration     { return sorted[len(sorted)*99/100] }
func slowest(sorted []time.Duration) time.Duration { return sorted[len(sorted)-1] }

func inWords(sorted []time.Duration) string {
	brief := func(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }
	return fmt.Sprintf("p50 %s, p90 %s, p99 %s, slowest %s", brief(median(sorted)), brief(p90(sorted)), brief(p99(sorted)), brief(slowest(sorted)))
}

func TestADropThatWaitsForNATSIsUnusual(t *testing.T) {
	t.Parallel()
	usual := slices.Repeat([]time.Duration{20 * time.Millisecond}, manyDrops)
	require.NoError(t, unusual(usual, usual))
	require.NoError(t, unusual(usual, slices.Repeat([]time.Duration{60 * time.Millisecond}, manyDrops)))
	require.ErrorContains(t, unusual(usual, slices.Repeat([]time.Duration{2 * time.Second}, manyDrops)), "median")
	one := slices.Clone(usual)
	one[manyDrops-1] = 2 * time.Second
	require.ErrorContains(t, unusual(usual, one), "slowest")
	some := slices.Clone(usual)
	for i := manyDrops - 6; i < manyDrops; i++ {
		some[i] = 500 * time.Millisecond
	}
	require.ErrorContains(t, unusual(usual, some), "p90")
}
