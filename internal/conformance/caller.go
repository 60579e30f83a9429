package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// object is a JSON object.
type object = map[string]any

// caller sends plain requests as one principal: for what a maintenance client never
// does (making tables, policies, principals), and to look at answers as they are.
type caller struct {
	target    Target
	token     string
	prefix    string // "/v1/lake"
	separator string // as it is sent, "%1F"
}

// answer is a status, and a body where there is one.
type answer struct {
	status int
	body   object
}

// connect gets a token, if the server knows such a thing, and the configuration.
func connect(t *testing.T, target Target, credential string) *caller {
	t.Helper()
	c := &caller{target: target, prefix: "/v1", separator: "%1F"}
	if credential != "" {
		c.token = token(t, c, credential)
	}
	return c
}

func token(t *testing.T, c *caller, credential string) string {
	t.Helper()
	id, secret, _ := strings.Cut(credential, ":")
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}, "scope": {"PRINCIPAL_ROLE:ALL"},
	}
	a := c.send(t, http.MethodPost, c.target.URI+"/v1/oauth/tokens", "application/x-www-form-urlencoded", []byte(form.Encode()))
	require.Equal(t, http.StatusOK, a.status, "token: %v", a.body)
	text, _ := a.body["access_token"].(string)
	return text
}

// configure asks for the prefix of the catalog's paths.
func (c *caller) configure(t *testing.T) {
	t.Helper()
	a := c.send(t, http.MethodGet, c.target.URI+"/v1/config?warehouse="+url.QueryEscape(c.target.Warehouse), "", nil)
	require.Equal(t, http.StatusOK, a.status, "config: %v", a.body)
	overrides, _ := a.body["overrides"].(object)
	if prefix, ok := overrides["prefix"].(string); ok {
		c.prefix = "/v1/" + url.PathEscape(prefix)
	}
	if separator, ok := overrides["namespace-separator"].(string); ok {
		c.separator = separator
	}
}

func (c *caller) send(t *testing.T, method, address, contentType string, body []byte) answer {
	t.Helper()
	// what a test made is removed after its context ended
	r, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, address, bytes.NewReader(body))
	require.NoError(t, err)
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if c.target.Realm != "" {
		r.Header.Set("Polaris-Realm", c.target.Realm)
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	client := http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}
	got, err := client.Do(r)
	require.NoError(t, err)
	defer func() { _ = got.Body.Close() }()
	data, err := io.ReadAll(got.Body)
	require.NoError(t, err)
	a := answer{status: got.StatusCode}
	if len(bytes.TrimSpace(data)) > 0 {
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.UseNumber() // ids have 63 bits
		require.NoError(t, decoder.Decode(&a.body), "%s %s: %s", method, address, data)
	}
	return a
}

func (c *caller) do(t *testing.T, method, address string, body any) answer {
	t.Helper()
	if body == nil {
		return c.send(t, method, address, "", nil)
	}
	data, err := json.Marshal(body)
	require.NoError(t, err)
	return c.send(t, method, address, "application/json", data)
}

// must asks for a status.
func (c *caller) must(t *testing.T, status int, method, address string, body any) answer {
	t.Helper()
	a := c.do(t, method, address, body)
	require.Equal(t, status, a.status, "%s %s: %v", method, address, a.body)
	return a
}

// path is that of a namespace, below the catalog's.
func (c *caller) path(namespace []string, rest string) string {
	levels := make([]string, len(namespace))
	for i, level := range namespace {
		levels[i] = url.PathEscape(level)
	}
	return c.target.URI + c.prefix + "/namespaces/" + strings.Join(levels, c.separator) + rest
}

// polarisPath is the same of Polaris' own interface.
func (c *caller) polarisPath(namespace []string, rest string) string {
	return strings.Replace(c.path(namespace, rest), c.target.URI+"/v1/", c.target.URI+"/polaris/v1/", 1)
}

func (c *caller) table(namespace []string, name string) string {
	return c.path(namespace, "/tables/"+url.PathEscape(name))
}

// createNamespace makes one with all above it.
func (c *caller) createNamespace(t *testing.T, namespace ...string) {
	t.Helper()
	for i := range namespace {
		a := c.do(t, http.MethodPost, c.target.URI+c.prefix+"/namespaces", object{"namespace": namespace[:i+1], "properties": object{}})
		if a.status != http.StatusConflict {
			require.Equal(t, http.StatusOK, a.status, "%v: %v", namespace, a.body)
		}
	}
}

// createTable makes a table with one column; its answer is the metadata.
func (c *caller) createTable(t *testing.T, namespace []string, name, version string) object {
	t.Helper()
	a := c.must(t, http.StatusOK, http.MethodPost, c.path(namespace, "/tables"), object{
		"name": name, "properties": object{"format-version": version},
		"schema": object{"type": "struct", "schema-id": 0, "fields": []object{{"id": 1, "name": "id", "type": "long", "required": false}}},
	})
	metadata, _ := a.body["metadata"].(object)
	return metadata
}
