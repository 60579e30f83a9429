package maintenance_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/maintenance"
	"deckhand/internal/polaris"
	"deckhand/internal/storage"
	"deckhand/internal/table"
	"deckhand/jobs"
)

// What a failure means for a job.
const (
	gone      = "gone"
	permanent = "permanent"
	outage    = "outage"
	ordinary  = "ordinary"
)

func meaning(err error) string {
	switch {
	case errors.Is(err, maintenance.ErrGone):
		return gone
	case jobs.IsPermanent(err):
		return permanent
	case errors.Is(err, jobs.ErrUnavailable):
		return outage
	}
	return ordinary
}

func TestAFailureOfTheCatalogSaysWhetherTryingAgainCanHelp(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]string{
		polaris.ErrNotFound: gone, polaris.ErrNoNamespace: gone,
		polaris.ErrNotATable: permanent, polaris.ErrNoCatalog: permanent, polaris.ErrForbidden: permanent,
		polaris.ErrRejected: permanent, table.ErrCorrupt: permanent, table.ErrEncrypted: permanent, table.ErrNewerFormat: permanent,
		jobs.ErrUnavailable: outage, storage.ErrUnavailable: outage,
		polaris.ErrDamaged: ordinary, polaris.ErrConflict: ordinary, polaris.ErrStateUnknown: ordinary, polaris.ErrUnauthorized: ordinary,
	} {
		require.Equal(t, want, meaning(maintenance.CatalogFailure(t.Context(), fmt.Errorf("load: %w", err))), err)
	}
	require.NoError(t, maintenance.CatalogFailure(t.Context(), nil))
}

func TestAFailureToReadSaysWhetherTryingAgainCanHelp(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]string{
		storage.ErrNotFound: permanent, storage.ErrDenied: permanent, storage.ErrOutside: permanent, table.ErrCorrupt: permanent,
		storage.ErrUnavailable: outage,
	} {
		require.Equal(t, want, meaning(maintenance.StorageFailure(t.Context(), fmt.Errorf("read: %w", err))), err)
	}
	require.NoError(t, maintenance.StorageFailure(t.Context(), nil))
}

func TestAFailureToWriteSaysWhatIsSoAndWhatToDo(t *testing.T) {
	t.Parallel()
	for err, want := range map[error][]string{
		storage.ErrOutside:     {permanent, "nothing was committed; add the table's location"},
		storage.ErrDenied:      {permanent, "nothing was committed; the keys must allow"},
		storage.ErrUnavailable: {outage, "write"},
	} {
		got := maintenance.WriteFailure(t.Context(), fmt.Errorf("write: %w", err), "nothing was committed")
		require.Equal(t, want[0], meaning(got), err)
		require.ErrorContains(t, got, want[1])
		require.ErrorIs(t, got, err)
	}
}
