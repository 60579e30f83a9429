package storage_test

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/s3test"
	"deckhand/internal/storage"
)

func TestABucketHasOneLimiterHoweverItsStoreIsWritten(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	limiters := storage.NewLimiters()
	for _, end := range []string{"", "/"} {
		for _, location := range []string{"s3://warehouse/t", "s3a://warehouse/u/", "s3n://warehouse"} {
			cfg := storage.Config{Locations: []string{location}, S3: srv.StorageConfig()}
			cfg.S3.Endpoint += end
			stores, err := storage.NewStores(cfg, limiters)
			require.NoError(t, err)
			session := stores.Session(storage.SessionConfig{Logger: slog.New(slog.DiscardHandler)})
			require.Empty(t, listed(t, session, stores.Guard().Locations()[0]))
			require.NoError(t, stores.Close())
		}
	}
	require.Len(t, limiters.Limits(), 1)
	require.EqualValues(t, 6, limiters.Limits()[0].Reads.Sent)
	require.Equal(t, srv.Endpoint(), limiters.Limits()[0].Endpoint)
}
