package polaris_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
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

// lake is a catalog that vends keys, and the store that they open: one server.
type lake struct {
	locations map[string]string // properties of the table that name places
	// lives of the keys, one after the other; the last one again and again.
	lives []time.Duration
	// fails answers requests for fresh keys with this status.
	fails int
	// onlyConfig tells keys in config alone, onlyPrefix with their prefix alone.
	onlyConfig, onlyPrefix, noAddress bool

	url     string
	mu      sync.Mutex
	vended  int
	renewed int
	tokens  []string // that objects were read with
	etags   []string // If-None-Match of requests for keys
}

func (l *lake) keys() map[string]string {
	life := l.lives[min(l.vended, len(l.lives)-1)]
	l.vended++
	n := strconv.Itoa(l.vended)
	return map[string]string{
		"s3.access-key-id": "key" + n, "s3.secret-access-key": "hush", "s3.session-token": "token" + n,
		"s3.session-token-expires-at-ms": strconv.FormatInt(time.Now().Add(life).UnixMilli(), 10),
	}
}

// ServeHTTP plays both.
func (l *lake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	credentials := func(keys map[string]string) []map[string]any {
		return []map[string]any{{"prefix": "s3://lab/wh/n/t", "config": keys}}
	}
	switch {
	case strings.HasPrefix(r.URL.Path, "/lab/"), strings.HasPrefix(r.URL.Path, "/other/"):
		l.tokens = append(l.tokens, r.Header.Get("X-Amz-Security-Token"))
		_, _ = io.WriteString(w, "x")
	case strings.HasSuffix(r.URL.Path, "/config"):
		_, _ = io.WriteString(w, `{"overrides":{"prefix":"lake"}}`)
	case strings.HasSuffix(r.URL.Path, "/credentials"):
		l.renewed++
		l.etags = append(l.etags, r.Header.Get("If-None-Match"))
		switch {
		case l.noAddress:
			w.WriteHeader(http.StatusNotFound)
		case l.fails > 0:
			w.WriteHeader(l.fails)
		default:
			_ = json.NewEncoder(w).Encode(map[string]any{"storage-credentials": credentials(l.keys())})
		}
	default:
		l.etags = append(l.etags, r.Header.Get("If-None-Match"))
		keys := l.keys()
		config := map[string]string{"s3.endpoint": l.url, "s3.path-style-access": "true", "client.region": "eu-west-1"}
		if !l.onlyPrefix {
			for name, value := range keys {
				config[name] = value
			}
		}
		said := map[string]any{"config": config, "metadata-location": "s3://lab/wh/n/t/metadata/1.json", "metadata": map[string]any{
			"format-version": 2, "table-uuid": "u", "location": "s3://lab/wh/n/t", "last-column-id": 1, "properties": l.locations,
		}}
		if !l.onlyConfig {
			said["storage-credentials"] = credentials(keys)
		}
		_ = json.NewEncoder(w).Encode(said)
	}
}

// seen are the tokens that objects were read with, the If-None-Match of requests
// for keys, and how often fresh ones were asked for.
func (l *lake) seen() (tokens, etags []string, renewed int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.tokens), slices.Clone(l.etags), l.renewed
}

// open loads the table and opens what its credentials open.
func (l *lake) open(t testing.TB, change ...func(*polaris.Config)) (*storage.Session, error) {
	t.Helper()
	c, url := serve(t, l, append(change, func(cfg *polaris.Config) { cfg.Credential = "" })...)
	l.mu.Lock()
	l.url = url
	l.mu.Unlock()
	loaded, err := c.Load(t.Context(), in("t", "n"), polaris.LoadOptions{Vend: true, ETag: `W/"x"`})
	require.NoError(t, err)
	stores, err := c.Stores(t.Context(), in("t", "n"), loaded, storage.Config{Name: "lake", Retries: -1}, nil)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { require.NoError(t, stores.Close()) })
	return stores.Session(storage.SessionConfig{}), nil
}

func read(t testing.TB, s *storage.Session, uri string) error {
	t.Helper()
	at, err := storage.Parse(uri)
	require.NoError(t, err)
	_, err = s.ReadAll(t.Context(), at, 0)
	return err
}

const object = "s3://lab/wh/n/t/data/1.parquet"

