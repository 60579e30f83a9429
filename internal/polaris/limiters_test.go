package polaris_test

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/polaris"
)

type transport func(*http.Request) (*http.Response, error)

// RoundTrip implements [http.RoundTripper].
func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func reply(r *http.Request, status int) *http.Response {
	return &http.Response{
		StatusCode: status, Header: http.Header{}, Request: r,
		Body: io.NopCloser(strings.NewReader(`{"overrides":{},"namespaces":[]}`)),
	}
}

// within makes a client in a bubble of time.
func within(t *testing.T, f transport, change func(*polaris.Config)) *polaris.Client {
	t.Helper()
	cfg := polaris.Config{URI: "http://polaris/api/catalog", Transport: f, Logger: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&cfg)
	}
	c, err := polaris.New(cfg)
	require.NoError(t, err)
	return c
}

func TestAServerIsAsked20TimesASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := within(t, func(r *http.Request) (*http.Response, error) { return reply(r, 200), nil }, nil)
		began := time.Now()
		for range 99 { // and one for the configuration
			require.NoError(t, list(t, c))
		}
		require.InDelta(t, 4.75, time.Since(began).Seconds(), 0.06, "100 less the 5 that may come at once, at 20 a second")
	})
}

func TestRequestsInFlightAreBoundedForAllCatalogsOfAServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := polaris.NewLimiters()
		inFlight, most := 0, 0
		var mu sync.Mutex
		slow := transport(func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			inFlight++
			most = max(most, inFlight)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			inFlight--
			mu.Unlock()
			return reply(r, 200), nil
		})
		var all sync.WaitGroup
		for _, warehouse := range []string{"lake", "sea"} {
			c := within(t, slow, func(cfg *polaris.Config) { cfg.Limiters, cfg.Warehouse = shared, warehouse })
			for range 10 {
				all.Go(func() { _ = list(t, c) })
			}
		}
		all.Wait()
		require.Equal(t, 4, most)
	})
}

func TestTwoServersDoNotWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := polaris.NewLimiters()
		began := time.Now()
		for _, uri := range []string{"http://a", "http://b"} {
			c := within(t, func(r *http.Request) (*http.Response, error) { return reply(r, 200), nil },
				func(cfg *polaris.Config) { cfg.Limiters, cfg.URI = shared, uri })
			for range 4 {
				require.NoError(t, list(t, c))
			}
		}
		require.Zero(t, time.Since(began))
	})
}

func TestAnOverloadedServerIsAskedLessUntilItRecovers(t *testing.T) {
	for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		synctest.Test(t, func(t *testing.T) {
			var overloaded atomic.Bool
			c := within(t, func(r *http.Request) (*http.Response, error) {
				if overloaded.Load() {
					return reply(r, status), nil
				}
				return reply(r, 200), nil
			}, func(cfg *polaris.Config) { cfg.Retries = -1 })
			took := func() time.Duration { // of ten requests, after all that may come at once
				for range 5 {
					_ = list(t, c)
				}
				began := time.Now()
				for range 10 {
					_ = list(t, c)
				}
				return time.Since(began)
			}
			fast := took()
			overloaded.Store(true)
			for range 3 {
				require.ErrorIs(t, list(t, c), polaris.ErrUnavailable)
			}
			overloaded.Store(false)
			require.Greater(t, took(), fast+fast/2)
			for range 60 {
				require.NoError(t, list(t, c))
			}
			require.InDelta(t, fast.Seconds(), took().Seconds(), 0.06)
		})
	}
}

func TestATooBusyServerIsAskedAgainForTwoMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		c := within(t, func(r *http.Request) (*http.Response, error) {
			if time.Since(began) < 100*time.Second {
				return reply(r, http.StatusTooManyRequests), nil
			}
			return reply(r, 200), nil
		}, nil)
		require.NoError(t, list(t, c))

		began = time.Now().Add(time.Hour)
		err := list(t, c)
		require.ErrorIs(t, err, polaris.ErrUnavailable)
		require.ErrorContains(t, err, "requests_per_second")
	})
}

func TestRetryAfterIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent []time.Time
		c := within(t, func(r *http.Request) (*http.Response, error) {
			sent = append(sent, time.Now())
			answer := reply(r, 200)
			if len(sent) == 1 {
				answer = reply(r, http.StatusServiceUnavailable)
				answer.Header.Set("Retry-After", "7")
			}
			return answer, nil
		}, nil)
		require.NoError(t, list(t, c))
		require.GreaterOrEqual(t, sent[1].Sub(sent[0]), 7*time.Second)
	})
}
