package storage_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/storage"
)

// azureBatchKeys are the keys that a batch names, in order.
func azureBatchKeys(t testing.TB, r *http.Request) []string {
	t.Helper()
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	require.NoError(t, err)
	parts := multipart.NewReader(r.Body, params["boundary"])
	var keys []string
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return keys
		}
		require.NoError(t, err)
		request, err := http.ReadRequest(bufio.NewReader(part))
		require.NoError(t, err)
		require.Equal(t, http.MethodDelete, request.Method)
		require.NotEmpty(t, request.URL.Query().Get("sig"), "each delete has its own authorization")
		path, err := url.PathUnescape(strings.TrimPrefix(request.URL.EscapedPath(), "/acc/lake/"))
		require.NoError(t, err)
		keys = append(keys, path)
	}
}

// azureParts writes the answer to a batch, whose parts have these numbers, "" for
// none.
func azureParts(w http.ResponseWriter, ids, answers []string) {
	w.Header().Set("Content-Type", "multipart/mixed; boundary=b1")
	w.WriteHeader(http.StatusAccepted)
	for i, answer := range answers {
		_, _ = io.WriteString(w, "--b1\r\nContent-Type: application/http\r\n")
		if ids[i] != "" {
			_, _ = io.WriteString(w, "Content-ID: "+ids[i]+"\r\n")
		}
		_, _ = io.WriteString(w, "\r\n"+answer+"\r\n")
	}
	_, _ = io.WriteString(w, "--b1--\r\n")
}

func azurePartOf(status int, code string) string {
	body := fmt.Sprintf(`<?xml version="1.0"?><Error><Code>%s</Code><Message>The %s.</Message></Error>`, code, code)
	if code == "" {
		body = ""
	}
	header := ""
	if code != "" {
		header = "x-ms-error-code: " + code + "\r\n"
	}
	return fmt.Sprintf("HTTP/1.1 %d X\r\n%sx-ms-request-id: p-1\r\nContent-Length: %d\r\n\r\n%s", status, header, len(body), body)
}

func TestEachKeyOfAnAzureBatchHasItsOwnResult(t *testing.T) {
	t.Parallel()
	answers := map[string]string{
		"t/deleted":   azurePartOf(202, ""),
		"t/absent":    azurePartOf(404, "BlobNotFound"),
		"t/leased":    azurePartOf(412, "LeaseIdMissing"),
		"t/immutable": azurePartOf(409, "BlobImmutableDueToPolicy"),
		"t/held":      azurePartOf(409, "BlobImmutableDueToLegalHold"),
		"t/snapshots": azurePartOf(409, "SnapshotsPresent"),
		"t/folder":    azurePartOf(409, "DirectoryIsNotEmpty"),
		"t/forbidden": azurePartOf(403, "AuthorizationPermissionMismatch"),
		"t/proxy":     azurePartOf(404, ""),
		"t/gone":      azurePartOf(404, "ContainerNotFound"),
	}
	l := openAzure(t, only("batch", func(w http.ResponseWriter, r *http.Request) {
		keys := azureBatchKeys(t, r)
		ids, parts := make([]string, len(keys)), make([]string, len(keys))
		for i, key := range keys { // the answers may come in any order
			ids[len(keys)-1-i], parts[len(keys)-1-i] = fmt.Sprint(i), answers[key]
		}
		azureParts(w, ids, parts)
	}), nil)
	var asked []storage.Location
	for _, key := range []string{"deleted", "absent", "leased", "immutable", "held", "snapshots", "folder", "forbidden", "proxy", "gone"} {
		asked = append(asked, azureAt("t/"+key))
	}
	results := l.Delete(t.Context(), asked)
	require.NoError(t, results[0].Err)
	require.NoError(t, results[1].Err)
	for i, words := range map[int]string{2: "lease", 3: "immutability policy", 4: "legal hold", 5: "snapshots", 6: "directory"} {
		if i == 3 || i == 4 {
			require.ErrorIs(t, results[i].Err, storage.ErrLocked, asked[i])
		} else {
			require.ErrorIs(t, results[i].Err, storage.ErrRejected, asked[i])
		}
		require.ErrorContains(t, results[i].Err, words)
		require.NotContains(t, results[i].Err.Error(), "hush")
	}
	require.ErrorIs(t, results[7].Err, storage.ErrDenied)
	require.ErrorIs(t, results[8].Err, storage.ErrUnavailable)
	require.ErrorIs(t, results[9].Err, storage.ErrNoBucket)
	require.Equal(t, []string{"batch"}, l.asked())
}

func TestABusyKeyOfAnAzureBatchIsSentAgainAlone(t *testing.T) {
	t.Parallel()
	var sent [][]string
	l := openAzure(t, only("batch", func(w http.ResponseWriter, r *http.Request) {
		keys := azureBatchKeys(t, r)
		sent = append(sent, keys)
		ids, parts := make([]string, len(keys)), make([]string, len(keys))
		for i, key := range keys {
			ids[i], parts[i] = fmt.Sprint(i), azurePartOf(202, "")
			if key == "t/1" && len(sent) < 3 {
				parts[i] = azurePartOf(503, "ServerBusy")
			}
		}
		azureParts(w, ids, parts)
	}), nil)
	for _, r := range l.Delete(t.Context(), []storage.Location{azureAt("t/0"), azureAt("t/1"), azureAt("t/2")}) {
		require.NoError(t, r.Err)
	}
	require.Equal(t, [][]string{{"t/0", "t/1", "t/2"}, {"t/1"}, {"t/1"}}, sent)
	require.EqualValues(t, 2, l.Usage().Throttled)
}

