package storage_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/storage"
)

// azureHandler answers a request of the kind "GET blob", "HEAD blob", "PUT blob",
// "DELETE blob", "list", "batch" or "account", or leaves it to the server's default.
type azureHandler func(kind string, w http.ResponseWriter, r *http.Request) (answered bool)

// azureLab is a session on a server that speaks Azure's protocol, as far as a test
// says; its guard is the folder t.
type azureLab struct {
	*storage.Session
	stores *storage.Stores

	mu       sync.Mutex
	requests []string
}

const (
	azureBucket = "lake@acc.dfs.core.windows.net"
	azureRoot   = "abfss://" + azureBucket + "/"
	secretSAS   = "sv=2025-01-05&sr=c&sig=hush%2Bhush%3D"
)

func openAzure(t testing.TB, handle azureHandler, change func(*storage.Config)) *azureLab {
	t.Helper()
	l := &azureLab{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kind := azureKind(r)
		l.mu.Lock()
		l.requests = append(l.requests, kind)
		l.mu.Unlock()
		w.Header().Set("x-ms-request-id", "r-1")
		if handle == nil || !handle(kind, w, r) {
			azureSays(w, http.StatusNotFound, "BlobNotFound")
		}
	}))
	t.Cleanup(srv.Close)
	cfg := storage.Config{
		Name: "lake", Locations: []string{azureRoot}, Retries: -1,
		Azure: storage.AzureConfig{Endpoint: srv.URL + "/acc", SASToken: secretSAS},
	}
	if change != nil {
		change(&cfg)
	}
	stores, err := storage.NewStores(cfg, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stores.Close()) })
	guard, err := storage.NewGuard(azureRoot + "t")
	require.NoError(t, err)
	l.stores = stores
	l.Session = stores.Session(storage.SessionConfig{Guard: guard, Logger: slog.New(slog.DiscardHandler)})
	return l
}

func azureKind(r *http.Request) string {
	query := r.URL.Query()
	switch {
	case query.Get("comp") == "list":
		return "list"
	case query.Get("comp") == "batch":
		return "batch"
	case query.Get("comp") == "properties":
		return "account"
	}
	return r.Method + " blob"
}

func (l *azureLab) asked() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.requests...)
}

func azureSays(w http.ResponseWriter, status int, code string) {
	w.Header().Set("x-ms-error-code", code)
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<?xml version=\"1.0\"?><Error><Code>%s</Code><Message>The %s.\nRequestId:r-1</Message></Error>", code, code)
}

func azureAt(key string) storage.Location {
	return storage.Location{Scheme: "abfss", Bucket: azureBucket, Key: key}
}

// only answers one kind of request.
func only(kind string, answer http.HandlerFunc) azureHandler {
	return func(got string, w http.ResponseWriter, r *http.Request) bool {
		if got != kind {
			return false
		}
		answer(w, r)
		return true
	}
}

// azureOperations give their errors.
var azureOperations = map[string]func(t testing.TB, l *azureLab) error{
	"read": func(t testing.TB, l *azureLab) error {
		_, err := l.ReadAll(t.Context(), azureAt("t/x"), 0)
		return err
	},
	"write": func(t testing.TB, l *azureLab) error { return l.Write(t.Context(), azureAt("t/x"), []byte("x")) },
	"list": func(t testing.TB, l *azureLab) error {
		for _, err := range l.List(t.Context(), azureAt("t")) {
			if err != nil {
				return err
			}
		}
		return nil
	},
	"clock": func(t testing.TB, l *azureLab) error {
		_, _, err := l.StoreClock(t.Context(), azureAt("t"))
		return err
	},
	"delete": func(t testing.TB, l *azureLab) error {
		return l.Delete(t.Context(), []storage.Location{azureAt("t/x")})[0].Err
	},
	"delete one": func(t testing.TB, l *azureLab) error {
		return l.Delete(t.Context(), []storage.Location{azureAt("t/x\x7f")})[0].Err
	},
	"move": func(t testing.TB, l *azureLab) error { return l.Move(t.Context(), azureAt("t/x"), azureAt("t/y")) },
}

