package polaris_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/polaris"
)

// gate is a catalog that gives a new token for each request for one and takes only
// the last one.
type gate struct {
	life          int // of tokens, in seconds; 0: it does not say
	tokens, loads atomic.Int64
	mu            sync.Mutex
	valid         string
	realms        []string // that token requests came with
}

func (g *gate) expire() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.valid = ""
}

// ServeHTTP gives tokens and an empty list of namespaces.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if strings.HasSuffix(r.URL.Path, "/tokens") {
		g.realms = append(g.realms, r.Header.Get("X-Realm"))
		g.valid = fmt.Sprintf("t%d", g.tokens.Add(1))
		answer := map[string]any{"access_token": g.valid, "token_type": "bearer"}
		if g.life > 0 {
			answer["expires_in"] = g.life
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer)
		return
	}
	if r.Header.Get("Authorization") != "Bearer "+g.valid || g.valid == "" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	g.loads.Add(1)
	_, _ = io.WriteString(w, `{"overrides":{"prefix":"lake"},"namespaces":[],"next-page-token":null}`)
}

// clock that a test moves.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

func (c *clock) move(d time.Duration) { c.ahead.Add(int64(d)) }

func serve(t testing.TB, handler http.Handler, change ...func(*polaris.Config)) (*polaris.Client, string) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	cfg := polaris.Config{
		URI: server.URL + "/api/catalog", Warehouse: "lake", Credential: "id:hush", RequestsPerSecond: 10000, InFlight: 64,
		Retries: -1, Logger: slog.New(slog.DiscardHandler),
	}
	for _, f := range change {
		f(&cfg)
	}
	c, err := polaris.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c, server.URL
}

// list asks for the namespaces and gives the error.
func list(t testing.TB, c *polaris.Client) error {
	for _, err := range c.Namespaces(t.Context(), nil) {
		return err
	}
	return nil
}

func TestManyRequestsShareOneToken(t *testing.T) {
	t.Parallel()
	g := &gate{life: 3600}
	c, _ := serve(t, g)
	together(t, 32, func() error { return list(t, c) })
	require.EqualValues(t, 1, g.tokens.Load())
}

func TestATokenThatIsRefusedIsRenewedOnceForAll(t *testing.T) {
	t.Parallel()
	g := &gate{life: 3600}
	c, _ := serve(t, g)
	require.NoError(t, list(t, c))
	for range 20 {
		g.expire()
		before := g.tokens.Load()
		together(t, 32, func() error { return list(t, c) })
		require.Equal(t, before+1, g.tokens.Load())
	}
}

func together(t testing.TB, n int, do func() error) {
	t.Helper()
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { errs[i] = do() })
	}
	all.Wait()
	require.NoError(t, errors.Join(errs...))
}

func TestATokenIsRenewedBeforeItExpires(t *testing.T) {
	t.Parallel()
	g, watch := &gate{life: 3600}, &clock{}
	c, _ := serve(t, g, func(cfg *polaris.Config) { cfg.Now = watch.now })
	require.NoError(t, list(t, c))
	watch.move(50 * time.Minute)
	require.NoError(t, list(t, c))
	require.EqualValues(t, 1, g.tokens.Load())
	watch.move(9*time.Minute + 30*time.Second)
	require.NoError(t, list(t, c))
	require.EqualValues(t, 2, g.tokens.Load())
}

func TestAShortTokenServesMoreThanOneRequest(t *testing.T) {
	t.Parallel()
	g := &gate{life: 30}
	c, _ := serve(t, g)
	for range 10 {
		require.NoError(t, list(t, c))
	}
	require.EqualValues(t, 1, g.tokens.Load())
}

func TestATokenWithoutAnEndServesUntilItIsRefused(t *testing.T) {
	t.Parallel()
	g, watch := &gate{}, &clock{}
	c, _ := serve(t, g, func(cfg *polaris.Config) { cfg.Now = watch.now })
	require.NoError(t, list(t, c))
	watch.move(1000 * time.Hour)
	require.NoError(t, list(t, c))
	require.EqualValues(t, 1, g.tokens.Load())
	g.expire()
	require.NoError(t, list(t, c))
	require.EqualValues(t, 2, g.tokens.Load())
}

func TestWithoutACredentialNoTokenIsAskedFor(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var seen []string
	c, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, r.URL.Path+r.Header.Get("Authorization"))
		_, _ = io.WriteString(w, `{"overrides":{},"namespaces":[]}`)
	}), func(cfg *polaris.Config) { cfg.Credential = "" })
	require.NoError(t, list(t, c))
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, []string{"/api/catalog/v1/config", "/api/catalog/v1/namespaces"}, seen)
}

