package storetest_test

import (
	"testing"

	"go.uber.org/goleak"

	"deckhand/internal/s3test"
	"deckhand/internal/storage"
	"deckhand/internal/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestLocalFiles(t *testing.T) {
	t.Parallel()
	storetest.Run(t, storetest.Store{
		Root:   "file://" + t.TempDir(),
		Config: func(string) storage.Config { return storage.Config{} },
	})
}

func TestS3InTheProcess(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t, s3test.Options{})
	storetest.Run(t, storetest.Store{
		Root:     "s3://" + s3test.DefaultBucket + "/",
		Endpoint: srv.Endpoint(),
		Config: func(endpoint string) storage.Config {
			cfg := srv.StorageConfig()
			cfg.Endpoint = endpoint
			return storage.Config{S3: cfg}
		},
		Batch: 1000,
	})
}
