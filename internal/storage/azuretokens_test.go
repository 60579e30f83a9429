package storage

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// entra is Microsoft Entra ID and a blob service, over TLS.
type entra struct {
	srv     *httptest.Server
	refuse  func(w http.ResponseWriter) // in place of a token; nil: a token
	tokens  atomic.Int64
	batches atomic.Int64
	bad     atomic.Int64
}

func (e *entra) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	switch {
	case strings.HasSuffix(r.URL.Path, "/.well-known/openid-configuration"):
		fmt.Fprintf(w, `{"token_endpoint":"%[1]s/tenant/oauth2/v2.0/token","authorization_endpoint":"%[1]s/tenant/oauth2/v2.0/authorize","issuer":"%[1]s/tenant/v2.0"}`, e.srv.URL)
	case strings.HasSuffix(r.URL.Path, "/token"):
		w.Header().Set("Content-Type", "application/json")
		if e.refuse != nil {
			e.refuse(w)
			return
		}
		e.tokens.Add(1)
		_, _ = io.WriteString(w, `{"token_type":"Bearer","expires_in":3600,"access_token":"hushtoken"}`)
	case r.URL.Query().Get("comp") == "batch":
		e.batches.Add(1)
		if n := strings.Count(string(body), "Authorization: Bearer hushtoken"); n != 2 || r.Header.Get("Authorization") != "Bearer hushtoken" {
			e.bad.Add(1)
		}
		w.Header().Set("Content-Type", "multipart/mixed; boundary=b1")
		w.WriteHeader(http.StatusAccepted)
		for i := range 2 {
			fmt.Fprintf(w, "--b1\r\nContent-Type: application/http\r\nContent-ID: %d\r\n\r\nHTTP/1.1 202 Accepted\r\n\r\n", i)
		}
		_, _ = io.WriteString(w, "--b1--\r\n")
	default:
		if r.Header.Get("Authorization") != "Bearer hushtoken" {
			e.bad.Add(1)
		}
		w.Header().Set("x-ms-error-code", "BlobNotFound")
		w.WriteHeader(http.StatusNotFound)
	}
}

func (e *entra) container(t *testing.T) *azureContainer {
	t.Helper()
	e.srv = httptest.NewTLSServer(e)
	t.Cleanup(e.srv.Close)
	transport := e.srv.Client().Transport.(*http.Transport)
	cfg := AzureConfig{
		Endpoint: e.srv.URL + "/acc", TenantID: "tenant", ClientID: "client", ClientSecret: "hushsecret", Authority: e.srv.URL,
	}
	require.NoError(t, cfg.Validate())
	clients, err := newAzureClients(cfg, "lake@acc.dfs.core.windows.net", transport)
	require.NoError(t, err)
	b := &azureContainer{clients: clients, transport: transport}
	t.Cleanup(func() { require.NoError(t, b.close()) })
	return b
}

func TestAServicePrincipalGetsOneTokenForManyRequests(t *testing.T) {
	t.Parallel()
	e := &entra{}
	b := e.container(t)
	for range 3 {
		require.NoError(t, b.deleteOne(t.Context(), "t/x"))
		results, err := b.deleteBatch(t.Context(), []string{"t/0", "t/1"})
		require.NoError(t, err)
		require.Equal(t, []error{nil, nil}, results)
	}
	require.EqualValues(t, 1, e.tokens.Load())
	require.EqualValues(t, 3, e.batches.Load())
	require.Zero(t, e.bad.Load(), "each delete of a batch has its own authorization")
}

func TestARefusedTokenIsDeniedAndAnIdentityServiceThatIsAwayIsNot(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		refuse func(w http.ResponseWriter)
		reason error
		words  string
	}{
		"a wrong secret": {func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided. Ensure it is the secret value.\r\nTrace ID: 1","error_codes":[7000215]}`)
		}, ErrDenied, "AADSTS7000215: Invalid client secret provided"},
		"a proxy": {func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, "<html>hush")
		}, ErrUnavailable, "identity service"},
		"an outage": {func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) }, ErrUnavailable, "identity service"},
	} {
		b := (&entra{refuse: c.refuse}).container(t)
		_, _, err := b.read(t.Context(), "t/x", 0, -1)
		require.ErrorIs(t, err, c.reason, name)
		require.ErrorContains(t, err, c.words, name)
		require.NotContains(t, err.Error(), "hush", name)
		require.NotContains(t, err.Error(), "\n", name)
		_, err = b.deleteBatch(t.Context(), []string{"t/0", "t/1"})
		require.ErrorIs(t, err, c.reason, name)
		require.NotErrorIs(t, err, errBatchRefused, name)
	}
}

func TestATokenIsNotWaitedForOnceTheWorkHasEnded(t *testing.T) {
	t.Parallel()
	why := fmt.Errorf("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	b := (&entra{refuse: func(w http.ResponseWriter) {
		cancel(why)
		w.WriteHeader(http.StatusServiceUnavailable)
	}}).container(t)
	_, _, err := b.read(ctx, "t/x", 0, -1)
	require.ErrorIs(t, err, why)
}
