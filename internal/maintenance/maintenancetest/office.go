package maintenancetest

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/maintenance"
	"deckhand/internal/polaris"
	"deckhand/internal/s3test"
	"deckhand/internal/secret"
	"deckhand/internal/standin"
	"deckhand/internal/storage"
	"deckhand/internal/table"
	"deckhand/internal/tabletest/icebergtable"
)

// Office is a yard whose table is in a catalog that is reached over HTTP, by the
// client that workers use.
type Office struct {
	*Yard
	Catalog *standin.Server
	Table   standin.Table
	// Client is what handlers ask with.
	Client polaris.Config
	// Refused counts what the store answered 403 for want of credentials, since
	// VendedOnly.
	Refused atomic.Int64

	mu     sync.Mutex
	tokens map[string]bool
}

// OfficeOf registers the yard's table. Its principal may do what maintenance needs,
// or only what is given.
func (y *Yard) OfficeOf(location string, privileges ...string) *Office {
	c := y.AtCounter(location)
	if len(privileges) == 0 {
		privileges = standin.MaintenanceGrants
	}
	credential, err := c.Catalog.CreatePrincipal("maint", "lake", privileges...)
	require.NoError(y.T, err)
	return &Office{Yard: y, Catalog: c.Catalog, Table: c.Table, Client: polaris.Config{
		URI: c.Catalog.URI(), Warehouse: "lake", Credential: secret.String(credential), Realm: standin.DefaultRealm,
		RequestsPerSecond: 10_000, Retries: -1, Logger: slog.New(slog.DiscardHandler),
	}}
}

// NewOffice has a table of all kinds of files, part of them in another bucket, and a
// server that checks who asks. Its principal is that of [Yard.OfficeOf].
func NewOffice(t testing.TB, privileges ...string) *Office {
	t.Helper()
	y := NewYardOn(t, s3test.Start(t, s3test.Options{Buckets: []string{"warehouse", "other"}, CheckAuth: true}))
	options := icebergtable.Everything()
	options.Properties = map[string]string{"write.data.path": "s3://other/data/t"}
	return y.OfficeOf(y.Write(options).MetadataLocation, privileges...)
}

// OverHTTP gives the configuration of a handler that asks the catalog as workers do,
// with a client of its own, to use until it returns.
func (o *Office) OverHTTP(use func(cfg maintenance.Config)) {
	o.T.Helper()
	client, err := polaris.New(o.Client)
	require.NoError(o.T, err)
	defer func() { require.NoError(o.T, client.Close()) }()
	use(o.Over(client))
}

// Metadata of the table as the catalog has it.
func (o *Office) Metadata() *table.Metadata {
	o.T.Helper()
	m, err := table.Parse(bytes.NewReader(o.plain(o.Location())))
	require.NoError(o.T, err)
	return m
}

// Location of the table's metadata file; "" when the catalog has none.
func (o *Office) Location() string { return o.Catalog.MetadataLocation(o.T.Context(), o.Table) }

// VendedOnly makes the store take nothing from the worker but keys that the catalog
// has vended, for their locations and until they expire, and takes the worker's own
// keys away.
func (o *Office) VendedOnly() {
	o.Storage = storage.Config{Name: "lake", Retries: 1}
	denied := func(code string) *s3test.Fault {
		o.Refused.Add(1)
		return &s3test.Fault{Status: http.StatusForbidden, Code: code}
	}
	o.Server.Fault(func(_ int64, op string, r *http.Request) *s3test.Fault {
		bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		token := r.Header.Get("X-Amz-Security-Token")
		if token == "" {
			if IsMetadata(key) { // the catalog's own
				return nil
			}
			return denied("AccessDenied")
		}
		o.saw(token)
		session, known := o.Catalog.Session(token)
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

// saw notes a session token.
func (o *Office) saw(token string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.tokens == nil {
		o.tokens = map[string]bool{}
	}
	o.tokens[token] = true
}

// Tokens is how many session tokens the store has seen since VendedOnly.
func (o *Office) Tokens() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.tokens)
}

// DontVend takes the credentials out of every load.
func (o *Office) DontVend() {
	o.LoadSays(func(said Object) {
		delete(said, "storage-credentials")
		delete(said["config"].(Object), "s3.access-key-id")
	})
}

// LoadSays changes what the catalog answers to the load of the table.
func (o *Office) LoadSays(change func(said Object)) {
	var said Object
	raw := encode(Object{
		"metadata-location": o.Location(),
		"config": Object{
			"s3.endpoint": o.Server.Endpoint(), "s3.path-style-access": "true", "client.region": "us-east-1",
			"s3.access-key-id": s3test.AccessKeyID, "s3.secret-access-key": s3test.SecretAccessKey,
		},
		"storage-credentials": []Object{{"prefix": "s3://warehouse/db/t", "config": Object{
			"s3.access-key-id": s3test.AccessKeyID, "s3.secret-access-key": s3test.SecretAccessKey,
		}}},
	})
	decode(raw, &said)
	var metadata Object
	decode(o.plain(o.Location()), &metadata)
	said["metadata"] = metadata
	change(said)
	body := encode(said)
	o.Catalog.Fault(func(_ int64, kind standin.Kind, _ *http.Request) *standin.Fault {
		if kind == standin.LoadTable {
			return &standin.Fault{Status: http.StatusOK, Body: body}
		}
		return nil
	})
}
