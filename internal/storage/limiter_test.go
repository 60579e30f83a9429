package storage

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func take(t *testing.T, l *limiter) ticket {
	t.Helper()
	ticket, err := l.acquire(t.Context(), kindRead, 0)
	require.NoError(t, err)
	return ticket
}

func half() float64 { return 0.5 }

func TestTheWindowHalvesInAStormButAtMostOncePerRoundTrip(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(16, half)
		refuse := func(n int) {
			var tickets []ticket
			for range n {
				tickets = append(tickets, take(t, l))
			}
			time.Sleep(20 * time.Millisecond)
			for _, ticket := range tickets {
				l.release(ticket, outcomeThrottled, 1)
			}
		}
		refuse(16)
		require.EqualValues(t, 16, l.window, "the first refusal is no storm, and the others were sent before it")
		refuse(16)
		require.EqualValues(t, 8, l.window)
		refuse(1)
		require.EqualValues(t, 4, l.window)
		for range 10 {
			refuse(1)
		}
		require.EqualValues(t, 1, l.window, "never below one request")
	})
}

func TestTheWindowGrowsByOnePerWindowOfSuccesses(t *testing.T) {
	t.Parallel()
	l := newLimiter(16, nil)
	l.window = 4
	for range 4 {
		l.release(take(t, l), outcomeOK, 0)
	}
	require.InDelta(t, 5, l.window, 0.2)
	for range 1000 {
		l.release(take(t, l), outcomeOK, 0)
	}
	require.EqualValues(t, 16, l.window, "never above the configured size")
	l.release(take(t, l), outcomeOther, 0)
	require.EqualValues(t, 16, l.window)
}

func TestRequestsWaitInTurnAndGiveUpWithTheirContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1, nil)
		first := take(t, l)
		ctx, cancel := context.WithCancelCause(t.Context())
		impatient, patient := make(chan error), make(chan ticket)
		go func() {
			_, err := l.acquire(ctx, kindRead, 0)
			impatient <- err
		}()
		synctest.Wait()
		go func() { patient <- take(t, l) }()
		synctest.Wait()
		require.Equal(t, 2, l.waiting.Len())
		why := errors.New("why")
		cancel(why)
		require.ErrorIs(t, <-impatient, why)
		l.release(first, outcomeOK, 0)
		l.release(<-patient, outcomeOK, 0)
		require.Zero(t, l.inFlight)
		require.Zero(t, l.waiting.Len())
	})
}

func TestAPacedRequestGivesUpWithItsContextAndTheOthersGoOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(4, half)
		refused := take(t, l)
		time.Sleep(time.Second)
		l.release(refused, outcomeThrottled, 1) // about one request a second from now on
		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("why")
		var waiting sync.WaitGroup
		for range 3 {
			waiting.Go(func() {
				_, err := l.acquire(ctx, kindRead, 0)
				require.ErrorIs(t, err, why)
			})
		}
		synctest.Wait()
		require.Equal(t, 3, l.state().Waiting)
		began := time.Now()
		go cancel(why)
		waiting.Wait()
		require.Zero(t, time.Since(began))
		require.Zero(t, l.state().Waiting)
		require.Zero(t, l.inFlight)
		l.release(take(t, l), outcomeOK, 0)
		require.InDelta(t, 1, time.Since(began).Seconds(), 0.2, "the rate is 0.85 a second and grows")
	})
}

func TestRequestsThatWaitForRoomArePacedWhenTheStoreAsksToSlowDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1, half)
		first := take(t, l)
		var last time.Time
		var waiting sync.WaitGroup
		for range 5 {
			waiting.Go(func() {
				ticket := take(t, l)
				last = ticket.sent
				l.release(ticket, outcomeOK, 0)
			})
		}
		synctest.Wait()
		time.Sleep(100 * time.Millisecond)
		began := time.Now()
		l.release(first, outcomeThrottled, 1) // about ten a second from now on
		waiting.Wait()
		require.Greater(t, last.Sub(began), 400*time.Millisecond)
		require.Less(t, last.Sub(began), 700*time.Millisecond)
	})
}

