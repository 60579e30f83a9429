package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// pull is the form that the documentation promises for maintenance.
const pull = `
catalogs:
  lake:
    rest: { uri: http://127.0.0.1:8181/api/catalog/, warehouse: lake, credential_file: credential.txt, scope: "PRINCIPAL_ROLE:ALL" }
`

func TestACatalogForMaintenanceAloneNeedsNoStorage(t *testing.T) {
	t.Parallel()
	config, err := load(t, pull, map[string]string{"credential.txt": "id:s3cr3t:with:colons\n"}, nil)
	require.NoError(t, err)
	lake := config.CatalogsNamed("lake")[0]
	require.False(t, lake.Purges())
	require.Equal(t, "http://127.0.0.1:8181/api/catalog", lake.REST.URI)
	require.Equal(t, "id:s3cr3t:with:colons", lake.REST.Credential.Reveal())
	require.Equal(t, "Polaris-Realm", lake.REST.RealmHeader)
	require.InDelta(t, 20, lake.REST.RequestsPerSecond, 0)
	require.Equal(t, 4, lake.REST.InFlight)

	var shown strings.Builder
	require.NoError(t, config.Print(&shown))
	require.NotContains(t, shown.String(), "s3cr3t")
	require.Contains(t, shown.String(), "credential.txt")
}

func TestACatalogOfBothModesPurgesToo(t *testing.T) {
	t.Parallel()
	config, err := load(t, "catalogs: {lake: {name: prod, locations: [file:///w], rest: {uri: 'https://polaris/api/catalog'}}}", nil, nil)
	require.NoError(t, err)
	lake := config.CatalogsNamed("prod")[0]
	require.True(t, lake.Purges())
	require.Equal(t, "prod", lake.REST.Warehouse)
	require.Empty(t, lake.REST.Credential.Reveal())
	require.Equal(t, "PRINCIPAL_ROLE:ALL", lake.REST.Scope)
}

func TestMistakesOfTheRESTSectionAreNamed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		yaml, credential string
		want             []string
	}{
		"neither storage nor rest": {yaml: "catalogs: {lake: {}}", want: []string{"catalogs.lake.locations"}},
		"no address":               {yaml: "catalogs: {lake: {rest: {}}}", want: []string{"catalogs.lake.rest.uri: is missing"}},
		"a path":                   {yaml: "catalogs: {lake: {rest: {uri: /api/catalog}}}", want: []string{"catalogs.lake.rest.uri: is not an address"}},
		"a login":                  {yaml: "catalogs: {lake: {rest: {uri: 'http://u:hush@h/x', token_uri: 'http://u:hush@h/t'}}}", want: []string{"rest.uri: holds a login", "rest.token_uri: holds a login"}},
		"limits":                   {yaml: "catalogs: {lake: {rest: {uri: 'http://h', requests_per_second: -1, in_flight: -2}}}", want: []string{"rest.requests_per_second: -1", "rest.in_flight: -2"}},
		"no secret":                {yaml: "catalogs: {lake: {rest: {uri: 'http://h', credential_file: credential.txt}}}", credential: "hush", want: []string{"rest.credential_file", "client_id:client_secret"}},
		"no file":                  {yaml: "catalogs: {lake: {rest: {uri: 'http://h', credential_file: other.txt}}}", want: []string{"rest.credential_file", "other.txt does not exist"}},
		"inline credential":        {yaml: "catalogs: {lake: {rest: {uri: 'http://h', credential: 'a:hush'}}}", want: []string{"credential", "credential_file"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := load(t, test.yaml, map[string]string{"credential.txt": test.credential}, nil)
			require.Error(t, err)
			for _, part := range test.want {
				require.ErrorContains(t, err, part)
			}
			require.NotContains(t, err.Error(), "hush")
		})
	}
}
