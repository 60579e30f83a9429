package maintenance_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	iceberg "github.com/apache/iceberg-go/table"
	"github.com/stretchr/testify/require"

	"deckhand/internal/maintenance"
	"deckhand/internal/maintenance/maintenancetest"
	"deckhand/internal/polaris"
	"deckhand/internal/table"
	"deckhand/internal/tabletest"
	"deckhand/jobs"
)

func TestACommitIsOfTheTableThatWasLoaded(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	taken := s.open(false)
	requirements, err := maintenance.AssertUUID(s.Metadata())
	require.NoError(t, err)
	updates := []iceberg.Update{iceberg.NewSetSnapshotRefUpdate("saved", 1, iceberg.TagRef, 0, 0, 0)}
	made, err := taken.Commit(t.Context(), requirements, updates)
	require.NoError(t, err)
	require.EqualValues(t, 1, made.Metadata.Refs["saved"].SnapshotID)
	s.anew()
	_, err = taken.Commit(t.Context(), requirements, updates)
	require.ErrorIs(t, err, polaris.ErrConflict)
	require.True(t, maintenance.IsDefinite(err))
}

func TestATableWithoutAUUIDAssertsNone(t *testing.T) {
	t.Parallel()
	requirements, err := maintenance.AssertUUID(&table.Metadata{})
	require.NoError(t, err)
	require.Empty(t, requirements)
	_, err = maintenance.AssertUUID(&table.Metadata{UUID: tabletest.HandmadeUUID + "x"})
	require.True(t, jobs.IsPermanent(err), err)
}

func TestOnlyAnAnswerOfTheCatalogEndsACommitForSure(t *testing.T) {
	t.Parallel()
	for _, answer := range []error{polaris.ErrConflict, polaris.ErrRejected, polaris.ErrForbidden, polaris.ErrNotFound} {
		require.True(t, maintenance.IsDefinite(fmt.Errorf("commit: %w", answer)), answer)
	}
	for _, open := range []error{maintenancetest.ErrUnknown, jobs.ErrUnavailable, context.Canceled, errors.New("x"), nil} {
		require.False(t, maintenance.IsDefinite(open), open)
	}
}

func TestWaitsGrowUpToHalfAMinuteAndEndWithTheJob(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		waits := maintenance.NewWaits(time.Second)
		var took []time.Duration
		for range 20 {
			began := time.Now()
			require.NoError(t, waits.Wait(t.Context()))
			took = append(took, time.Since(began))
		}
		require.Less(t, took[0], 2*time.Second)
		require.Greater(t, took[19], 10*time.Second)
		for _, d := range took {
			require.LessOrEqual(t, d, 45*time.Second)
		}
		lost := errors.New("lease lost")
		ctx, stop := context.WithCancelCause(t.Context())
		stop(lost)
		require.ErrorIs(t, waits.Wait(ctx), lost)
	})
}