func TestDeletesThatArePacedDoNotSlowReads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1, half)
		batch, err := l.acquire(t.Context(), kindBatch, 1000)
		require.NoError(t, err)
		time.Sleep(time.Second)
		l.release(batch, outcomeThrottled, 1)
		go func() {
			if batch, err := l.acquire(t.Context(), kindBatch, 1000); err == nil {
				l.release(batch, outcomeOK, 0)
			}
		}()
		synctest.Wait()
		began := time.Now()
		for range 100 {
			l.release(take(t, l), outcomeOK, 0)
		}
		require.Zero(t, time.Since(began))
		time.Sleep(5 * time.Second)
		state := l.state()
		require.Zero(t, state.Reads.Rate)
		require.Positive(t, state.Batches.Rate)
		require.Equal(t, Pace{Rate: state.Batches.Rate, Sent: 2, Refused: 1}, state.Batches)
	})
}

func TestACeilingHoldsForAllKindsTogetherAndForDeletedKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(32, nil)
		l.ceilings.narrow(100, 0)
		l.ceilings.narrow(20, 3000)
		l.ceilings.narrow(50, 5000)
		began := time.Now()
		var all sync.WaitGroup
		for _, kind := range []requestKind{kindRead, kindWrite, kindRead, kindWrite} {
			all.Go(func() {
				for range 50 {
					ticket, err := l.acquire(t.Context(), kind, 0)
					require.NoError(t, err)
					l.release(ticket, outcomeOK, 0)
				}
			})
		}
		all.Wait()
		require.InDelta(t, 199.0/20, time.Since(began).Seconds(), 0.01, "200 requests, the smallest ceiling decides")
		began = time.Now()
		for range 31 {
			ticket, err := l.acquire(t.Context(), kindBatch, 1000)
			require.NoError(t, err)
			l.release(ticket, outcomeOK, 0)
		}
		require.InDelta(t, 10, time.Since(began).Seconds(), 0.1, "the first batch goes at once")
	})
}

func TestASingleDeleteCountsAgainstTheCeilingOfDeletes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(32, nil)
		l.ceilings.narrow(0, 1000)
		began := time.Now()
		for range 3000 {
			ticket, err := l.acquire(t.Context(), kindWrite, 1)
			require.NoError(t, err)
			l.release(ticket, outcomeOK, 0)
		}
		require.InDelta(t, 2, time.Since(began).Seconds(), 0.01, "the first thousand goes at once")
	})
}

func TestWhoGivesUpAsItsTurnComesLetsTheNextOneGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1, nil)
		take(t, l)
		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("why")
		impatient, patient := make(chan error), make(chan ticket)
		go func() {
			_, err := l.acquire(ctx, kindRead, 0)
			impatient <- err
		}()
		synctest.Wait()
		go func() { patient <- take(t, l) }()
		synctest.Wait()
		l.mu.Lock()
		cancel(why) // it has given up from here on, and nobody knows before the lock is free
		l.inFlight--
		l.grant()
		l.mu.Unlock()
		require.ErrorIs(t, <-impatient, why)
		l.release(<-patient, outcomeOK, 0)
		require.Zero(t, l.inFlight)
		require.Zero(t, l.waiting.Len())
	})
}

func TestBucketsOfOneNameAtTwoEndpointsHaveTwoLimiters(t *testing.T) {
	t.Parallel()
	limiters := NewLimiters()
	a := limiters.get(bucketID{"http://one", "b"}, 4)
	require.Same(t, a, limiters.get(bucketID{"http://one", "b"}, 99))
	require.EqualValues(t, 4, a.most, "the smallest decides")
	require.NotSame(t, a, limiters.get(bucketID{"http://two", "b"}, 4))
	take(t, a)
	require.Equal(t, []Limit{
		{Endpoint: "http://one", Bucket: "b", Window: 4, InFlight: 1, Reads: Pace{Sent: 1}},
		{Endpoint: "http://two", Bucket: "b", Window: 4},
	}, limiters.Limits())
}
