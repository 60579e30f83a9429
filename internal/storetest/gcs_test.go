package storetest_test

import (
	"strings"
	"testing"

	"deckhand/internal/gcstest"
	"deckhand/internal/storage"
	"deckhand/internal/storetest"
)

// slowDownGCS is how Google Cloud Storage asks to.
var slowDownGCS = []storetest.Answer{
	{Status: 429, Body: `{"error":{"code":429,"message":"slow down","errors":[{"reason":"rateLimitExceeded"}]}}`},
	{Status: 403, Body: `{"error":{"code":403,"message":"slow down","errors":[{"reason":"userRateLimitExceeded"}]}}`},
	{Status: 503},
}

// fateInGCS is what Google's documentation says.
func fateInGCS(name string) storetest.Fate {
	if strings.ContainsAny(name, "\r\n") {
		return storetest.Refused
	}
	return storetest.Held
}

func TestFakeGCSServer(t *testing.T) {
	t.Parallel()
	endpoint := storetest.StartFakeGCS(t)
	storetest.Run(t, storetest.Store{
		Root:     storetest.FakeGCSRoot,
		Endpoint: endpoint,
		Config: func(endpoint string) storage.Config {
			return storage.Config{GCS: storage.GCSConfig{Endpoint: endpoint, Anonymous: true}}
		},
		Throttled: slowDownGCS,
		Fate:      fateInGCS,
		Batch:     100, Odd: 20,
		NoBucket: "gs://no-such-bucket/",
	})
}

// The three ways in which deletes are sent.
func TestGoogleCloudStorageInTheProcess(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		opts       gcstest.Options
		batch, odd int
	}{
		"MultiDelete": {gcstest.Options{}, 1000, 2},
		"Batch":       {gcstest.Options{NoMultiDelete: true, RewriteBytes: 3}, 100, 30},
		"Singly":      {gcstest.Options{NoMultiDelete: true, NoBatch: true}, 1, 30},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.opts.Token = "hush"
			srv := gcstest.Start(t, c.opts)
			with := func(token string) func(string) storage.Config {
				return func(endpoint string) storage.Config {
					return storage.Config{GCS: storage.GCSConfig{Endpoint: endpoint, Token: token}}
				}
			}
			storetest.Run(t, storetest.Store{
				Root: "gs://" + gcstest.DefaultBucket + "/", Endpoint: srv.Endpoint(),
				Config: with("hush"), Wrong: with("secret"), Secrets: []string{"hush", "secret"},
				Throttled: slowDownGCS, Fate: fateInGCS, Batch: c.batch, Odd: c.odd,
				NoBucket: "gs://no-such-bucket/",
			})
		})
	}
}
