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

// lasting gives keys that last for a time, numbered.
type lasting struct {
	mu    sync.Mutex
	life  time.Duration
	asked int
	err   error
	hold  chan struct{} // closed to let the answer out; nil: at once
}

func (l *lasting) ask(ctx context.Context) (S3Credentials, error) {
	l.mu.Lock()
	l.asked++
	hold, err := l.hold, l.err
	keys := S3Credentials{AccessKeyID: string(rune('a' + l.asked - 1)), Expires: time.Now().Add(l.life)}
	l.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return S3Credentials{}, context.Cause(ctx)
		}
	}
	return keys, err
}

func (l *lasting) set(err error, hold chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err, l.hold = err, hold
}

func requireKeys(t *testing.T, r *renewal, want string) {
	t.Helper()
	keys, err := r.get(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, keys.AccessKeyID)
}

func TestKeysAreRenewedBeforeTheyEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		service := &lasting{life: time.Hour}
		r := newRenewal(service.ask, time.Now)
		requireKeys(t, r, "a")
		time.Sleep(time.Hour - renewEarly - time.Second)
		requireKeys(t, r, "a")
		time.Sleep(time.Second)
		requireKeys(t, r, "b")
		require.Equal(t, 2, service.asked)
	})
}

func TestOneRequestRenewsAndTheOthersGoOnWithTheOldKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		service := &lasting{life: time.Hour}
		r := newRenewal(service.ask, time.Now)
		requireKeys(t, r, "a")
		time.Sleep(time.Hour - renewEarly)
		hold := make(chan struct{})
		service.set(nil, hold)
		renewed := make(chan string)
		go func() {
			keys, _ := r.get(t.Context())
			renewed <- keys.AccessKeyID
		}()
		synctest.Wait()
		requireKeys(t, r, "a")
		close(hold)
		require.Equal(t, "b", <-renewed)
		requireKeys(t, r, "b")
		require.Equal(t, 2, service.asked)
	})
}

func TestManyFirstRequestsAskOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		service := &lasting{life: time.Hour, hold: hold}
		r := newRenewal(service.ask, time.Now)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				keys, err := r.get(t.Context())
				if err != nil || keys.AccessKeyID != "a" {
					t.Errorf("got %v, %v", keys, err)
				}
			})
		}
		synctest.Wait()
		close(hold)
		all.Wait()
		require.Equal(t, 1, service.asked)
	})
}

func TestKeysThatStillServeOutliveAServiceThatIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		service := &lasting{life: time.Hour}
		r := newRenewal(service.ask, time.Now)
		requireKeys(t, r, "a")
		time.Sleep(time.Hour - renewEarly)
		service.set(&Error{Reason: ErrUnavailable}, nil)
		requireKeys(t, r, "a")
		requireKeys(t, r, "a")
		require.Equal(t, 2, service.asked, "not each request asks a service that is away")
		time.Sleep(renewEarly)
		_, err := r.get(t.Context())
		require.ErrorIs(t, err, ErrUnavailable)
		service.set(nil, nil)
		requireKeys(t, r, "d")
	})
}

func TestAServiceThatHangsDoesNotHoldUpKeysThatServe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		service := &lasting{life: time.Hour}
		r := newRenewal(service.ask, time.Now)
		requireKeys(t, r, "a")
		time.Sleep(time.Hour - renewEarly)
		service.set(nil, make(chan struct{}))
		before := time.Now()
		requireKeys(t, r, "a")
		require.Equal(t, renewPatience, time.Since(before))
	})
}

func TestARefusalIsTheAnswerToAllForAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		service := &lasting{life: time.Hour, err: &Error{Reason: ErrDenied, Err: errors.New("no")}}
		r := newRenewal(service.ask, time.Now)
		for range 3 {
			_, err := r.get(t.Context())
			require.ErrorIs(t, err, ErrDenied)
		}
		require.Equal(t, 1, service.asked)
		service.set(nil, nil)
		time.Sleep(refusalRest)
		requireKeys(t, r, "b")
	})
}

func TestKeysThatTheStoreCallsExpiredAreNotUsedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		service := &lasting{life: time.Hour}
		r := newRenewal(service.ask, time.Now)
		requireKeys(t, r, "a")
		r.drop()
		requireKeys(t, r, "a")
		time.Sleep(dropAfter)
		r.drop()
		requireKeys(t, r, "b")
		r.drop() // of another request that used the first ones
		requireKeys(t, r, "b")
	})
}
