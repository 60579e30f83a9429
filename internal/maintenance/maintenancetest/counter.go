package maintenancetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"

	iceberg "github.com/apache/iceberg-go/table"
	"github.com/stretchr/testify/require"

	"deckhand/internal/maintenance"
	"deckhand/internal/polaris"
	"deckhand/internal/s3test"
	"deckhand/internal/standin"
	"deckhand/internal/table"
)

// Counter speaks to the stand-in for Polaris over the counter, without HTTP, so
// that commits go by its rules: Polaris' own. Of its Ledger only Race is asked.
type Counter struct {
	*Ledger
	Catalog *standin.Server
	Table   standin.Table
}

var _ maintenance.Client = (*Counter)(nil)

// Load implements [maintenance.Client].
func (c *Counter) Load(ctx context.Context, _ polaris.Identifier, _ polaris.LoadOptions) (*polaris.Loaded, error) {
	location := c.Catalog.MetadataLocation(ctx, c.Table)
	if location == "" {
		return nil, polaris.ErrNotFound
	}
	raw := c.yard.plain(location)
	m, err := table.Parse(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	return &polaris.Loaded{MetadataLocation: location, Metadata: m, RawMetadata: raw}, nil
}

// Commit implements [maintenance.Client].
func (c *Counter) Commit(ctx context.Context, id polaris.Identifier, requirements []iceberg.Requirement, updates []iceberg.Update) (*polaris.Loaded, error) {
	c.raced()
	err := c.Catalog.Commit(ctx, c.Table, requirements, updates)
	var refusal *standin.Refusal
	switch {
	case errors.As(err, &refusal) && refusal.Status == http.StatusConflict:
		return nil, fmt.Errorf("%w: %w", polaris.ErrConflict, err)
	case errors.As(err, &refusal) && refusal.Status < http.StatusInternalServerError:
		return nil, fmt.Errorf("%w: %w", polaris.ErrRejected, err)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", polaris.ErrStateUnknown, err)
	}
	return c.Load(ctx, id, polaris.LoadOptions{})
}

// AtCounter registers a table in a new stand-in.
func (y *Yard) AtCounter(location string) *Counter {
	s3 := &standin.S3{Endpoint: y.Server.Endpoint(), AccessKeyID: s3test.AccessKeyID, SecretAccessKey: s3test.SecretAccessKey}
	c := &Counter{Ledger: y.Ledger, Table: standin.Table{Catalog: "lake", Namespace: []string{"zoo"}, Name: "t"}}
	c.Catalog = standin.Start(y.T, standin.Options{Catalogs: []standin.Catalog{{
		Name: "lake", Location: "s3://warehouse", AllowedLocations: []string{"s3://other"}, S3: s3,
	}}})
	require.NoError(y.T, c.Catalog.Register(y.T.Context(), c.Table, location))
	return c
}
