package storage

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAnEndpointHasOneSpelling(t *testing.T) {
	t.Parallel()
	for want, spellings := range map[string][]string{
		"":                       {""},
		"http://one:9000":        {"http://one:9000", "http://ONE:9000/", "HTTP://one:9000"},
		"https://one":            {"https://one:443", "https://One"},
		"http://one":             {"http://one:80/"},
		"http://one:443":         {"http://one:443"},
		"http://[fe80::1]:9000":  {"http://[FE80::1]:9000"},
		"https://one/behind/it":  {"https://one/behind/it", "https://one:443/behind/it/"},
		"https://one/behind/It2": {"https://one/behind/It2"},
	} {
		for _, spelling := range spellings {
			require.Equal(t, want, origin(spelling))
		}
	}
}
