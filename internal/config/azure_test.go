package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/storage"
)

const inAzure = `
catalogs:
  lake:
    locations: ["abfss://lake@acc.dfs.core.windows.net/warehouse"]
    purge: { verify: off }
    azure: { CREDENTIALS }
`

func TestACatalogInAzureHasItsOwnSection(t *testing.T) {
	t.Parallel()
	files := map[string]string{"key": "dG9wc2VjcmV0\n", "sas": "sv=1&sig=topsecret\n", "secret": "topsecret\n"}
	for credentials, want := range map[string]storage.AzureConfig{
		"tenant_id: t":          {TenantID: "t"},
		"account_key_file: key": {AccountKey: "dG9wc2VjcmV0"},
		"sas_token_file: sas, endpoint: 'http://azurite:10000/acc'": {SASToken: "sv=1&sig=topsecret", Endpoint: "http://azurite:10000/acc"},
		"tenant_id: t, client_id: c, client_secret_file: secret, authority: 'https://login.microsoftonline.us/'": {
			TenantID: "t", ClientID: "c", ClientSecret: "topsecret", Authority: "https://login.microsoftonline.us/",
		},
	} {
		config, err := load(t, strings.Replace(inAzure, "CREDENTIALS", credentials, 1), files, nil)
		require.NoError(t, err, credentials)
		require.Equal(t, want, config.Catalogs["lake"].StorageConfig().Azure, credentials)
		var printed strings.Builder
		require.NoError(t, config.Print(&printed))
		require.NotContains(t, printed.String(), "topsecret", credentials)
		require.NotContains(t, printed.String(), "dG9wc2VjcmV0", credentials)
	}
}

func TestSecretsOfAzureAreCheckedAndNeverPrinted(t *testing.T) {
	t.Parallel()
	for credentials, want := range map[string]string{
		"account_key_file: none":                                  "catalogs.lake.azure.account_key_file: the file ",
		"sas_token_file: sas, sas_token: topsecret":               "catalogs.lake.azure.sas_token: give it or sas_token_file, not both",
		"account_key: top-secret":                                 "azure: account_key: it is not base64",
		"sas_token: topsecret":                                    "azure: sas_token: it has no signature",
		"sas_token: 'sig=topsecret', account_key: dG9wc2VjcmV0":   "give one of them",
		"client_secret: topsecret, client_id: c":                  "a service principal needs all three",
		"endpoint: 'http://azurite:10000/acc'":                    "tokens are sent only over https://",
		"tenant: t":                                               "tenant",
		"client_secret: '[redacted]', client_id: c, tenant_id: t": "as a printed configuration has it",
	} {
		_, err := load(t, strings.Replace(inAzure, "CREDENTIALS", credentials, 1), map[string]string{"sas": "sig=topsecret"}, nil)
		require.ErrorContains(t, err, want, credentials)
		require.NotContains(t, err.Error(), "topsecret", credentials)
		require.NotContains(t, err.Error(), "top-secret", credentials)
	}
	_, err := load(t, strings.Replace(strings.Replace(inAzure, "CREDENTIALS", "endpoint: 'https://azurite/acc'", 1),
		"]", `, "abfss://lake@other.dfs.core.windows.net/"]`, 1), nil, nil)
	require.ErrorContains(t, err, "an endpoint is that of one")
}
