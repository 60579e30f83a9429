package ownership

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A look through a namespace of ten thousand tables takes longer than a job may be
// silent.
func TestWhoWaitsForAnothersLookIsAliveAsLongAsItGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, cfg := newSharing(), Config{}.WithDefaults()
		silent := make(chan struct{})
		looker, waiter := make(chan error, 1), make(chan error, 1)
		go func() {
			_, err := s.do(t.Context(), cfg, func() {}, time.Time{}, func(_ context.Context, alive func()) (time.Time, error) {
				time.Sleep(time.Second / 2) // never together with the waiter's clock
				for range 59 {
					time.Sleep(time.Second)
					alive()
				}
				<-silent
				return time.Time{}, nil
			})
			looker <- err
		}()
		synctest.Wait()
		var lived atomic.Int64
		go func() {
			_, err := s.do(t.Context(), cfg, func() { lived.Add(1) }, time.Time{}, func(context.Context, func()) (time.Time, error) {
				return time.Time{}, errors.New("the look that was waited for is young enough")
			})
			waiter <- err
		}()
		time.Sleep(65 * time.Second)
		require.EqualValues(t, 60/10, lived.Load())
		time.Sleep(time.Hour)
		require.EqualValues(t, 60/10, lived.Load(), "when nothing is answered any more, the job is not alive")
		close(silent)
		require.NoError(t, <-looker)
		require.NoError(t, <-waiter)
	})
}

func TestAFailureIsSharedByThoseWhoAskedBeforeIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, cfg := newSharing(), Config{}.WithDefaults()
		failure, looks := errors.New("away"), 0
		fail := func(context.Context, func()) (time.Time, error) {
			looks++
			time.Sleep(time.Minute)
			return time.Time{}, failure
		}
		ended := make(chan error, 3)
		for range 3 {
			go func() {
				_, err := s.do(t.Context(), cfg, func() {}, time.Time{}, fail)
				ended <- err
			}()
		}
		for range 3 {
			require.ErrorIs(t, <-ended, failure)
		}
		require.Equal(t, 1, looks)
		_, err := s.do(t.Context(), cfg, func() {}, time.Time{}, func(context.Context, func()) (time.Time, error) { return time.Time{}, nil })
		require.NoError(t, err)
	})
}