func TestVendedKeysOpenTheStoreAsLongAsTheyLast(t *testing.T) {
	t.Parallel()
	for _, life := range []time.Duration{time.Hour, time.Minute} { // one shorter than renewing early allows
		t.Run(life.String(), func(t *testing.T) {
			t.Parallel()
			l := &lake{lives: []time.Duration{life}}
			s, err := l.open(t)
			require.NoError(t, err)
			for range 10 {
				require.NoError(t, read(t, s, object))
			}
			tokens, _, renewed := l.seen()
			require.Zero(t, renewed)
			require.Equal(t, "token1", tokens[9])
		})
	}
}

func TestKeysAreRenewedAndNothingConditionalIsSent(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]*lake{
		"at their address": {}, "by a load": {noAddress: true}, "told in config alone": {onlyConfig: true, noAddress: true}, "told by prefix alone": {onlyPrefix: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l.lives = []time.Duration{-time.Minute, time.Hour}
			s, err := l.open(t)
			require.NoError(t, err)
			require.NoError(t, read(t, s, object))
			require.NoError(t, read(t, s, object))
			tokens, etags, _ := l.seen()
			require.Equal(t, []string{"token2", "token2"}, tokens)
			for _, etag := range etags {
				require.Empty(t, etag)
			}
		})
	}
}

func TestTheKeysInConfigAreForTheOtherLocationsOfTheTable(t *testing.T) {
	t.Parallel()
	l := &lake{lives: []time.Duration{-time.Minute, time.Hour}, locations: map[string]string{"write.data.path": "s3://other/place"}}
	s, err := l.open(t)
	require.NoError(t, err)
	require.NoError(t, read(t, s, "s3://other/place/1.parquet"))
	require.NoError(t, read(t, s, object))
	tokens, _, _ := l.seen()
	require.Equal(t, []string{"token2", "token2"}, tokens, "both come with one answer")
}

func TestALocationWithoutKeysIsToldBeforeAnythingIsDone(t *testing.T) {
	t.Parallel()
	l := &lake{lives: []time.Duration{time.Hour}, onlyPrefix: true, locations: map[string]string{"write.data.path": "s3://other/place"}}
	_, err := l.open(t)
	require.ErrorIs(t, err, polaris.ErrNotCovered)
	require.ErrorIs(t, err, polaris.ErrRejected)
	require.ErrorContains(t, err, "s3://other/place")
	require.ErrorContains(t, err, "s3://lab/wh/n/t")

	l.locations = nil
	s, err := l.open(t)
	require.NoError(t, err)
	err = read(t, s, "s3://lab/wh/n/t2/1.parquet") // below nothing that the table names
	require.ErrorIs(t, err, storage.ErrOutside)
}

func TestAStoreThatIsNotKnownYetIsNamed(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"oss", "hdfs"} {
		l := &lake{lives: []time.Duration{time.Hour}, locations: map[string]string{"write.data.path": scheme + "://bucket/t"}}
		_, err := l.open(t)
		require.ErrorIs(t, err, storage.ErrUnsupportedScheme)
		require.ErrorContains(t, err, scheme)
	}
}

// A server without keys: the catalog's own storage section serves.
func TestWithoutVendedKeysTheConfiguredOnesServe(t *testing.T) {
	t.Parallel()
	store := &lake{}
	server := httptest.NewServer(store)
	t.Cleanup(server.Close)
	p := play(t, token(t), configOf(t, "s3cat"),
		recorded(t, "04-tables", "load of a table with three snapshots (snapshots=all)").asking("snapshots=all"))
	c := connect(t, p, "s3cat")
	loaded, err := c.Load(t.Context(), in("r", "x"), polaris.LoadOptions{})
	require.NoError(t, err)
	stores, err := c.Stores(t.Context(), in("r", "x"), loaded, storage.Config{
		S3: storage.S3Config{Endpoint: server.URL, PathStyle: true, Region: "r", AccessKeyID: "own", SecretAccessKey: "hush", SessionToken: "own"},
	}, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stores.Close()) })
	require.NoError(t, read(t, stores.Session(storage.SessionConfig{}), "s3://lab/wh/x/r/data/1.parquet"))
	tokens, _, _ := store.seen()
	require.Equal(t, []string{"own"}, tokens)
}
