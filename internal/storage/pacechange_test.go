package storage

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const simLatency = 20 * time.Millisecond

func TestNothingIsPacedUntilTheStoreAsksForIt(t *testing.T) {
	t.Parallel()
	fleet := newFleet(1, 1, throttle{}, simLatency, 0)
	got := fleet.measure(10 * time.Second)
	require.Greater(t, got.rate, 1400.0, "32 requests in flight of 20 ms")
	require.Equal(t, []float64{math.Inf(1)}, fleet.rates())
}

func TestALimitThatIsLiftedIsForgottenInTime(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		workers int
		rate    float64
		tenfold time.Duration
		free    time.Duration
	}{
		{1, 50, time.Minute, 2 * time.Minute},
		{1, 10, time.Minute, 2 * time.Minute},
		{8, 100, time.Minute, 2 * time.Minute},
		{1, 0.3, 8 * time.Minute, 15 * time.Minute},
	} {
		fleet := newFleet(2, c.workers, throttle{rate: c.rate, burst: max(1, c.rate)}, 400*time.Millisecond, 0)
		fleet.world.pass(5 * time.Minute)
		fleet.store.rate = 0
		fleet.world.pass(c.tenfold)
		for _, rate := range fleet.rates() {
			require.Greater(t, rate, 9*c.rate/float64(c.workers), c)
		}
		fleet.world.pass(c.free - c.tenfold)
		for _, rate := range fleet.rates() {
			require.Equal(t, math.Inf(1), rate, c)
		}
	}
}

func TestALimitThatChangesIsFound(t *testing.T) {
	t.Parallel()
	fleet := newFleet(3, 8, throttle{rate: 400, burst: 400}, simLatency, 0)
	fleet.world.pass(2 * time.Minute)
	for _, rate := range []float64{80, 300} {
		fleet.store.rate, fleet.store.burst = rate, rate
		fleet.world.pass(90 * time.Second)
		got := fleet.measure(2 * time.Minute)
		require.InEpsilon(t, rate, got.rate, 0.2)
		require.Less(t, got.refused, 0.02)
	}
}

func TestWhoStaysTakesWhatTheOthersLeave(t *testing.T) {
	t.Parallel()
	fleet := newFleet(4, 8, throttle{rate: 100, burst: 100}, simLatency, 0)
	fleet.world.pass(2 * time.Minute)
	for _, gone := range fleet.workers[1:] {
		gone.stopped = true
	}
	fleet.world.pass(90 * time.Second)
	fleet.workers = fleet.workers[:1]
	got := fleet.measure(2 * time.Minute)
	require.InEpsilon(t, 100, got.rate, 0.2)
	require.Less(t, got.refused, 0.02)
}

func TestAnOutageDoesNotSlowWhatComesAfterIt(t *testing.T) {
	t.Parallel()
	for _, before := range []time.Duration{0, 2 * time.Minute} {
		fleet := newFleet(5, 8, throttle{rate: 100, burst: 100}, simLatency, 0)
		fleet.world.pass(before)
		fleet.store.faulty = 1
		fleet.world.pass(time.Minute)
		least := fleet.measure(time.Second)
		require.Less(t, fleet.rates()[0], 100.0, "1,600 at full speed")
		require.Zero(t, least.rate)
		fleet.store.faulty = 0
		fleet.world.pass(30 * time.Second)
		require.InEpsilon(t, 100, fleet.measure(time.Minute).rate, 0.2)
	}
}

func TestRefusalsThatDoNotComeFromTheRateSlowLittle(t *testing.T) {
	t.Parallel()
	for _, faulty := range []float64{0.03, 0.1} {
		fleet := newFleet(6, 1, throttle{faulty: faulty}, simLatency, 0)
		require.Greater(t, fleet.measure(time.Minute).rate, 200.0)
		require.Greater(t, fleet.measure(10*time.Minute).rate, 10.0)
	}
}

func TestOneRefusedKeyOfABatchSlowsAsLittleAsMayBe(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	p := newPace(half)
	require.True(t, p.refuse(now, p.send(now), 0.001, 100*time.Millisecond, 1))
	require.InEpsilon(t, 10*paceKeep, p.rate(now), 1e-9)
	require.Greater(t, p.accepted, 0.99)
}

func TestARefusalIsHeldAgainstWhatWasSentNotWhatMightHaveBeen(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	p := newPace(half)
	for range 100 { // 1,000 requests a second were refused
		p.accept(p.send(now))
	}
	p.refuse(now, p.send(now), 1, 100*time.Millisecond, 100)
	for range 50 { // and then five are sent
		now = now.Add(200 * time.Millisecond)
		p.accept(p.send(now))
	}
	require.Greater(t, p.rate(now), 900.0)
	p.proven = proof{}
	p.refuse(now, p.send(now), 1, 100*time.Millisecond, 1)
	require.Less(t, p.rate(now), 10.0)
}

func TestTheErrorOfABatchTellsHowManyKeysWereRefused(t *testing.T) {
	t.Parallel()
	slow := &Error{Reason: errThrottled, Code: "SlowDown"}
	err := passing([]error{nil, slow, &Error{Reason: ErrUnavailable}, slow, nil, nil, nil, nil})
	require.ErrorIs(t, err, errThrottled)
	require.Equal(t, &Error{Reason: errThrottled, Code: "SlowDown", share: 0.25}, err)
	require.Zero(t, slow.share)
}
