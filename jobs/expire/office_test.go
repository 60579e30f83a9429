package expire_test

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	"deckhand/internal/maintenance"
	"deckhand/internal/polaris"
	"deckhand/internal/s3test"
	"deckhand/internal/secret"
	"deckhand/internal/standin"
	"deckhand/internal/storage"
	"deckhand/jobs"
	"deckhand/jobs/expire"
)

// office is a yard whose table is in a catalog that is reached over HTTP, by the
// client that workers use.
type office struct {
	*yard
	catalog *standin.Server
	table   standin.Table
	config  polaris.Config
	// job is another than that of the table, or nil.
	job *jobs.Job
	// refused counts what the store answered 403 for want of credentials; tokens
	// are those that it saw.
	refused atomic.Int64
	tokens  map[string]bool
}

// officeOf registers the yard's table. Its principal may do what maintenance needs,
// or only what is given.
func (y *yard) officeOf(location string, privileges ...string) *office {
	c := y.atCounter(location)
	if len(privileges) == 0 {
		privileges = standin.MaintenanceGrants
	}
	credential, err := c.server.CreatePrincipal("maint", "lake", privileges...)
	require.NoError(y.t, err)
	return &office{yard: y, catalog: c.server, table: c.table, tokens: map[string]bool{}, config: polaris.Config{
		URI: c.server.URI(), Warehouse: "lake", Credential: secret.String(credential), Realm: standin.DefaultRealm,
		RequestsPerSecond: 10_000, Retries: -1, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}}
}

// expireOver runs one expiry over HTTP.
func (o *office) expireOver(ctx context.Context, params string, progress *jobtest.Progress) (*expire.Receipt, error) {
	o.t.Helper()
	client, err := polaris.New(o.config)
	require.NoError(o.t, err)
	defer func() { require.NoError(o.t, client.Close()) }()
	cfg := o.cfg
	cfg.Catalogs = []maintenance.Catalog{{Realm: "POLARIS", Name: "lake", Client: client, Storage: o.storage}}
	handler, err := expire.New(cfg)
	require.NoError(o.t, err)
	return jobtest.Run[expire.Receipt](ctx, o.t, handler, cmp.Or(o.job, jobWith(params)), progress)
}

// vendedOnly makes the store take nothing from the worker but keys that the catalog
// has vended, for their locations and until they expire, and takes the worker's own
// keys away.
func (o *office) vendedOnly() {
	o.storage = storage.Config{Name: "lake", Retries: 1}
	denied := func(code string) *s3test.Fault {
		o.refused.Add(1)
		return &s3test.Fault{Status: http.StatusForbidden, Code: code}
	}
	o.server.Fault(func(_ int64, op string, r *http.Request) *s3test.Fault {
		bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		token := r.Header.Get("X-Amz-Security-Token")
		if token == "" {
			if isMetadata(key) { // the catalog's own
				return nil
			}
			return denied("AccessDenied")
		}
		o.ledger.mu.Lock()
		o.tokens[token] = true
		o.ledger.mu.Unlock()
		session, known := o.catalog.Session(token)
		switch {
		case !known:
			return denied("InvalidToken")
		case time.Now().After(session.Expires):
			return denied("ExpiredToken")
		case !session.Write && op != "GetObject" && op != "HeadObject" && op != "ListObjectsV2":
			return denied("AccessDenied")
		case key == "":
			return nil // lists and batches: their keys are bounded by the guard
		}
		for _, location := range session.Locations {
			if strings.HasPrefix("s3://"+bucket+"/"+key, strings.TrimSuffix(location, "/")+"/") {
				return nil
			}
		}
		return denied("AccessDenied")
	})
}