// Who cannot say which of the keys was deleted has deleted none.
func TestAnAnswerToABatchThatIsNotOnePerKeyIsNone(t *testing.T) {
	t.Parallel()
	ok := azurePartOf(202, "")
	for name, answer := range map[string]http.HandlerFunc{
		"one too few":        func(w http.ResponseWriter, _ *http.Request) { azureParts(w, []string{"0"}, []string{ok}) },
		"one twice":          func(w http.ResponseWriter, _ *http.Request) { azureParts(w, []string{"0", "0"}, []string{ok, ok}) },
		"an unknown number":  func(w http.ResponseWriter, _ *http.Request) { azureParts(w, []string{"0", "7"}, []string{ok, ok}) },
		"the next number":    func(w http.ResponseWriter, _ *http.Request) { azureParts(w, []string{"0", "2"}, []string{ok, ok}) },
		"a negative number":  func(w http.ResponseWriter, _ *http.Request) { azureParts(w, []string{"0", "-1"}, []string{ok, ok}) },
		"no number":          func(w http.ResponseWriter, _ *http.Request) { azureParts(w, []string{"0", ""}, []string{ok, ok}) },
		"no parts":           func(w http.ResponseWriter, _ *http.Request) { azureParts(w, nil, nil) },
		"parts that are odd": func(w http.ResponseWriter, _ *http.Request) { azureParts(w, []string{"0", "1"}, []string{ok, "hello"}) },
		"a page": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusAccepted)
			_, _ = io.WriteString(w, "<html>")
		},
		"no boundary": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "multipart/mixed")
			w.WriteHeader(http.StatusAccepted)
		},
		"status 200 with a part for each": func(w http.ResponseWriter, _ *http.Request) {
			told := httptest.NewRecorder()
			azureParts(told, []string{"0", "1"}, []string{ok, ok})
			w.Header().Set("Content-Type", told.Header().Get("Content-Type"))
			_, _ = w.Write(told.Body.Bytes())
		},
		"status 200": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) },
	} {
		l := openAzure(t, only("batch", answer), nil)
		for _, r := range l.Delete(t.Context(), []storage.Location{azureAt("t/0"), azureAt("t/1")}) {
			require.ErrorIs(t, r.Err, storage.ErrUnavailable, name)
			require.NotContains(t, r.Err.Error(), "hush", name)
		}
		require.NotContains(t, l.asked(), "DELETE blob", name)
	}
}

func TestABatchThatAzureRefusesIsDeletedOneByOne(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		again  bool // whether the next batch is tried
	}{
		"in a part without a number": {func(w http.ResponseWriter, _ *http.Request) {
			azureParts(w, []string{""}, []string{azurePartOf(400, "InvalidInput")})
		}, true},
		"as a request":    {func(w http.ResponseWriter, _ *http.Request) { azureSays(w, 400, "InvalidInput") }, true},
		"as not known":    {func(w http.ResponseWriter, _ *http.Request) { azureSays(w, 501, "NotImplemented") }, false},
		"as no such verb": {func(w http.ResponseWriter, _ *http.Request) { azureSays(w, 400, "UnsupportedQueryParameter") }, false},
	} {
		l := openAzure(t, func(kind string, w http.ResponseWriter, r *http.Request) bool {
			switch kind {
			case "batch":
				c.answer(w, r)
			case "DELETE blob":
				w.WriteHeader(http.StatusAccepted)
			default:
				return false
			}
			return true
		}, nil)
		for range 2 {
			for _, r := range l.Delete(t.Context(), []storage.Location{azureAt("t/0"), azureAt("t/1")}) {
				require.NoError(t, r.Err, name)
			}
		}
		want := []string{"batch", "DELETE blob", "DELETE blob", "batch", "DELETE blob", "DELETE blob"}
		if !c.again {
			want = slices.Delete(want, 3, 4)
		}
		require.Equal(t, want, l.asked(), name)
	}
}

// A SAS token for a directory allows no request about the container.
func TestASASTokenOfADirectoryDeletesOneByOne(t *testing.T) {
	t.Parallel()
	l := openAzure(t, only("DELETE blob", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }),
		func(c *storage.Config) { c.Azure.SASToken = "sv=1&sr=d&sdd=2&sig=hush" })
	for _, r := range l.Delete(t.Context(), []storage.Location{azureAt("t/0"), azureAt("t/1")}) {
		require.NoError(t, r.Err)
	}
	require.Equal(t, []string{"DELETE blob", "DELETE blob"}, l.asked())
}

// What is said of the container or the credentials is true of each single delete.
func TestABatchThatIsDeniedIsNotDeletedOneByOne(t *testing.T) {
	t.Parallel()
	for code, c := range map[string]struct {
		status int
		reason error
	}{
		"AuthorizationPermissionMismatch": {http.StatusForbidden, storage.ErrDenied},
		"ContainerNotFound":               {http.StatusNotFound, storage.ErrNoBucket},
		"NoAuthenticationInformation":     {http.StatusUnauthorized, storage.ErrDenied},
	} {
		l := openAzure(t, only("batch", func(w http.ResponseWriter, _ *http.Request) { azureSays(w, c.status, code) }), nil)
		for _, r := range l.Delete(t.Context(), []storage.Location{azureAt("t/0"), azureAt("t/1")}) {
			require.ErrorIs(t, r.Err, c.reason)
		}
		require.Equal(t, []string{"batch"}, l.asked())
	}
}
