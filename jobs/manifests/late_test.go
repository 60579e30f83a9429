package manifests_test

import (
	"context"

	iceberg "github.com/apache/iceberg-go/table"

	"deckhand/internal/maintenance/maintenancetest"
	"deckhand/internal/polaris"
)

// lateClient carries the first commit out when the second comes, just before it.
type lateClient struct {
	*maintenancetest.Counter
	late func()
	once bool
}

func (l *lateClient) Commit(ctx context.Context, id polaris.Identifier, requirements []iceberg.Requirement, updates []iceberg.Update) (*polaris.Loaded, error) {
	if !l.once {
		l.once = true
		l.late = func() { _, _ = l.Counter.Commit(ctx, id, requirements, updates) }
		return nil, maintenancetest.ErrUnknown
	}
	if l.late != nil {
		l.late()
		l.late = nil
	}
	return l.Counter.Commit(ctx, id, requirements, updates)
}
