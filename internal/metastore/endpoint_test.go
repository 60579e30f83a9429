package metastore

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAnEndpointLosesItsLoginWhateverThatHolds(t *testing.T) {
	t.Parallel()
	for endpoint, want := range map[string]string{
		"":                                    "",
		"http://minio:9000":                   "http://minio:9000",
		"https://s3.eu-west-1.amazonaws.com/": "https://s3.eu-west-1.amazonaws.com/",
		"http://[::1]:9000/path?x=hush#y":     "http://[::1]:9000/path",
		"http://user:hush@minio:9000/path":    "http://minio:9000/path",
		"http://user:hu@sh@minio:9000":        "http://minio:9000",
		"user:hush@minio:9000":                "minio:9000",
		"http://user:hu/sh@minio:9000":        "",
		"http://user:hu?sh@minio:9000":        "",
		"user:hu/sh@minio":                    "",
		"http://minio/path@hush":              "",
		"http://user:hush":                    "",
		"http://a,b:hush@minio":               "http://minio",
		"http://us%65r:hush":                  "",
	} {
		require.Equal(t, want, bare(endpoint), endpoint)
	}
}
