package polaris_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"deckhand/internal/polaris"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// exchange is a request to a real Polaris and its answer; testdata/README.md says
// how they were recorded.
type exchange struct {
	File, Name string
	Request    struct {
		Method, Path, Query string
		Headers             map[string]string
		Body                json.RawMessage
	}
	Response struct {
		Status  int
		Headers map[string]string
		Body    json.RawMessage
	}
}

// recorded finds an exchange of testdata/exchanges.json.
func recorded(t testing.TB, file, name string) exchange {
	t.Helper()
	data, err := os.ReadFile("testdata/exchanges.json")
	require.NoError(t, err)
	var all []exchange
	require.NoError(t, json.Unmarshal(data, &all))
	for _, e := range all {
		if e.File == file && e.Name == name {
			return e
		}
	}
	t.Fatalf("no exchange %q was recorded in %s", name, file)
	return exchange{}
}

// asking changes the query: this client always asks for all snapshots and for
// pages, which the recording did not.
func (e exchange) asking(query string) exchange {
	e.Request.Query = query
	return e
}

// answering is a made-up answer to a recorded request.
func (e exchange) answering(status int, body string) exchange {
	e.Response.Status, e.Response.Headers, e.Response.Body = status, nil, nil
	if body != "" {
		e.Response.Body, _ = json.Marshal(body)
	}
	return e
}

// compared are the headers that decide about an answer.
var compared = []string{"Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "Polaris-Realm", "X-Iceberg-Access-Delegation"}

// tape is a server that expects certain requests in their order.
type tape struct {
	t    testing.TB
	url  string
	mu   sync.Mutex
	left []exchange
	// heads of the requests that came, and their bodies.
	heads  []http.Header
	bodies []string
}

// play serves the exchanges until the test ends, and fails it for each request that
// differs from the recorded one, and for exchanges that were not asked for.
func play(t testing.TB, exchanges ...exchange) *tape {
	t.Helper()
	p := &tape{t: t, left: exchanges}
	server := httptest.NewServer(p)
	p.url = server.URL
	t.Cleanup(func() {
		server.Close()
		for _, e := range p.left {
			t.Errorf("nobody asked for %s: %s %s", e.Name, e.Request.Method, e.Request.Path)
		}
	})
	return p
}

// ServeHTTP compares the request with the next one of the tape and answers it.
func (p *tape) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heads, p.bodies = append(p.heads, r.Header.Clone()), append(p.bodies, string(body))
	if len(p.left) == 0 {
		p.t.Errorf("one request too many: %s %s", r.Method, r.URL)
		w.WriteHeader(http.StatusTeapot)
		return
	}
	e := p.left[0]
	p.left = p.left[1:]
	want := e.Request.Method + " " + e.Request.Path
	if got := r.Method + " " + r.URL.EscapedPath(); got != want {
		p.t.Errorf("%s: request %s, want %s", e.Name, got, want)
	}
	p.sameQuery(e, r.URL.RawQuery)
	for _, name := range compared {
		if got, want := r.Header.Get(name), e.Request.Headers[name]; got != want {
			p.t.Errorf("%s: header %s is %q, want %q", e.Name, name, got, want)
		}
	}
	p.sameBody(e, body)
	if r.Header.Get("X-Request-ID") == "" {
		p.t.Errorf("%s: there is no request id", e.Name)
	}
	e.answer(w)
}

// sameQuery compares the texts of the values, so that a level's separator is seen
// as it was sent; the order does not count.
func (p *tape) sameQuery(e exchange, got string) {
	split := func(query string) []string {
		parts := strings.Split(query, "&")
		slices.Sort(parts)
		return parts
	}
	if !slices.Equal(split(got), split(e.Request.Query)) {
		p.t.Errorf("%s: query %q, want %q", e.Name, got, e.Request.Query)
	}
}

func (p *tape) sameBody(e exchange, got []byte) {
	switch {
	case string(e.Request.Body) == "null":
		if len(got) > 0 {
			p.t.Errorf("%s: body %q, want none", e.Name, got)
		}
	case strings.HasPrefix(e.Request.Headers["Content-Type"], "application/x-www-form-urlencoded"):
		var text string
		require.NoError(p.t, json.Unmarshal(e.Request.Body, &text))
		want, err := url.ParseQuery(text)
		require.NoError(p.t, err)
		// Brackets are escaped on the wire and were not in the recording.
		sent, err := url.ParseQuery(string(got))
		require.NoError(p.t, err)
		if !maps.EqualFunc(sent, want, slices.Equal[[]string]) {
			p.t.Errorf("%s: form %v, want %v", e.Name, sent, want)
		}
	default:
		var commit, want map[string]any
		require.NoError(p.t, json.Unmarshal(got, &commit))
		require.NoError(p.t, json.Unmarshal(e.Request.Body, &want))
		for _, key := range []string{"requirements", "updates"} {
			require.Equal(p.t, want[key], commit[key], "%s: %s", e.Name, key)
		}
	}
}

func (e exchange) answer(w http.ResponseWriter) {
	for name, value := range e.Response.Headers {
		w.Header().Set(name, value)
	}
	w.WriteHeader(e.Response.Status)
	var text string
	switch {
	case len(e.Response.Body) == 0 || string(e.Response.Body) == "null":
	case json.Unmarshal(e.Response.Body, &text) == nil:
		_, _ = io.WriteString(w, text)
	default:
		_, _ = w.Write(e.Response.Body)
	}
}

const secretText = "<client-secret>"

// token is the exchange that each client begins with.
func token(t testing.TB) exchange {
	return recorded(t, "01-oauth", "client_credentials, scope PRINCIPAL_ROLE:ALL")
}

// configOf is the second one, for another catalog than the recorded one.
func configOf(t testing.TB, warehouse string) exchange {
	e := recorded(t, "02-config", "with warehouse, FILE catalog").asking("warehouse=" + warehouse)
	e.Response.Body = json.RawMessage(strings.ReplaceAll(string(e.Response.Body), `"filecat"`, `"`+warehouse+`"`))
	return e
}

// connect makes a client of the tape that does not repeat what fails.
func connect(t testing.TB, p *tape, warehouse string, change ...func(*polaris.Config)) *polaris.Client {
	t.Helper()
	cfg := polaris.Config{
		URI: p.url + "/api/catalog", Warehouse: warehouse, Credential: "root:" + secretText,
		RequestsPerSecond: 1000, Retries: -1, Logger: slog.New(slog.DiscardHandler),
	}
	for _, f := range change {
		f(&cfg)
	}
	c, err := polaris.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func in(name string, namespace ...string) polaris.Identifier {
	return polaris.Identifier{Namespace: namespace, Name: name}
}