func TestAnotherIdentityProviderGivesTheToken(t *testing.T) {
	t.Parallel()
	g := &gate{life: 60}
	idp := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// As a provider that takes the secret in the header only.
		if id, hush, ok := r.BasicAuth(); !ok || id != "id" || hush != "hush" {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"error":"invalid_client"}`)
			return
		}
		g.ServeHTTP(w, r)
	}))
	t.Cleanup(idp.Close)
	c, _ := serve(t, g, func(cfg *polaris.Config) { cfg.TokenURI = idp.URL + "/oauth2/tokens" })
	require.NoError(t, list(t, c))
	require.EqualValues(t, 1, g.tokens.Load())
}

func TestTheRealmGoesWithEveryRequest(t *testing.T) {
	t.Parallel()
	g := &gate{life: 3600}
	var missing atomic.Int64
	c, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Realm") != "R1" {
			missing.Add(1)
		}
		g.ServeHTTP(w, r)
	}), func(cfg *polaris.Config) { cfg.Realm, cfg.RealmHeader = "R1", "X-Realm" })
	require.NoError(t, list(t, c))
	require.Zero(t, missing.Load())
	g.mu.Lock()
	defer g.mu.Unlock()
	require.Equal(t, []string{"R1"}, g.realms)
}

// A server that repeats what it was sent, in every field and on every path.
func TestNoSecretGetsIntoErrorsAndLogs(t *testing.T) {
	t.Parallel()
	const hush, given = "s3cr3t-hush", "t0ken-given"
	for _, status := range []int{200, 302, 400, 401, 403, 404, 409, 418, 429, 500, 503} {
		for _, refuseToken := range []bool{true, false} {
			t.Run(fmt.Sprintf("%d %t", status, refuseToken), func(t *testing.T) {
				t.Parallel()
				var logged bytes.Buffer
				c, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					body, _ := io.ReadAll(r.Body)
					w.Header().Set("Content-Type", "application/json")
					if !refuseToken && strings.HasSuffix(r.URL.Path, "/tokens") {
						_, _ = io.WriteString(w, `{"access_token":"`+given+`","expires_in":3600}`)
						return
					}
					said := string(body) + r.Header.Get("Authorization")
					w.WriteHeader(status)
					refusal := map[string]any{"error": "invalid_client " + said, "error_description": said}
					if !refuseToken {
						refusal = map[string]any{"error": map[string]any{"message": said, "type": said}}
					}
					_ = json.NewEncoder(w).Encode(refusal)
				}), func(cfg *polaris.Config) {
					cfg.Credential = "id:" + hush
					cfg.Logger = slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
				})
				err := list(t, c)
				require.Error(t, err)
				for _, text := range []string{err.Error(), fmt.Sprintf("%#v %+v", err, err), logged.String()} {
					require.NotContains(t, text, hush)
					require.NotContains(t, text, given)
				}
				require.Contains(t, logged.String(), "request_id=")
			})
		}
	}
}

func TestAConfigurationNamesItsMistakesAndNoSecret(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		cfg  polaris.Config
		says string
	}{
		"no address":      {polaris.Config{}, "uri"},
		"a path":          {polaris.Config{URI: "/api/catalog"}, "uri"},
		"a login":         {polaris.Config{URI: "http://me:hush@h/api/catalog"}, "login"},
		"a login again":   {polaris.Config{URI: "http://h", TokenURI: "http://me:hush@h/t"}, "token uri"},
		"a broken one":    {polaris.Config{URI: "http://me:hush@h:x/%zz"}, "uri"},
		"a secret alone":  {polaris.Config{URI: "http://h", Credential: "hush"}, "client_id:client_secret"},
		"a negative rate": {polaris.Config{URI: "http://h", RequestsPerSecond: -1}, "requests per second"},
		"no slots":        {polaris.Config{URI: "http://h", InFlight: -1}, "in flight"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := polaris.New(test.cfg)
			require.ErrorContains(t, err, test.says)
			require.NotContains(t, err.Error(), "hush")
		})
	}
}

// A token endpoint that is away for a while stops nobody who has a token.
func TestTheOldTokenServesUntilItsEndWhenItCannotBeRenewed(t *testing.T) {
	t.Parallel()
	g, watch := &gate{life: 3600}, &clock{}
	var away atomic.Bool
	var asked atomic.Int64
	c, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/tokens") && away.Load() {
			asked.Add(1)
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		g.ServeHTTP(w, r)
	}), func(cfg *polaris.Config) { cfg.Now = watch.now })
	require.NoError(t, list(t, c))
	away.Store(true)
	watch.move(59*time.Minute + 20*time.Second)
	for range 5 {
		require.NoError(t, list(t, c))
	}
	require.EqualValues(t, 1, asked.Load(), "not with each request")
	watch.move(time.Minute)
	require.ErrorIs(t, list(t, c), polaris.ErrUnavailable)
	away.Store(false)
	require.NoError(t, list(t, c))
	require.EqualValues(t, 2, g.tokens.Load())
}

func TestAPageInPlaceOfATokenIsNoToken(t *testing.T) {
	t.Parallel()
	c, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `<html>hush</html>`)
	}))
	err := list(t, c)
	require.ErrorIs(t, err, polaris.ErrUnavailable)
	require.ErrorContains(t, err, "rest.token_uri")
	require.NotContains(t, err.Error(), "hush")
}
