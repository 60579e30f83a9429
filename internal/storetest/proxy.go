package storetest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Proxy stands before a server and can answer in its place. Hosts of requests
// pass as they are, so that signatures stay valid.
type Proxy struct {
	// URL is its address.
	URL string

	mu       sync.Mutex
	answer   func(r *http.Request) *Answer
	requests []string
}

// NewProxy starts a proxy that ends with the test.
func NewProxy(t testing.TB, endpoint string) *Proxy {
	t.Helper()
	target, err := url.Parse(endpoint)
	require.NoError(t, err)
	p := &Proxy{}
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	forward := &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if context.Cause(r.Context()) == nil {
				t.Logf("the proxy could not forward %s: %v", r.Method, err)
			}
			w.WriteHeader(http.StatusBadGateway)
		},
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if answer := p.note(r); answer != nil {
			for name, values := range answer.Header {
				w.Header()[name] = values
			}
			w.WriteHeader(answer.Status)
			_, _ = w.Write([]byte(answer.Body))
			return
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		srv.Close()
		transport.CloseIdleConnections()
	})
	p.URL = srv.URL
	return p
}

func (p *Proxy) note(r *http.Request) *Answer {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests = append(p.requests, r.Method+" "+r.URL.RequestURI())
	if p.answer == nil {
		return nil
	}
	return p.answer(r)
}

// Answer makes the proxy ask what to answer to each request, one at a time: nil
// lets the server answer. A nil function lets all pass.
func (p *Proxy) Answer(answer func(r *http.Request) *Answer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = answer
}

// Requests are those that came so far, "METHOD path?query".
func (p *Proxy) Requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.requests...)
}
