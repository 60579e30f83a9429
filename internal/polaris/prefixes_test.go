package polaris_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/polaris"
	"deckhand/internal/storage"
)

// Prefixes are whole steps of a path, in any spelling of S3, or a scheme alone.
func TestPrefixesOfCredentialsAreReadAsWholeSteps(t *testing.T) {
	t.Parallel()
	const location = "s3://lab/wh/n/t"
	for prefix, covers := range map[string]bool{
		"": true, "s3": true, "s3a": true, "s3://": true, "s3a://": true,
		"s3://lab": true, "s3://lab/": true, "s3a://lab/wh": true, "s3://lab/wh/n/": true, location: true, location + "/": true,
		"s3://la": false, "s3://lab/wh/n/tt": false, "s3://lab/wh/n/t/data": false, "s3://lab/w": false, "s3://other": false,
		"gs://lab/wh": false, "lab": false, "s3x": false,
	} {
		t.Run(prefix, func(t *testing.T) {
			t.Parallel()
			err := openWith(t, location, []polaris.Credential{{
				Prefix: prefix, Config: map[string]string{"s3.access-key-id": "a", "s3.secret-access-key": "b"},
			}})
			if covers {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, polaris.ErrNotCovered)
			require.ErrorContains(t, err, location)
		})
	}
}

// Remote signing, or keys of another store: the configured credentials serve.
func TestCredentialsWithoutKeysOfS3AreNone(t *testing.T) {
	t.Parallel()
	require.NoError(t, openWith(t, "s3://lab/wh/n/t", []polaris.Credential{
		{Prefix: "s3://elsewhere", Config: map[string]string{"s3.remote-signing-enabled": "true"}},
		{Prefix: "gs", Config: map[string]string{"gcs.oauth2.token": "x"}},
	}))
}

func openWith(t *testing.T, location string, credentials []polaris.Credential) error {
	t.Helper()
	s := &script{answers: map[string]func(http.ResponseWriter){"/tables/t": says(200,
		`{"metadata-location":"m","metadata":`+string(metadataOf(map[string]any{"location": location}))+`,"storage-credentials":`+plain(t, credentials)+`}`)}}
	c := s.connect(t)
	loaded, err := c.Load(t.Context(), in("t", "n"), polaris.LoadOptions{Vend: true})
	require.NoError(t, err)
	stores, err := c.Stores(t.Context(), in("t", "n"), loaded, storage.Config{}, nil)
	if err != nil {
		return err
	}
	require.NoError(t, stores.Close())
	return nil
}

// plain is what a server sends: credentials of the client show no secret in JSON.
func plain(t *testing.T, credentials []polaris.Credential) string {
	t.Helper()
	var all []map[string]any
	for _, c := range credentials {
		all = append(all, map[string]any{"prefix": c.Prefix, "config": c.Config})
	}
	data, err := json.Marshal(all)
	require.NoError(t, err)
	return string(data)
}
