package conformance

import (
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/polaris"
	"deckhand/internal/storage"
)

// vended reads the table's metadata with what the catalog hands out.
func (s *suite) vended(t *testing.T) {
	w := s.newTable(t, "2", []string{"vended"}, "t")
	w.grow(1)
	loaded, err := s.client.Load(t.Context(), w.id(), polaris.LoadOptions{Vend: true})
	require.NoError(t, err)
	require.NotEmpty(t, loaded.Credentials)
	require.NotEmpty(t, loaded.Credentials[0].Config["s3.session-token"])

	fresh, err := s.client.Credentials(t.Context(), w.id())
	require.NoError(t, err)
	require.NotEmpty(t, fresh)
	require.NotEqual(t, loaded.Credentials[0].Config["s3.session-token"], fresh[0].Config["s3.session-token"])

	stores, err := s.client.Stores(t.Context(), w.id(), loaded, storage.Config{}, nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = stores.Close() })
	at, err := storage.Parse(loaded.MetadataLocation)
	require.NoError(t, err)
	data, err := stores.Session(storage.SessionConfig{}).ReadAll(t.Context(), at, 1<<20)
	require.NoError(t, err)
	require.Contains(t, string(data), w.location)
}
