package expire_test

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"deckhand/internal/jobtest"
	"deckhand/internal/maintenance"
	"deckhand/internal/maintenance/maintenancetest"
	"deckhand/internal/s3test"
	"deckhand/jobs"
	"deckhand/jobs/expire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type object = maintenancetest.Object

// yard is one whose table is expired.
type yard struct {
	*maintenancetest.Yard
	// large tables have this many files; 0: as always.
	large int64
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
func (y *yard) handler(client maintenance.Client) *expire.Handler {
	handler, err := expire.New(y.Over(client))
	require.NoError(y.T, err)
	if y.large != 0 {
		handler.TakeForLarge(y.large)
	}
	return handler
}

// expireAll keeps only what refs need.
const expireAll = `{"older-than":"0s","retain-last":1}`

func jobWith(params string) *jobs.Job { return maintenancetest.Job(jobs.Expire, params) }

func (y *yard) expire(params string) (*expire.Receipt, error) {
	y.T.Helper()
	return y.run(y.T.Context(), params, &jobtest.Progress{})
}

func (y *yard) run(ctx context.Context, params string, progress *jobtest.Progress) (*expire.Receipt, error) {
	y.T.Helper()
	return jobtest.Run[expire.Receipt](ctx, y.T, y.handler(nil), jobWith(params), progress)
}

func (y *yard) expireAt(c *maintenancetest.Counter, params string) (*expire.Receipt, error) {
	y.T.Helper()
	return jobtest.Run[expire.Receipt](y.T.Context(), y.T, y.handler(c), jobWith(params), &jobtest.Progress{})
}

// cutOff runs the job until that request.
func (y *yard) cutOff(c maintenancetest.Cut, progress *jobtest.Progress) error {
	y.T.Helper()
	return y.CutOff(c, func(ctx context.Context) error {
		_, err := y.run(ctx, expireAll, progress)
		return err
	})
}

// cuts are all that a whole run can be cut off at.
func (y *yard) cuts(whole *expire.Receipt) []maintenancetest.Cut { return y.Cuts(whole.Requests) }

// wantAfter is what must lie in the store after an expiry: all that was there but
// what only removed snapshots reached, and no record.
func wantAfter(keys []string, before map[string]bool, after map[string]bool) []string {
	return slices.DeleteFunc(slices.Clone(keys), func(key string) bool {
		return maintenancetest.IsMetadata(key) || before[key] && !after[key]
	})
}

func fileCounts(r *expire.Receipt) map[string]int64 {
	counts := map[string]int64{}
	for kind, count := range r.Deleted {
		counts[string(kind)] = count.Files
	}
	return counts
}
