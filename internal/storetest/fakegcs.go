package storetest

import (
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FakeGCSRoot is the bucket of a fake-gcs-server.
const FakeGCSRoot = "gs://warehouse/"

// StartFakeGCS runs fake-gcs-server with a bucket. It does not look at the conditions of
// rewrites and deletes, has no deletes of the XML API, and takes any token.
func StartFakeGCS(t testing.TB) (endpoint string) {
	t.Helper()
	endpoint = Start(t, Process{
		Name: "fake-gcs-server",
		Args: func(port int, folder string) []string {
			return []string{
				"-scheme", "http", "-host", "127.0.0.1", "-port", strconv.Itoa(port), "-backend", "memory",
				"-filesystem-root", filepath.Join(folder, "store"), "-log-level", "warn",
			}
		},
		Ready: "/_internal/healthcheck",
	})
	response, err := http.Post(endpoint+"/storage/v1/b?project=test", "application/json", strings.NewReader(`{"name":"warehouse"}`)) //nolint:noctx,gosec // of a test
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)
	return endpoint
}
