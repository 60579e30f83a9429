package expire_test

import (
	"cmp"
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	"deckhand/internal/maintenance"
	"deckhand/internal/maintenance/maintenancetest"
	"deckhand/jobs"
	"deckhand/jobs/expire"
)

// office is one whose table is expired over HTTP.
type office struct {
	*maintenancetest.Office
	// job is another than that of the table, or nil.
	job *jobs.Job
}

// officeOf registers the yard's table. Its principal may do what maintenance needs,
// or only what is given.
func (y *yard) officeOf(location string, privileges ...string) *office {
	return &office{Office: y.OfficeOf(location, privileges...)}
}

// expireOver runs one expiry over HTTP.
func (o *office) expireOver(ctx context.Context, params string, progress *jobtest.Progress) (r *expire.Receipt, err error) {
	o.T.Helper()
	o.OverHTTP(func(cfg maintenance.Config) {
		handler, newErr := expire.New(cfg)
		require.NoError(o.T, newErr)
		r, err = jobtest.Run[expire.Receipt](ctx, o.T, handler, cmp.Or(o.job, jobWith(params)), progress)
	})
	return r, err
}

// anOffice has a table of all kinds of files, part of them in another bucket.
func anOffice(t testing.TB, privileges ...string) *office {
	t.Helper()
	return &office{Office: maintenancetest.NewOffice(t, privileges...)}
}
