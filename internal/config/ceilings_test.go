package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCeilingsReachTheStores(t *testing.T) {
	t.Parallel()
	config, err := load(t, "catalogs: {lake: {locations: ['s3://w/'], max_requests_per_second: 50, max_deletes_per_second: 2500.5}}", nil, nil)
	require.NoError(t, err)
	stores := config.Catalogs["lake"].StorageConfig()
	require.EqualValues(t, 50, stores.MaxRequestsPerSecond)
	require.EqualValues(t, 2500.5, stores.MaxDeletesPerSecond)
	var printed strings.Builder
	require.NoError(t, config.Print(&printed))
	require.Contains(t, printed.String(), "max_requests_per_second: 50")
}

func TestACeilingIsANumberOfRequests(t *testing.T) {
	t.Parallel()
	for yaml, want := range map[string]string{
		"catalogs: {lake: {locations: ['s3://w/'], max_requests_per_second: -1}}":                              "catalogs.lake.max_requests_per_second: -1 is no number of requests",
		"catalogs: {lake: {rest: {uri: 'http://127.0.0.1:1', warehouse: lake}, max_deletes_per_second: .inf}}": "catalogs.lake.max_deletes_per_second: +Inf is no number of requests",
		"catalogs: {lake: {locations: ['s3://w/'], max_requests_per_second: many}}":                            "catalogs.lake.max_requests_per_second: want a number",
		"catalogs: {lake: {locations: ['s3://w/'], s3: {max_requests_per_second: 5}}}":                         `unknown key "catalogs.lake.s3.max_requests_per_second"`,
	} {
		_, err := load(t, yaml, nil, nil)
		require.ErrorContains(t, err, want, yaml)
	}
}
