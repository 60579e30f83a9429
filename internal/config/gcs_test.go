package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/storage"
)

const inGCS = `
catalogs:
  lake:
    locations: [gs://warehouse/]
    purge: { verify: off }
    gcs: { credentials_file: key.json, impersonate: purger@p.iam.gserviceaccount.com, user_project: p }
`

const keyFile = `{"type": "service_account", "private_key": "topsecret"}` + "\n"

func TestACatalogInGoogleCloudStorageHasItsOwnSection(t *testing.T) {
	t.Parallel()
	config, err := load(t, inGCS, map[string]string{"key.json": keyFile}, nil)
	require.NoError(t, err)
	require.Equal(t, storage.GCSConfig{
		Credentials: strings.TrimSpace(keyFile), Impersonate: "purger@p.iam.gserviceaccount.com", UserProject: "p",
	}, config.Catalogs["lake"].StorageConfig().GCS)

	config, err = load(t, strings.Replace(inGCS, "credentials_file: key.json, impersonate: purger@p.iam.gserviceaccount.com",
		"anonymous: true, endpoint: 'http://gcs:4443'", 1), nil, nil)
	require.NoError(t, err)
	require.Equal(t, storage.GCSConfig{Anonymous: true, Endpoint: "http://gcs:4443", UserProject: "p"},
		config.Catalogs["lake"].StorageConfig().GCS)
}

func TestSecretsOfGoogleCloudStorageAreCheckedAndNeverPrinted(t *testing.T) {
	t.Parallel()
	for yaml, want := range map[string]string{
		"gcs: { credentials_file: none.json }":                        "catalogs.lake.gcs.credentials_file: the file ",
		"gcs: { credentials_file: key.json, credentials: topsecret }": "catalogs.lake.gcs.credentials: give it or credentials_file, not both",
		"gcs: { credentials: topsecret }":                             "gcs: credentials: they are not JSON",
		"gcs: { token: topsecret, anonymous: true }":                  "gcs: credentials: give one of",
		"gcs: { token: topsecret, endpoint: 'http://gcs:4443' }":      "tokens would be sent in the clear",
		"gcs: { impersonate: me }":                                    "is not the e-mail address",
	} {
		_, err := load(t, "catalogs: {lake: {locations: [gs://w/], purge: {verify: off}, "+yaml+"}}", map[string]string{"key.json": keyFile}, nil)
		require.ErrorContains(t, err, want, yaml)
		require.NotContains(t, err.Error(), "topsecret", yaml)
	}
	for _, yaml := range []string{inGCS, strings.Replace(inGCS, "credentials_file: key.json, impersonate: purger@p.iam.gserviceaccount.com", "token: topsecret", 1)} {
		config, err := load(t, yaml, map[string]string{"key.json": keyFile}, nil)
		require.NoError(t, err)
		var printed strings.Builder
		require.NoError(t, config.Print(&printed))
		require.NotContains(t, printed.String(), "topsecret")
	}
}
