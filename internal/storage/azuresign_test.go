package storage

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Azure's library signs the requests, as Azure's servers know them.
func TestAKeyOfTheAccountSignsAsAzuresLibraryDoes(t *testing.T) {
	t.Parallel()
	var taken *http.Request
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		taken = r
		w.WriteHeader(http.StatusNotFound)
	}))
	t.Cleanup(srv.Close)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	clients, err := newAzureClients(AzureConfig{Endpoint: srv.URL + "/acc", AccountKey: "aHVzaGh1c2g="}, "lake@acc.dfs.core.windows.net", transport)
	require.NoError(t, err)
	signedAgain := func() string {
		sign, sas, err := clients.signer(t.Context())
		require.NoError(t, err)
		require.Empty(t, sas)
		headers := map[string]string{}
		for name := range taken.Header {
			if name = strings.ToLower(name); strings.HasPrefix(name, "x-ms-") {
				headers[name] = taken.Header.Get(name)
			}
		}
		return sign(taken.Method, taken.URL.EscapedPath(), taken.URL.Query(), headers, taken.Header.Get("Content-Type"), int(max(taken.ContentLength, 0)))
	}
	for _, key := range []string{"t/x", "t/a+b c%2F?#é//", "t/\x01"} {
		_, err = clients.client.NewBlobClient(key).Delete(t.Context(), nil)
		require.Error(t, err)
		require.Equal(t, taken.Header.Get("Authorization"), signedAgain(), "%q", key)
	}
	batch, err := clients.client.NewBatchBuilder()
	require.NoError(t, err)
	require.NoError(t, batch.Delete("t/x", nil))
	_, err = clients.client.SubmitBatch(t.Context(), batch, nil)
	require.Error(t, err)
	require.Positive(t, taken.ContentLength)
	require.Equal(t, taken.Header.Get("Authorization"), signedAgain())
}
