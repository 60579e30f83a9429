package storetest_test

import (
	"strings"
	"testing"

	"go.uber.org/goleak"

	"deckhand/internal/s3test"
	"deckhand/internal/storage"
	"deckhand/internal/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Paths of files have one spelling, parts of at most 255 bytes, and no folder has a
// file's name.
func fateOfFiles(name string) storetest.Fate {
	switch {
	case strings.Contains(name, "//"), name == "prefix":
		return storetest.Untold
	case strings.HasSuffix(name, "/"), len(name) > 255:
		return storetest.Refused
	}
	return storetest.Held
}

func TestLocalFiles(t *testing.T) {
	t.Parallel()
	storetest.Run(t, storetest.Store{
		Root:   "file://" + t.TempDir(),
		Config: func(string) storage.Config { return storage.Config{} },
		Fate:   fateOfFiles,
	})
}

// slowDown is how S3 asks to.
var slowDown = []storetest.Answer{
	{Status: 503, Body: "<?xml version=\"1.0\"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"},
	{Status: 503}, {Status: 429},
}

func TestS3InTheProcess(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t, s3test.Options{CheckAuth: true})
	reached := func(id string) func(string) storage.Config {
		return func(endpoint string) storage.Config {
			cfg := srv.StorageConfig()
			cfg.Endpoint, cfg.AccessKeyID = endpoint, id
			return storage.Config{S3: cfg}
		}
	}
	storetest.Run(t, storetest.Store{
		Root:      "s3://" + s3test.DefaultBucket + "/",
		Endpoint:  srv.Endpoint(),
		Config:    reached(s3test.AccessKeyID),
		Wrong:     reached("nobody"),
		Secrets:   []string{s3test.SecretAccessKey},
		Throttled: slowDown,
		Batch:     1000,
		NoBucket:  "s3://no-such-bucket/",
	})
}
