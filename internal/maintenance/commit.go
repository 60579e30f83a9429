package maintenance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/google/uuid"

	iceberg "github.com/apache/iceberg-go/table"

	"deckhand/internal/polaris"
	"deckhand/internal/table"
	"deckhand/jobs"
)

// MaxCommits is how often a job tries to commit before it comes back later.
const MaxCommits = 8

// maxRetryWait is the longest wait between two tries of a commit.
const maxRetryWait = 30 * time.Second

// Commit changes the table if it meets the requirements, and gives what the catalog
// made of it. The error is the catalog's own: [polaris.ErrConflict] for
// requirements that are not met, [polaris.ErrStateUnknown] when the commit may have
// taken place or may yet; see [IsDefinite]. What ends the job goes through
// [CatalogFailure].
func (t *Table) Commit(ctx context.Context, requirements []iceberg.Requirement, updates []iceberg.Update) (*polaris.Loaded, error) {
	made, err := t.catalog.Client.Commit(ctx, t.ID, requirements, updates)
	if err != nil {
		return nil, err
	}
	t.cfg.Progress.Alive()
	return made, nil
}

// AssertUUID is the requirement that the table is still this one. There is none for
// a table of format 1 without a UUID. The error, of a UUID that is none, is
// permanent.
func AssertUUID(m *table.Metadata) ([]iceberg.Requirement, error) {
	if m.UUID == "" {
		return nil, nil
	}
	id, err := uuid.Parse(m.UUID)
	if err != nil {
		return nil, jobs.Permanent(fmt.Errorf("read the table's UUID %q: %w", m.UUID, err))
	}
	return []iceberg.Requirement{iceberg.AssertTableUUID(id)}, nil
}

// IsDefinite says that the error of a commit is an answer of the catalog: the commit
// did not take place and will not. After any other it may come yet, so that what it
// names must stay.
func IsDefinite(err error) bool {
	return slices.ContainsFunc([]error{
		polaris.ErrConflict, polaris.ErrForbidden, polaris.ErrUnauthorized, polaris.ErrRejected,
		polaris.ErrNotFound, polaris.ErrNotATable, polaris.ErrNoCatalog, polaris.ErrNoNamespace,
	}, func(answer error) bool { return errors.Is(err, answer) })
}

// Waits are those between the tries of a commit: each about twice as long as the one
// before, up to 30 seconds.
type Waits struct{ next *backoff.ExponentialBackOff }

// NewWaits begins with about that long; see [Config].RetryWait.
func NewWaits(first time.Duration) Waits {
	return Waits{backoff.NewExponentialBackOff(backoff.WithInitialInterval(first),
		backoff.WithMaxInterval(maxRetryWait), backoff.WithMaxElapsedTime(0))}
}

// Wait for the next try. The error is the cause of ctx's end.
func (w Waits) Wait(ctx context.Context) error {
	timer := time.NewTimer(w.next.NextBackOff())
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
