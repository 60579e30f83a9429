package storage_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/gcstest"
	"deckhand/internal/storage"
)

// GCS implements [storage.VendedGCS].
func (v vendsToken) GCS(storage.Location) (string, storage.GCSConfig, error) {
	return "gs", storage.GCSConfig{Endpoint: v.endpoint, Renew: func(context.Context) (storage.GCSToken, error) {
		return storage.GCSToken{Token: "hush", Expires: time.Now().Add(-time.Minute)}, nil
	}}, nil
}

// tokenHouse gives the tokens of Google: those of service accounts for assertions
// that they signed, and those of other accounts for tokens.
type tokenHouse struct {
	url string

	mu      sync.Mutex
	asked   []string
	scopes  []string
	refuses string // answers with this in place of a token
}

func newTokenHouse(t testing.TB) *tokenHouse {
	t.Helper()
	h := &tokenHouse{}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	h.url = srv.URL
	return h
}

func (h *tokenHouse) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked = append(h.asked, r.URL.Path+" "+r.Header.Get("Authorization"))
	w.Header().Set("Content-Type", "application/json")
	if _, assertion, ok := strings.Cut(string(body), "assertion="); ok {
		if parts := strings.Split(assertion, "."); len(parts) == 3 {
			claims, _ := base64.RawURLEncoding.DecodeString(parts[1])
			var told struct{ Scope string }
			_ = json.Unmarshal(claims, &told)
			h.scopes = append(h.scopes, told.Scope[strings.LastIndexByte(told.Scope, '/')+1:])
		}
	}
	switch {
	case h.refuses != "":
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, h.refuses)
	case r.URL.Path == "/token" && strings.Contains(string(body), "assertion="):
		_, _ = io.WriteString(w, `{"access_token":"own","token_type":"Bearer","expires_in":3600}`)
	case strings.HasSuffix(r.URL.Path, ":generateAccessToken") && r.Header.Get("Authorization") == "Bearer own" && !strings.Contains(r.URL.Path, "denied@"):
		_ = json.NewEncoder(w).Encode(map[string]any{"accessToken": "impersonated", "expireTime": time.Now().Add(time.Hour)})
	default:
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"error":{"code":403,"message":"Permission 'iam.serviceAccounts.getAccessToken' denied","status":"PERMISSION_DENIED"}}`)
	}
}

func (h *tokenHouse) requests() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string(nil), h.asked...)
}

// keyFile is that of a service account which gets its tokens there.
func (h *tokenHouse) keyFile(t testing.TB) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	file, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "worker@p.iam.gserviceaccount.com", "private_key_id": "1", "token_uri": h.url + "/token",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})),
	})
	require.NoError(t, err)
	return string(file)
}

func TestTheKeyOfAServiceAccountOpensGCS(t *testing.T) {
	t.Parallel()
	house := newTokenHouse(t)
	l := openGCS(t, gcstest.Options{Token: "own"}, func(c *storage.Config) { c.GCS.Token, c.GCS.Credentials = "", house.keyFile(t) })
	for range 3 {
		require.Empty(t, listed(t, l.Session, gcsKey("t")))
	}
	require.Len(t, house.requests(), 1, "a token serves for many requests")
	require.Equal(t, []string{"devstorage.read_write"}, house.scopes)
}

func TestGCSIsReachedAsAnotherAccount(t *testing.T) {
	t.Parallel()
	const purger = "purger@p.iam.gserviceaccount.com"
	house := newTokenHouse(t)
	file := house.keyFile(t)
	settings := func(c *storage.Config) {
		c.GCS.Token, c.GCS.Credentials, c.GCS.ImpersonateEndpoint = "", file, house.url
	}
	for name, change := range map[string]func(*storage.Config){
		"by the configuration": func(c *storage.Config) { c.GCS.Impersonate = purger },
		"by the job":           func(c *storage.Config) { c.GCS.FromJob = true },
	} {
		before := len(house.requests())
		l := openGCS(t, gcstest.Options{Token: "impersonated"}, func(c *storage.Config) {
			settings(c)
			change(c)
		})
		stores, err := l.stores.ForJob(storage.JobStore{ServiceAccount: purger})
		require.NoError(t, err)
		for range 3 {
			require.Empty(t, listed(t, stores.Session(storage.SessionConfig{}), gcsKey("t")), name)
		}
		require.Equal(t, []string{"/token ", "/v1/projects/-/serviceAccounts/" + purger + ":generateAccessToken Bearer own"}, house.requests()[before:], name)
	}
	require.Equal(t, []string{"cloud-platform", "cloud-platform"}, house.scopes, "only with it are other tokens to be had")
	// Where the configuration does not let it, a job says nothing.
	l := openGCS(t, gcstest.Options{Token: "own"}, settings)
	stores, err := l.stores.ForJob(storage.JobStore{ServiceAccount: purger})
	require.NoError(t, err)
	require.Same(t, l.stores, stores)

	l = openGCS(t, gcstest.Options{}, func(c *storage.Config) {
		settings(c)
		c.GCS.Anonymous, c.GCS.FromJob = false, true
	})
	_, err = l.stores.ForJob(storage.JobStore{ServiceAccount: "not an address"})
	require.ErrorIs(t, err, storage.ErrRejected)
}

func TestWhoMayNotActAsAnotherAccountIsToldWhatItTakes(t *testing.T) {
	t.Parallel()
	house := newTokenHouse(t)
	srv := gcstest.Start(t, gcstest.Options{})
	file := house.keyFile(t)
	ask := func(change func(*storage.GCSConfig)) error {
		cfg := storage.GCSConfig{Endpoint: srv.Endpoint(), Credentials: file, ImpersonateEndpoint: house.url}
		change(&cfg)
		l := openGCS(t, gcstest.Options{}, func(c *storage.Config) { c.GCS = cfg })
		_, err := l.ReadAll(t.Context(), gcsKey("t/a"), 0)
		require.Error(t, err)
		require.NotContains(t, err.Error(), "hush")
		require.NotContains(t, err.Error(), "PRIVATE KEY")
		return err
	}
	err := ask(func(c *storage.GCSConfig) { c.Impersonate = "denied@p.iam.gserviceaccount.com" })
	require.ErrorIs(t, err, storage.ErrDenied)
	require.ErrorContains(t, err, "roles/iam.serviceAccountTokenCreator")
	house.mu.Lock()
	house.refuses = `{"error":"invalid_grant","error_description":"hush"}`
	house.mu.Unlock()
	err = ask(func(*storage.GCSConfig) {})
	require.ErrorIs(t, err, storage.ErrDenied)
	require.ErrorContains(t, err, "invalid_grant")
	err = ask(func(c *storage.GCSConfig) { c.Credentials = `{"type":"service_account","private_key":"hush"}` })
	require.ErrorIs(t, err, storage.ErrDenied)
	for _, file := range []string{`{"type":"hush-type-of-nobody"}`, "hush", `{"hush":"x"}`} {
		err = storage.GCSConfig{Credentials: file}.Validate()
		require.ErrorContains(t, err, "credentials: the")
		require.NotContains(t, err.Error(), "hush")
	}
	require.Empty(t, srv.Counts())
}

func TestAnEndOfTokensIsAnOutageOfTheStore(t *testing.T) {
	t.Parallel()
	house := newTokenHouse(t)
	file := strings.Replace(house.keyFile(t), house.url, "http://127.0.0.1:1", 1)
	l := openGCS(t, gcstest.Options{Token: "own"}, func(c *storage.Config) { c.GCS.Token, c.GCS.Credentials = "", file })
	_, err := l.ReadAll(t.Context(), gcsKey("t/a"), 0)
	require.ErrorIs(t, err, storage.ErrUnavailable)
	require.Empty(t, l.srv.Counts())
}

// Not in parallel: the environment is everybody's.
func TestTheApplicationDefaultCredentialsOpenGCS(t *testing.T) {
	house := newTokenHouse(t)
	path := filepath.Join(t.TempDir(), "key.json")
	require.NoError(t, os.WriteFile(path, []byte(house.keyFile(t)), 0o600))
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", path)
	l := openGCS(t, gcstest.Options{Token: "own"}, func(c *storage.Config) { c.GCS.Token = "" })
	require.Empty(t, listed(t, l.Session, gcsKey("t")))

	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", filepath.Join(t.TempDir(), "none.json"))
	l = openGCS(t, gcstest.Options{Token: "own"}, func(c *storage.Config) { c.GCS.Token = "" })
	_, err := l.ReadAll(t.Context(), gcsKey("t/a"), 0)
	require.ErrorIs(t, err, storage.ErrUnavailable)
	require.ErrorContains(t, err, "GOOGLE_APPLICATION_CREDENTIALS")
}
