package manifests_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"deckhand/internal/jobtest"
	"deckhand/internal/maintenance"
	"deckhand/internal/maintenance/maintenancetest"
	"deckhand/internal/receipt"
	"deckhand/internal/s3test"
	"deckhand/jobs"
	"deckhand/jobs/manifests"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type object = maintenancetest.Object

// yard is one whose table's manifests are rewritten.
type yard struct {
	*maintenancetest.Yard
	// memory of the handler, 0: as always.
	memory int64
}

func newYard(t testing.TB) *yard {
	t.Helper()
	return &yard{Yard: maintenancetest.NewYard(t)}
}

func newYardOn(t testing.TB, server *s3test.Server) *yard {
	t.Helper()
	return &yard{Yard: maintenancetest.NewYardOn(t, server)}
}

// handler asks the catalog through client; nil: the yard's ledger.
func (y *yard) handler(client maintenance.Client) *manifests.Handler {
	handler, err := manifests.New(manifests.Config{Config: y.Over(client), Memory: y.memory})
	require.NoError(y.T, err)
	return handler
}

// jobWith is a new job each time.
func jobWith(params string) *jobs.Job {
	job := maintenancetest.Job(jobs.Manifests, params)
	job.ID = jobs.NewID()
	return job
}

// rewrite runs a new job.
func (y *yard) rewrite(params string) (*manifests.Receipt, error) {
	y.T.Helper()
	return y.run(y.T.Context(), jobWith(params), &jobtest.Progress{})
}

func (y *yard) run(ctx context.Context, job *jobs.Job, progress *jobtest.Progress) (*manifests.Receipt, error) {
	y.T.Helper()
	return jobtest.Run[manifests.Receipt](ctx, y.T, y.handler(nil), job, progress)
}

func (y *yard) rewriteAt(c *maintenancetest.Counter, params string) (*manifests.Receipt, error) {
	y.T.Helper()
	return jobtest.Run[manifests.Receipt](y.T.Context(), y.T, y.handler(c), jobWith(params), &jobtest.Progress{})
}

func kindOf(reason string) receipt.Reason { return receipt.Reason(reason) }
