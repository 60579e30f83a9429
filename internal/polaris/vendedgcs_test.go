package polaris_test

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/polaris"
	"deckhand/internal/storage"
)

// gcsLake is a catalog that vends tokens of Google Cloud, and the store that they
// open: one server.
type gcsLake struct {
	lives []time.Duration

	url    string
	mu     sync.Mutex
	vended int
	tokens []string // that objects were read with
}

func (l *gcsLake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if strings.HasPrefix(r.URL.Path, "/storage/v1/") {
		l.tokens = append(l.tokens, r.Header.Get("Authorization"))
		_, _ = io.WriteString(w, "x")
		return
	}
	if strings.HasSuffix(r.URL.Path, "/config") {
		_, _ = io.WriteString(w, `{"overrides":{"prefix":"lake"}}`)
		return
	}
	life := l.lives[min(l.vended, len(l.lives)-1)]
	l.vended++
	vended := []map[string]any{{"prefix": "gs://lab/wh/n/t", "config": map[string]string{
		"gcs.oauth2.token":            "token" + strconv.Itoa(l.vended),
		"gcs.oauth2.token-expires-at": strconv.FormatInt(time.Now().Add(life).UnixMilli(), 10),
	}}}
	if strings.HasSuffix(r.URL.Path, "/credentials") {
		_ = json.NewEncoder(w).Encode(map[string]any{"storage-credentials": vended})
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"config": map[string]string{"gcs.service.host": l.url}, "metadata-location": "gs://lab/wh/n/t/metadata/1.json",
		"metadata":            map[string]any{"format-version": 2, "table-uuid": "u", "location": "gs://lab/wh/n/t", "last-column-id": 1},
		"storage-credentials": vended,
	})
}

func TestVendedTokensOfGoogleCloudOpenTheStoreAndAreRenewed(t *testing.T) {
	t.Parallel()
	l := &gcsLake{lives: []time.Duration{time.Nanosecond, time.Hour}}
	c, url := serve(t, l, func(cfg *polaris.Config) { cfg.Credential = "" })
	l.url = url
	loaded, err := c.Load(t.Context(), in("t", "n"), polaris.LoadOptions{Vend: true})
	require.NoError(t, err)
	stores, err := c.Stores(t.Context(), in("t", "n"), loaded, storage.Config{Name: "lake", Retries: -1}, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stores.Close()) })
	s := stores.Session(storage.SessionConfig{})
	for range 2 {
		require.NoError(t, read(t, s, "gs://lab/wh/n/t/data/1.parquet"))
	}
	err = read(t, s, "gs://lab/wh/n/other/1.parquet")
	require.ErrorIs(t, err, storage.ErrOutside)
	l.mu.Lock()
	defer l.mu.Unlock()
	require.Equal(t, slices.Repeat([]string{"Bearer token2"}, 2), l.tokens, "the first one ended before it was used")
}

// Keys of S3 say nothing about a bucket of Google Cloud Storage.
func TestKeysOfOneStoreDoNotServeForAnother(t *testing.T) {
	t.Parallel()
	l := &lake{lives: []time.Duration{time.Hour}, locations: map[string]string{"write.data.path": "gs://bucket/t"}}
	_, err := l.open(t)
	require.NoError(t, err, "what is configured serves for gs://")
	require.ErrorIs(t, openWith(t, "gs://lab/wh/n/t", []polaris.Credential{
		{Prefix: "gs://lab/wh/n/other", Config: map[string]string{"gcs.oauth2.token": "x"}},
		{Prefix: "s3://lab/wh/n/t", Config: map[string]string{"s3.access-key-id": "a", "s3.secret-access-key": "b"}},
	}), polaris.ErrNotCovered)
}
