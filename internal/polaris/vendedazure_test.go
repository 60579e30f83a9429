package polaris_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/polaris"
	"deckhand/internal/storage"
)

const azureTable = "abfss://lab@acc.dfs.core.windows.net/wh/n/t"

// azureLake is a catalog that vends SAS tokens, and the store that they open: one
// server.
type azureLake struct {
	lives []time.Duration
	keys  func(sas string, ends string) map[string]string

	mu         sync.Mutex
	vended     int
	signatures []string // that blobs were read with
}

func (l *azureLake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if strings.HasPrefix(r.URL.Path, "/acc/") {
		l.signatures = append(l.signatures, r.URL.Query().Get("sig"))
		w.Header().Set("x-ms-request-id", "1")
		_, _ = io.WriteString(w, "x")
		return
	}
	if strings.HasSuffix(r.URL.Path, "/config") {
		_, _ = io.WriteString(w, `{"overrides":{"prefix":"lake"}}`)
		return
	}
	life := l.lives[min(l.vended, len(l.lives)-1)]
	l.vended++
	vended := []map[string]any{{
		"prefix": azureTable,
		"config": l.keys("sv=2&sig=hush"+strconv.Itoa(l.vended), strconv.FormatInt(time.Now().Add(life).UnixMilli(), 10)),
	}}
	if strings.HasSuffix(r.URL.Path, "/credentials") {
		_ = json.NewEncoder(w).Encode(map[string]any{"storage-credentials": vended})
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"config": map[string]string{}, "metadata-location": azureTable + "/metadata/1.json",
		"metadata":            map[string]any{"format-version": 2, "table-uuid": "u", "location": azureTable, "last-column-id": 1},
		"storage-credentials": vended,
	})
}

func TestVendedSASTokensOpenTheStoreAndAreRenewed(t *testing.T) {
	t.Parallel()
	for name, keys := range map[string]func(sas, ends string) map[string]string{
		"by account": func(sas, ends string) map[string]string {
			return map[string]string{"adls.sas-token.acc": sas, "adls.sas-token-expires-at-ms.acc": ends}
		},
		"by host": func(sas, ends string) map[string]string {
			return map[string]string{
				"adls.sas-token.acc.dfs.core.windows.net": sas, "adls.sas-token-expires-at-ms.acc.dfs.core.windows.net": ends,
				"adls.sas-token.other.dfs.core.windows.net": "sig=wrong",
			}
		},
		"for any": func(sas, ends string) map[string]string {
			return map[string]string{"adls.sas-token": sas, "adls.sas-token-expires-at-ms": ends}
		},
		"with an end in the token alone": func(sas, ends string) map[string]string {
			ms, _ := strconv.ParseInt(ends, 10, 64)
			return map[string]string{"adls.sas-token.acc": sas + "&se=" + url.QueryEscape(time.UnixMilli(ms).UTC().Format(time.RFC3339))}
		},
	} {
		l := &azureLake{lives: []time.Duration{time.Nanosecond, time.Hour}, keys: keys}
		c, server := serve(t, l, func(cfg *polaris.Config) { cfg.Credential = "" })
		loaded, err := c.Load(t.Context(), in("t", "n"), polaris.LoadOptions{Vend: true})
		require.NoError(t, err)
		base := storage.Config{Name: "lake", Retries: -1, Azure: storage.AzureConfig{Endpoint: server + "/acc", SASToken: "sig=configured"}}
		stores, err := c.Stores(t.Context(), in("t", "n"), loaded, base, nil)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, stores.Close()) })
		s := stores.Session(storage.SessionConfig{})
		for _, file := range []string{azureTable + "/data/1.parquet", "wasbs://lab@acc.blob.core.windows.net/wh/n/t/data/1.parquet"} {
			require.NoError(t, read(t, s, file), name)
		}
		l.mu.Lock()
		require.Equal(t, []string{"hush2", "hush2"}, l.signatures, "%s: the first one ended before it was used", name)
		l.mu.Unlock()
	}
}

func TestATokenOfOneAccountDoesNotServeForAnother(t *testing.T) {
	t.Parallel()
	err := openWith(t, azureTable, []polaris.Credential{
		{Prefix: azureTable, Config: map[string]string{"adls.sas-token.other.dfs.core.windows.net": "sig=hush"}},
	})
	require.ErrorIs(t, err, polaris.ErrNotCovered)
	require.NotContains(t, err.Error(), "hush")
	require.NoError(t, openWith(t, azureTable, []polaris.Credential{
		{Prefix: "wasbs://lab@acc.blob.core.windows.net/wh", Config: map[string]string{"adls.sas-token.acc": "sig=hush"}},
	}), "both spellings are one location")
}
