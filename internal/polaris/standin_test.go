package polaris_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/polaris"
	"deckhand/internal/s3test"
	"deckhand/internal/secret"
	"deckhand/internal/standin"
	"deckhand/internal/storage"
)

// stage is the stand-in on a store, with the catalog s3cat and the table n.t in it.
type stage struct {
	*standin.Server
	store      *s3test.Server
	credential string
}

var orders = standin.Table{Catalog: "s3cat", Namespace: []string{"n"}, Name: "t"}

const ordersFile = "t/metadata/1.json"

// metadataOf is the table's metadata file, with more fields or others.
func metadataOf(more map[string]any) []byte {
	m := map[string]any{
		"format-version": 2, "table-uuid": "8f1c7a1e-4a0b-4c33-9d8e-0f3a1de1c001", "location": "s3://warehouse/t",
		"last-sequence-number": 0, "last-updated-ms": 1, "last-column-id": 1, "current-schema-id": 0,
		"schemas":         []any{map[string]any{"type": "struct", "schema-id": 0, "fields": []any{}}},
		"partition-specs": []any{map[string]any{"spec-id": 0, "fields": []any{}}}, "default-spec-id": 0, "last-partition-id": 999,
		"sort-orders": []any{map[string]any{"order-id": 0, "fields": []any{}}}, "default-sort-order-id": 0,
		"properties": map[string]any{},
	}
	for name, value := range more {
		m[name] = value
	}
	data, _ := json.Marshal(m)
	return data
}

func setStage(t testing.TB, o standin.Options) *stage {
	t.Helper()
	s := &stage{store: s3test.Start(t)}
	o.Catalogs = []standin.Catalog{{Name: "s3cat", Location: "s3://warehouse", S3: &standin.S3{
		Endpoint: s.store.Endpoint(), AccessKeyID: s3test.AccessKeyID, SecretAccessKey: s3test.SecretAccessKey,
	}}}
	s.Server = standin.Start(t, o)
	s.store.Put("warehouse", ordersFile, metadataOf(nil))
	require.NoError(t, s.Register(t.Context(), orders, "s3://warehouse/"+ordersFile))
	var err error
	s.credential, err = s.CreatePrincipal("maint", "s3cat", standin.MaintenanceGrants...)
	require.NoError(t, err)
	return s
}

func (s *stage) connect(t testing.TB, change ...func(*polaris.Config)) *polaris.Client {
	t.Helper()
	return connect(t, &tape{url: strings.TrimSuffix(s.URI(), "/api/catalog")}, "s3cat", append([]func(*polaris.Config){func(cfg *polaris.Config) {
		cfg.Credential = secret.String(s.credential)
	}}, change...)...)
}

func (s *stage) load(t testing.TB, change ...func(*polaris.Config)) error {
	t.Helper()
	_, err := s.connect(t, change...).Load(t.Context(), in("t", "n"), polaris.LoadOptions{})
	return err
}

func (s *stage) rewrite(more map[string]any) {
	s.store.Put("warehouse", ordersFile, metadataOf(more))
}

// open the table's store with what the catalog vends.
func (s *stage) open(t testing.TB, change ...func(*polaris.Config)) *storage.Session {
	t.Helper()
	c := s.connect(t, change...)
	loaded, err := c.Load(t.Context(), in("t", "n"), polaris.LoadOptions{Vend: true})
	require.NoError(t, err)
	require.NotEmpty(t, loaded.Credentials)
	stores, err := c.Stores(t.Context(), in("t", "n"), loaded, storage.Config{Name: "s3cat", Retries: 1}, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stores.Close()) })
	guard, err := storage.NewGuard("s3://warehouse/t")
	require.NoError(t, err)
	return stores.Session(storage.SessionConfig{Guard: guard})
}
