package storage

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

func take(t *testing.T, l *limiter) uint64 {
	t.Helper()
	ticket, err := l.acquire(t.Context())
	require.NoError(t, err)
	return ticket
}

func TestTheWindowHalvesAtMostOncePerRoundTrip(t *testing.T) {
	t.Parallel()
	l := newLimiter(16)
	var tickets []uint64
	for range 16 {
		tickets = append(tickets, take(t, l))
	}
	for _, ticket := range tickets {
		l.release(ticket, outcomeThrottled)
	}
	require.EqualValues(t, 8, l.window)
	l.release(take(t, l), outcomeThrottled)
	require.EqualValues(t, 4, l.window)
	for range 10 {
		l.release(take(t, l), outcomeThrottled)
	}
	require.EqualValues(t, 1, l.window, "never below one request")
}

func TestTheWindowGrowsByOnePerWindowOfSuccesses(t *testing.T) {
	t.Parallel()
	l := newLimiter(16)
	l.window = 4
	for range 4 {
		l.release(take(t, l), outcomeOK)
	}
	require.InDelta(t, 5, l.window, 0.2)
	for range 1000 {
		l.release(take(t, l), outcomeOK)
	}
	require.EqualValues(t, 16, l.window, "never above the configured size")
	l.release(take(t, l), outcomeOther)
	require.EqualValues(t, 16, l.window)
}

func TestRequestsWaitInTurnAndGiveUpWithTheirContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1)
		first := take(t, l)
		ctx, cancel := context.WithCancelCause(t.Context())
		impatient, patient := make(chan error), make(chan uint64)
		go func() {
			_, err := l.acquire(ctx)
			impatient <- err
		}()
		synctest.Wait()
		go func() { patient <- take(t, l) }()
		synctest.Wait()
		require.Equal(t, 2, l.waiting.Len())
		why := errors.New("why")
		cancel(why)
		require.ErrorIs(t, <-impatient, why)
		l.release(first, outcomeOK)
		l.release(<-patient, outcomeOK)
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
		{Endpoint: "http://one", Bucket: "b", Window: 4, InFlight: 1},
		{Endpoint: "http://two", Bucket: "b", Window: 4},
	}, limiters.Limits())
}
