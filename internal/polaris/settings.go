package polaris

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// settings are what the server said about the catalog.
type settings struct {
	prefix, separator string
	endpoints         []string
	idempotency       time.Duration
}

// Endpoints is what a server offers.
type Endpoints struct {
	// Policies, Views and GenericTables can be asked for.
	Policies, Views, GenericTables bool
	// Idempotency is how long the server remembers an Idempotency-Key; 0: it takes
	// none.
	Idempotency time.Duration
}

// Endpoints of the server, which are asked for once.
func (c *Client) Endpoints(ctx context.Context) (Endpoints, error) {
	s, err := c.settings(ctx)
	if err != nil {
		return Endpoints{}, err
	}
	return s.has(), nil
}

func (s *settings) has() Endpoints {
	return Endpoints{
		Policies: s.offers("GET /polaris/v1/{prefix}/applicable-policies"),
		// A server without a list has what the first version of the protocol had.
		Views:         len(s.endpoints) == 0 || s.offers("GET /v1/{prefix}/namespaces/{namespace}/views"),
		GenericTables: s.offers("GET /polaris/v1/{prefix}/namespaces/{namespace}/generic-tables"),
		Idempotency:   s.idempotency,
	}
}

// offers compares without the leading slash, which Polaris leaves out of some.
func (s *settings) offers(endpoint string) bool {
	return slices.ContainsFunc(s.endpoints, func(has string) bool {
		method, path, _ := strings.Cut(has, " ")
		return method+" /"+strings.TrimPrefix(path, "/") == endpoint
	})
}

// settings of the catalog, asked for once.
func (c *Client) settings(ctx context.Context) (*settings, error) {
	came := time.Now()
	select {
	case <-c.settling:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { c.settling <- struct{}{} }()
	if c.known != nil {
		return c.known, nil
	}
	if err := c.unsettled.of(came); err != nil {
		return nil, err
	}
	s, err := c.askSettings(ctx)
	c.unsettled.note(ctx, err)
	if err == nil {
		c.known = s
	}
	return s, err
}

func (c *Client) askSettings(ctx context.Context) (*settings, error) {
	r := &request{op: opConfig, method: http.MethodGet, path: "/v1/config", query: url.Values{}}
	if c.cfg.Warehouse != "" {
		r.query.Set("warehouse", c.cfg.Warehouse)
	}
	got, err := c.call(ctx, r)
	if err != nil {
		return nil, c.about(err)
	}
	var said struct {
		Defaults    map[string]string `json:"defaults"`
		Overrides   map[string]string `json:"overrides"`
		Endpoints   []string          `json:"endpoints"`
		Idempotency string            `json:"idempotency-key-lifetime"`
	}
	if err := r.decode(got, &said); err != nil {
		return nil, err
	}
	if !isSettings(got.body) {
		// What a proxy says meanwhile would be kept.
		return nil, c.about(r.fail(got.status, ErrUnavailable, hintNoCatalog, errNoSettings))
	}
	s := &settings{prefix: said.Overrides["prefix"], separator: said.Overrides["namespace-separator"], endpoints: said.Endpoints}
	if s.prefix == "" {
		s.prefix = said.Defaults["prefix"]
	}
	if s.separator == "" {
		s.separator = said.Defaults["namespace-separator"]
	}
	if separator, err := url.PathUnescape(s.separator); err == nil && separator != "" {
		s.separator = separator
	} else {
		s.separator = unitSeparator
	}
	s.idempotency = isoDuration(said.Idempotency)
	return s, nil
}

// isSettings: some of what the protocol has, or an object of nothing.
func isSettings(body []byte) bool {
	var said map[string]json.RawMessage
	if json.Unmarshal(body, &said) != nil || said == nil {
		return false
	}
	known := len(said) == 0
	for _, field := range []string{"defaults", "overrides", "endpoints"} {
		known = known || said[field] != nil
	}
	return known
}

var errNoSettings = errors.New("the answer has no settings")

// unitSeparator joins the levels of a namespace in paths.
const unitSeparator = "\x1f"

// isoDuration reads the PT5M of java.time, 0 for what is none.
func isoDuration(text string) time.Duration {
	rest, found := strings.CutPrefix(strings.ToUpper(text), "PT")
	if !found {
		return 0
	}
	d, err := time.ParseDuration(strings.ToLower(rest))
	if err != nil {
		return 0
	}
	return d
}

// decode reads the body of an answer.
func (r *request) decode(a *answer, into any) error {
	if err := json.Unmarshal(a.body, into); err != nil {
		return r.fail(a.status, ErrUnavailable, hintNoCatalog, err)
	}
	return nil
}

// path of something in the catalog; the parts are raw.
func (s *settings) path(root string, parts ...string) string {
	path := root + "/v1"
	if s.prefix != "" {
		path += "/" + escapePath(s.prefix)
	}
	for _, part := range parts {
		path += "/" + escapePath(part)
	}
	return path
}

// escapePath writes a name so that it is one step of a path, a "+" too, which some
// servers read as a blank.
func escapePath(name string) string {
	return strings.ReplaceAll(url.PathEscape(name), "+", "%2B")
}

func (s *settings) namespace(levels []string) string { return strings.Join(levels, s.separator) }
