package storage

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWaitingForTheLimiterIsNotTakenForRefusals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		session := &Session{stores: &Stores{cfg: Config{}.WithDefaults()}}
		r := session.newRetry()
		time.Sleep(time.Hour) // in which others were sent before it
		refusal := &Error{Reason: errThrottled}
		_, again := r.next(refusal, 0)
		require.True(t, again)
		time.Sleep(DefaultThrottleFor)
		_, again = r.next(refusal, 0)
		require.False(t, again, "it is what it was told first that counts")
		r.progressed()
		_, again = r.next(refusal, 0)
		require.True(t, again)
	})
}

func TestWhoWaitsForAnotherToAskTheBucketGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	b := &s3Bucket{versions: newRemembered[Versioning]()}
	b.versions.turn <- struct{}{} // another asks
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("why")
	cancel(why)
	found, err := b.versioning(ctx, nil)
	require.ErrorIs(t, err, why)
	require.Equal(t, VersioningUnknown, found)
}
