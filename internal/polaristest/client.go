package polaristest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Client talks to a Polaris as a principal. Its methods are safe for many
// goroutines.
type Client struct {
	url, realm string
	token      string
	http       *http.Client
	mu         sync.Mutex
}

// Answer is what the server said.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	// Took is how long it took.
	Took time.Duration
}

// asItIs does not ask for a compressed answer, so that one has no header about it.
var asItIs = func() *http.Transport {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableCompression = true
	return transport
}()

func (a Answer) decode(into any) error {
	if err := json.Unmarshal(a.Body, into); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	return nil
}

// Connect gets a token for a credential id:secret.
func Connect(ctx context.Context, address, realm, credential string) (*Client, error) {
	id, secret, found := strings.Cut(credential, ":")
	if !found {
		return nil, errors.New("the credential is not id:secret")
	}
	c := &Client{url: strings.TrimRight(address, "/"), realm: realm, http: &http.Client{Timeout: time.Minute, Transport: asItIs}}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}, "scope": {"PRINCIPAL_ROLE:ALL"}}
	answer, err := c.send(ctx, http.MethodPost, "/api/catalog/v1/oauth/tokens",
		http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, []byte(form.Encode()))
	if err != nil {
		return nil, err
	}
	var token struct {
		AccessToken string `json:"access_token"`
	}
	if answer.decode(&token) != nil || token.AccessToken == "" {
		return nil, fmt.Errorf("get a token of %s: status %d", c.url, answer.Status)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.token = token.AccessToken
	return c, nil
}

// Do sends a request; a nil body sends none. Only a server that does not answer
// is an error.
func (c *Client) Do(ctx context.Context, method, path string, body any) (Answer, error) {
	if body == nil {
		return c.send(ctx, method, path, nil, nil)
	}
	encoded, err := json.Marshal(body)
	if err != nil {
		return Answer{}, fmt.Errorf("encode request: %w", err)
	}
	return c.send(ctx, method, path, http.Header{"Content-Type": {"application/json"}}, encoded)
}

// Must is Do, but another status than wanted is an error too.
func (c *Client) Must(ctx context.Context, want int, method, path string, body any) (Answer, error) {
	answer, err := c.Do(ctx, method, path, body)
	if err == nil && answer.Status != want {
		err = fmt.Errorf("%s %s: status %d, want %d: %s", method, path, answer.Status, want, answer.Body)
	}
	return answer, err
}

// send adds token and realm to the headers.
func (c *Client) send(ctx context.Context, method, path string, header http.Header, body []byte) (Answer, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(body))
	if err != nil {
		return Answer{}, fmt.Errorf("make request: %w", err)
	}
	for name, values := range header {
		request.Header[name] = values
	}
	request.Header.Set("Polaris-Realm", c.realm)
	c.mu.Lock()
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	c.mu.Unlock()
	started := time.Now()
	answer, err := c.http.Do(request)
	if err != nil {
		return Answer{}, fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		return Answer{}, fmt.Errorf("%s %s: read answer: %w", method, path, err)
	}
	return Answer{Status: answer.StatusCode, Header: answer.Header, Body: data, Took: time.Since(started)}, nil
}

// CreateCatalog makes a catalog whose tables lie in a local folder, lets the
// root principal use it, and makes namespaces of one level in it.
func (c *Client) CreateCatalog(ctx context.Context, name, folder string, namespaces ...string) error {
	return c.createCatalog(ctx, name, "file://"+folder, map[string]any{"storageType": "FILE"}, nil, namespaces...)
}

// createCatalog is CreateCatalog for any storage and with properties.
func (c *Client) createCatalog(ctx context.Context, name, location string, storage, properties map[string]any, namespaces ...string) error {
	all, where := map[string]any{"default-base-location": location}, map[string]any{"allowedLocations": []string{location}}
	maps.Copy(all, properties)
	maps.Copy(where, storage)
	catalog := map[string]any{"catalog": map[string]any{"name": name, "type": "INTERNAL", "properties": all, "storageConfigInfo": where}}
	grant := map[string]any{"grant": map[string]any{"type": "catalog", "privilege": "CATALOG_MANAGE_CONTENT"}}
	_, err := c.Must(ctx, http.StatusCreated, http.MethodPost, "/api/management/v1/catalogs", catalog)
	if err == nil {
		_, err = c.Must(ctx, http.StatusCreated, http.MethodPut, "/api/management/v1/catalogs/"+name+"/catalog-roles/catalog_admin/grants", grant)
	}
	for _, namespace := range namespaces {
		if err == nil {
			err = c.createNamespace(ctx, name, namespace)
		}
	}
	return err
}

func (c *Client) createNamespace(ctx context.Context, catalog, namespace string) error {
	_, err := c.Must(ctx, http.StatusOK, http.MethodPost, "/api/catalog/v1/"+catalog+"/namespaces", map[string]any{"namespace": []string{namespace}})
	return err
}

// tables is the path of a namespace's tables.
func tables(catalog, namespace string) string {
	return "/api/catalog/v1/" + catalog + "/namespaces/" + namespace + "/tables"
}

// Loaded is what is needed of a table's description.
type Loaded struct {
	MetadataLocation string `json:"metadata-location"`
	Metadata         struct {
		UUID     string `json:"table-uuid"`
		ViewUUID string `json:"view-uuid"`
		Location string `json:"location"`
	} `json:"metadata"`
}

// CreateTable makes an empty table.
func (c *Client) CreateTable(ctx context.Context, catalog, namespace, name string) (Loaded, error) {
	schema := map[string]any{"type": "struct", "schema-id": 0, "fields": []any{map[string]any{"id": 1, "name": "id", "type": "long", "required": false}}}
	return c.load(ctx, http.MethodPost, tables(catalog, namespace), map[string]any{"name": name, "schema": schema})
}

// Register makes a table known whose files exist.
func (c *Client) Register(ctx context.Context, catalog, namespace, name, metadataLocation string) (Loaded, error) {
	return c.load(ctx, http.MethodPost, "/api/catalog/v1/"+catalog+"/namespaces/"+namespace+"/register",
		map[string]any{"name": name, "metadata-location": metadataLocation})
}

// Load reads a table.
func (c *Client) Load(ctx context.Context, catalog, namespace, name string) (Loaded, error) {
	return c.load(ctx, http.MethodGet, tables(catalog, namespace)+"/"+name, nil)
}

func (c *Client) load(ctx context.Context, method, path string, body any) (loaded Loaded, err error) {
	answer, err := c.Must(ctx, http.StatusOK, method, path, body)
	if err == nil {
		err = answer.decode(&loaded)
	}
	return loaded, err
}

// Purge drops a table with its files.
func (c *Client) Purge(ctx context.Context, catalog, namespace, name string) (Answer, error) {
	return c.Must(ctx, http.StatusNoContent, http.MethodDelete, tables(catalog, namespace)+"/"+name+"?purgeRequested=true", nil)
}
