package storetest

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/storage"
)

// operations are what is done to a store; each gives its error.
var operations = map[string]func(ctx context.Context, l *Lab, at storage.Location) error{
	"read": func(ctx context.Context, l *Lab, at storage.Location) error {
		_, err := l.ReadAll(ctx, at, 0)
		return err
	},
	"write": func(ctx context.Context, l *Lab, at storage.Location) error { return l.Write(ctx, at, []byte("abc")) },
	"list": func(ctx context.Context, l *Lab, _ storage.Location) error {
		for _, err := range l.List(ctx, l.Root) {
			if err != nil {
				return err
			}
		}
		return nil
	},
	"list in parallel": func(ctx context.Context, l *Lab, _ storage.Location) error {
		for _, err := range l.ListParallel(ctx, l.Root, storage.ListConfig{}) {
			if err != nil {
				return err
			}
		}
		return nil
	},
	"clock": func(ctx context.Context, l *Lab, _ storage.Location) error {
		_, _, err := l.StoreClock(ctx, l.Root)
		return err
	},
	"delete": func(ctx context.Context, l *Lab, at storage.Location) error {
		return l.Delete(ctx, []storage.Location{at, l.Root.Join("absent")})[0].Err
	},
}

func throttled(t *testing.T, store Store) {
	if len(store.Throttled) == 0 {
		t.Skip("this store never asks to slow down")
	}
	proxy := NewProxy(t, store.Endpoint)
	for name, do := range operations {
		for _, answer := range store.Throttled {
			var hooks counted
			l := Open(t, store, proxy.URL, func(c *storage.Config) {
				c.OnThrottle = hooks.add
				c.Retries, c.ThrottleFor = -1, time.Minute // "slow down" needs none of the retries
			})
			at := l.Put(t, "a", "abc")
			left := 2
			proxy.Answer(func(*http.Request) *Answer {
				if left == 0 {
					return nil
				}
				left--
				return &answer
			})
			err := do(t.Context(), l, at)
			proxy.Answer(nil)
			require.NoError(t, err, "%s, status %d", name, answer.Status)
			require.Zero(t, left, name)
			require.Equal(t, 2, hooks.total(), name)
			require.EqualValues(t, 2, l.Usage().Throttled, name)
			limit := l.Limiters.Limits()[0]
			require.EqualValues(t, 2, limit.Reads.Refused+limit.Writes.Refused+limit.Batches.Refused, name)
		}
	}
}

func wrongCredentials(t *testing.T, store Store) {
	if store.Wrong == nil {
		t.Skip("this store takes any credentials")
	}
	right := Open(t, store, store.Endpoint, nil)
	at := right.Put(t, "a", "abc")
	for name, do := range operations {
		l := open(t, store, store.Wrong(store.Endpoint), nil)
		err := do(t.Context(), l, at)
		require.ErrorIs(t, err, storage.ErrDenied, name)
		for _, secret := range store.Secrets {
			require.NotContains(t, err.Error(), secret, name)
		}
	}
	require.Equal(t, "abc", right.Content(t, at))
}

func noBucket(t *testing.T, store Store) {
	if store.NoBucket == "" {
		t.Skip("this store always has its bucket")
	}
	at, err := storage.Parse(store.NoBucket)
	require.NoError(t, err)
	guard, err := storage.NewGuard(store.NoBucket)
	require.NoError(t, err)
	l := Open(t, store, store.Endpoint, nil)
	s := l.stores.Session(storage.SessionConfig{Guard: guard, ReadGuard: guard})
	for _, err := range s.List(t.Context(), at) {
		require.ErrorIs(t, err, storage.ErrNoBucket)
	}
	_, _, err = s.StoreClock(t.Context(), at)
	require.ErrorIs(t, err, storage.ErrNoBucket)
	require.ErrorIs(t, s.Write(t.Context(), at.Join("a"), nil), storage.ErrNoBucket)
	// Neither is a file of it gone.
	_, err = s.ReadAll(t.Context(), at.Join("a"), 0)
	require.ErrorIs(t, err, storage.ErrNoBucket)
	for _, r := range s.Delete(t.Context(), []storage.Location{at.Join("a"), at.Join("b"), at.Join("c\td")}) {
		require.ErrorIs(t, r.Err, storage.ErrNoBucket)
	}
}
