package expire_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	iceberg "github.com/apache/iceberg-go/table"
	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	"deckhand/internal/maintenance"
	"deckhand/internal/polaris"
	"deckhand/internal/s3test"
	"deckhand/internal/standin"
	"deckhand/internal/table"
	"deckhand/internal/tabletest"
	"deckhand/internal/tabletest/icebergtable"
	"deckhand/jobs"
	"deckhand/jobs/expire"
)

// counter speaks to the stand-in for Polaris over the counter, without HTTP, so
// that commits go by its rules: Polaris' own.
type counter struct {
	*ledger
	server *standin.Server
	table  standin.Table
}

func (c *counter) Load(ctx context.Context, _ polaris.Identifier, _ polaris.LoadOptions) (*polaris.Loaded, error) {
	location := c.server.MetadataLocation(ctx, c.table)
	if location == "" {
		return nil, polaris.ErrNotFound
	}
	m, err := table.Parse(bytes.NewReader(c.read(location)))
	if err != nil {
		return nil, err
	}
	return &polaris.Loaded{MetadataLocation: location, Metadata: m}, nil
}

func (c *counter) Commit(ctx context.Context, id polaris.Identifier, requirements []iceberg.Requirement, updates []iceberg.Update) (*polaris.Loaded, error) {
	if race := c.race; race != nil {
		c.race = nil
		race()
	}
	err := c.server.Commit(ctx, c.table, requirements, updates)
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

// atCounter registers a table in a new stand-in.
func (y *yard) atCounter(location string) *counter {
	s3 := &standin.S3{Endpoint: y.server.Endpoint(), AccessKeyID: s3test.AccessKeyID, SecretAccessKey: s3test.SecretAccessKey}
	c := &counter{ledger: y.ledger, table: standin.Table{Catalog: "lake", Namespace: []string{"zoo"}, Name: "t"}}
	c.server = standin.Start(y.t, standin.Options{Catalogs: []standin.Catalog{{
		Name: "lake", Location: "s3://warehouse", AllowedLocations: []string{"s3://other"}, S3: s3,
	}}})
	require.NoError(y.t, c.server.Register(y.t.Context(), c.table, location))
	return c
}

func (y *yard) expireAt(c *counter, params string) (*expire.Receipt, error) {
	cfg := y.cfg
	cfg.Catalogs = []maintenance.Catalog{{Realm: "POLARIS", Name: "lake", Client: c, Storage: y.storage}}
	handler, err := expire.New(cfg)
	require.NoError(y.t, err)
	return jobtest.Run[expire.Receipt](y.t.Context(), y.t, handler, jobWith(params), &jobtest.Progress{})
}

func TestZooTablesAreExpiredByTheRulesOfPolaris(t *testing.T) {
	t.Parallel()
	zoo := tabletest.LoadZoo(t)
	y := newYard(t)
	zoo.Load(y.server)
	full := y.server.Snapshot()
	for _, made := range zoo.Tables {
		t.Run(made.Name, func(t *testing.T) {
			y.t = t
			y.server.Restore(full)
			c := y.atCounter(made.MetadataLocation)
			loaded, err := c.Load(t.Context(), polaris.Identifier{}, polaris.LoadOptions{})
			require.NoError(t, err)
			before := loaded.Metadata
			reached, keys := y.reach(before), y.files()
			_, err = y.expireAt(c, `{"older-than":"0s","retain-last":1,"clean-expired-metadata":true}`)
			if !before.GCEnabled() {
				require.True(t, jobs.IsPermanent(err))
				return
			}
			require.NoError(t, err)
			loaded, err = c.Load(t.Context(), polaris.Identifier{}, polaris.LoadOptions{})
			require.NoError(t, err)
			after := loaded.Metadata
			require.Equal(t, before.Refs, after.Refs)
			for _, s := range after.Snapshots {
				require.Equal(t, reached[s.ID], y.reach(after)[s.ID])
			}
			require.Equal(t, wantAfter(keys, reached.union(before), reached.union(after)), y.files())
		})
	}
}

func TestARefThatComesBeforeTheCommitIsNotLostByTheRulesOfPolaris(t *testing.T) {
	t.Parallel()
	for _, version := range []int{1, 2, 3} {
		y := newYard(t)
		made := y.write(icebergtable.Options{FormatVersion: version, Files: 8, Snapshots: 4})
		c := y.atCounter(made.MetadataLocation)
		before := y.metadata()
		reached, keys := y.reach(before), y.files()
		saved := before.Snapshots[1].ID
		c.race = func() {
			require.NoError(t, c.server.Commit(t.Context(), c.table, nil, []iceberg.Update{
				iceberg.NewSetSnapshotRefUpdate("late", saved, iceberg.TagRef, 0, 0, 0),
			}))
		}
		receipt, err := y.expireAt(c, expireAll)
		loaded, loadErr := c.Load(t.Context(), polaris.Identifier{}, polaris.LoadOptions{})
		require.NoError(t, loadErr)
		after := loaded.Metadata
		if version > 1 {
			require.True(t, jobs.IsPermanent(err), "v%d: %v", version, err)
			require.ErrorContains(t, err, `the tag "late"`)
			require.Empty(t, receipt.Deleted)
			require.Subset(t, y.files(), keys)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, saved, after.Refs["late"].SnapshotID)
		require.Equal(t, wantAfter(keys, reached.union(before), reached.union(after)), y.files())
		require.Equal(t, reached[saved], y.reach(after)[saved])
	}
}