func TestErrorsOfAzureShowNoSASToken(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		reason error
	}{
		"a wrong signature": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("x-ms-error-code", "AuthenticationFailed")
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `<?xml version="1.0"?><Error><Code>AuthenticationFailed</Code><Message>Server failed to authenticate the request, sig=hush%2Bhush%3D
RequestId:1</Message><AuthenticationErrorDetail>The MAC signature found in the HTTP request 'hush+hush=' is not the same as any computed signature.</AuthenticationErrorDetail></Error>`)
		}, storage.ErrDenied},
		"a token that has ended": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("x-ms-error-code", "AuthenticationFailed")
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `<?xml version="1.0"?><Error><Code>AuthenticationFailed</Code><Message>Server failed to authenticate the request.</Message><AuthenticationErrorDetail>Signature not valid in the specified time frame: Start [a] - Expiry [b] - Current [c]</AuthenticationErrorDetail></Error>`)
		}, storage.ErrExpired},
		"too few rights": {func(w http.ResponseWriter, _ *http.Request) {
			azureSays(w, http.StatusForbidden, "AuthorizationPermissionMismatch")
		}, storage.ErrDenied},
		"a broken connection": {func(w http.ResponseWriter, _ *http.Request) {
			conn, _, _ := http.NewResponseController(w).Hijack()
			_ = conn.Close()
		}, storage.ErrUnavailable},
		"no HTTP": {func(w http.ResponseWriter, r *http.Request) {
			conn, _, _ := http.NewResponseController(w).Hijack()
			_, _ = io.WriteString(conn, "hello "+r.URL.String()+"\r\n\r\n")
			_ = conn.Close()
		}, storage.ErrUnavailable},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://elsewhere.invalid/?"+r.URL.RawQuery, http.StatusTemporaryRedirect)
		}, storage.ErrUnavailable},
		"a page of a proxy that repeats the address": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Del("x-ms-request-id")
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, "<html>"+r.URL.String())
		}, storage.ErrUnavailable},
	} {
		for operation, do := range azureOperations {
			l := openAzure(t, func(_ string, w http.ResponseWriter, r *http.Request) bool {
				c.answer(w, r)
				return true
			}, nil)
			err := do(t, l)
			require.ErrorIs(t, err, c.reason, "%s, %s", operation, name)
			for _, text := range []string{err.Error(), fmt.Sprintf("%+v %#v", err, err)} {
				require.NotContains(t, text, "hush", "%s, %s", operation, name)
			}
		}
	}
	for operation, do := range azureOperations {
		l := openAzure(t, nil, func(c *storage.Config) { c.Azure.Endpoint = "http://127.0.0.1:1/acc" })
		err := do(t, l)
		require.ErrorIs(t, err, storage.ErrUnavailable, operation)
		require.NotContains(t, err.Error(), "hush", operation)
	}
}

func TestSecretsOfAzureAreNeverPrinted(t *testing.T) {
	t.Parallel()
	c := storage.AzureConfig{Endpoint: "http://h", AccountKey: "hush", SASToken: "hush", ClientSecret: "hush"}
	k := storage.AzureCredentials{SASToken: "hush"}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", slog.Any("azure", c), slog.Any("keys", k))
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", slog.Any("azure", c), slog.Any("keys", k))
	for _, text := range []string{
		fmt.Sprint(c, k), fmt.Sprintf("%+v %#v %s", c, c, c), fmt.Sprintf("%+v %#v", k, k), fmt.Sprintf("%+v", storage.Config{Azure: c}), log.String(),
	} {
		require.NotContains(t, text, "hush")
		require.Contains(t, text, "redacted")
	}
}

func TestOnlyAzureItselfSaysThatABlobIsNotThere(t *testing.T) {
	t.Parallel()
	for name, do := range azureOperations {
		if name == "list" || name == "clock" || name == "write" || name == "delete" {
			continue
		}
		err := do(t, openAzure(t, nil, nil))
		if name == "delete one" {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, storage.ErrNotFound, name)
		}
		for _, code := range []string{"", "SomethingElseNotFound"} {
			err = do(t, openAzure(t, func(_ string, w http.ResponseWriter, _ *http.Request) bool {
				if code == "" {
					w.Header().Del("x-ms-request-id")
					w.WriteHeader(http.StatusNotFound)
				} else {
					azureSays(w, http.StatusNotFound, code)
				}
				return true
			}, nil))
			require.Error(t, err, name)
			require.NotErrorIs(t, err, storage.ErrNotFound, "%s, %q", name, code)
		}
	}
}

// A container that is not there, or that nobody may see, has no file that is gone.
func TestTheLackOfAContainerIsNotThatOfABlob(t *testing.T) {
	t.Parallel()
	for code, reason := range map[string]error{
		"ContainerNotFound": storage.ErrNoBucket, "ContainerBeingDeleted": storage.ErrNoBucket, "ContainerDisabled": storage.ErrNoBucket,
		"FilesystemNotFound": storage.ErrNoBucket, "ResourceNotFound": storage.ErrDenied, "AccountIsDisabled": storage.ErrDenied,
	} {
		for name, do := range azureOperations {
			err := do(t, openAzure(t, func(_ string, w http.ResponseWriter, _ *http.Request) bool {
				azureSays(w, http.StatusNotFound, code)
				return true
			}, nil))
			require.ErrorIs(t, err, reason, "%s, %s", name, code)
			require.NotErrorIs(t, err, storage.ErrNotFound, "%s, %s", name, code)
		}
	}
}

func TestADirectoryIsNotReadAsABlob(t *testing.T) {
	t.Parallel()
	for header, value := range map[string]string{"x-ms-meta-hdi_isfolder": "true", "x-ms-resource-type": "directory"} {
		l := openAzure(t, func(_ string, w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set(header, value)
			w.Header().Set("Content-Length", "0")
			w.Header().Set("ETag", `"1"`)
			return true
		}, nil)
		require.ErrorIs(t, azureOperations["read"](t, l), storage.ErrRejected, header)
		require.ErrorIs(t, azureOperations["move"](t, l), storage.ErrRejected, header)
		require.NotContains(t, l.asked(), "DELETE blob")
	}
}

func TestAReadOfAzureBeginsWhereItWasToldTo(t *testing.T) {
	t.Parallel()
	l := openAzure(t, only("GET blob", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "0123") }), nil)
	_, err := l.OpenRange(t.Context(), azureAt("t/x"), 2, 2)
	require.ErrorIs(t, err, storage.ErrUnavailable)
	require.ErrorContains(t, err, "range")
}

// An account with a hierarchical namespace leaves empty steps out, so that t//x is t/x
// there.
func TestAKeyWithEmptyStepsIsRefusedUnlessTheAccountIsFlat(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		account http.HandlerFunc
		held    bool
	}{
		"flat": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("x-ms-account-kind", "StorageV2")
			w.Header().Set("x-ms-is-hns-enabled", "false")
		}, true},
		"hierarchical": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("x-ms-account-kind", "StorageV2")
			w.Header().Set("x-ms-is-hns-enabled", "true")
		}, false},
		"denied": {func(w http.ResponseWriter, _ *http.Request) {
			azureSays(w, http.StatusForbidden, "AuthorizationPermissionMismatch")
		}, false},
		"untold": {func(http.ResponseWriter, *http.Request) {}, false},
	} {
		l := openAzure(t, func(kind string, w http.ResponseWriter, r *http.Request) bool {
			switch kind {
			case "account":
				c.account(w, r)
			case "DELETE blob":
				w.WriteHeader(http.StatusAccepted)
			case "PUT blob":
				w.WriteHeader(http.StatusCreated)
			default:
				return false
			}
			return true
		}, nil)
		for _, key := range []string{"t//x", "t/x/", "t/a//b//c"} {
			at := azureAt(key)
			deleted, written := l.Delete(t.Context(), []storage.Location{at})[0].Err, l.Write(t.Context(), at, nil)
			if c.held {
				require.NoError(t, deleted, "%s %s", name, key)
				require.NoError(t, written, "%s %s", name, key)
				continue
			}
			require.ErrorIs(t, deleted, storage.ErrRejected, "%s %s", name, key)
			require.ErrorIs(t, written, storage.ErrRejected, "%s %s", name, key)
			require.ErrorIs(t, l.Move(t.Context(), at, azureAt("t/y")), storage.ErrRejected)
			require.ErrorIs(t, l.Move(t.Context(), azureAt("t/y"), at), storage.ErrRejected)
			require.ErrorContains(t, deleted, "empty")
		}
		if !c.held {
			require.NotContains(t, l.asked(), "DELETE blob", name)
			require.NotContains(t, l.asked(), "batch", name)
		}
	}
}

func TestAKeyThatMeansAnotherBlobInAzureIsNeverSent(t *testing.T) {
	t.Parallel()
	l := openAzure(t, nil, nil)
	for _, key := range []string{`t/a\b`, "t/x.", "t/a./b", "t/...", "t/\xff", "t/" + strings.Repeat("k", 1023)} {
		at := azureAt(key)
		for _, err := range []error{
			l.Delete(t.Context(), []storage.Location{at})[0].Err, l.Write(t.Context(), at, nil), l.Move(t.Context(), at, azureAt("t/y")),
			l.Move(t.Context(), azureAt("t/y"), at),
		} {
			require.ErrorIs(t, err, storage.ErrRejected, "%q", key)
		}
		_, err := l.ReadAll(t.Context(), at, 0)
		require.ErrorIs(t, err, storage.ErrRejected, "%q", key)
	}
	require.Empty(t, l.asked())
}

// It would carry the SAS token to another address.
func TestARedirectOfAzureIsNotFollowed(t *testing.T) {
	t.Parallel()
	followed := false
	l := openAzure(t, func(_ string, w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/elsewhere" {
			followed = true
			return true
		}
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		return true
	}, nil)
	for operation, do := range azureOperations {
		require.ErrorContains(t, do(t, l), "redirects", operation)
	}
	require.False(t, followed)
}
