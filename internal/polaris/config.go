package polaris

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"deckhand/internal/secret"
)

// Defaults of [Config].
const (
	DefaultScope             = "PRINCIPAL_ROLE:ALL"
	DefaultRealmHeader       = "Polaris-Realm"
	DefaultRequestsPerSecond = 20
	DefaultInFlight          = 4
	DefaultRequestTimeout    = 60 * time.Second
	DefaultRetries           = 4
	DefaultThrottleFor       = 2 * time.Minute
)

// Config says how a catalog is reached.
type Config struct {
	// Name is the catalog's name, for logs and errors. Default: Warehouse.
	Name string
	// URI of the catalog API, http://host:8181/api/catalog. Required; it must not
	// hold a login.
	URI string
	// Warehouse that is asked for: the catalog's name in Polaris. May be empty for
	// servers that have only one.
	Warehouse string
	// Realm goes into RealmHeader; empty: no such header is sent.
	Realm string
	// RealmHeader defaults to Polaris-Realm.
	RealmHeader string
	// Credential is client_id:client_secret. Empty: no token is asked for.
	Credential secret.String
	// Scope of the token. Default PRINCIPAL_ROLE:ALL.
	Scope string
	// TokenURI is where tokens come from, an external identity provider's too.
	// Default: URI + "/v1/oauth/tokens".
	TokenURI string

	// RequestsPerSecond to the server at most, of all clients that share Limiters.
	// Default 20.
	RequestsPerSecond float64
	// InFlight is how many requests to the server may be under way. Default 4.
	InFlight int
	// Limiters are shared by the clients of a process. nil: the client has its own.
	Limiters *Limiters
	// RequestTimeout bounds one request, its answer included. Default 60 s.
	RequestTimeout time.Duration
	// Retries is how often a request that failed for a passing reason is repeated.
	// Default 4, negative: never. Commits are not repeated unless that is safe.
	Retries int
	// ThrottleFor is how long a request goes on while the server answers 429.
	// Default 2 min.
	ThrottleFor time.Duration

	// Transport carries the requests. nil: a new one with its own connections.
	Transport http.RoundTripper
	// Logger gets every request at level debug, with its request id. Default:
	// slog.Default().
	Logger *slog.Logger
	// OnRequest is called after each request with its name ("loadTable",
	// "commitTable", …, "token") and its HTTP status, 0 without an answer. It must be
	// safe for many goroutines. May be nil.
	OnRequest func(op string, status int)
	// Now is the clock that tokens and vended credentials expire by. Default
	// time.Now.
	Now func() time.Time
}

// WithDefaults fills in the documented defaults.
func (c Config) WithDefaults() Config {
	c.URI = strings.TrimRight(c.URI, "/")
	c.Name = cmp.Or(c.Name, c.Warehouse, c.URI)
	c.RealmHeader = cmp.Or(c.RealmHeader, DefaultRealmHeader)
	c.Scope = cmp.Or(c.Scope, DefaultScope)
	c.RequestsPerSecond = cmp.Or(c.RequestsPerSecond, DefaultRequestsPerSecond)
	c.InFlight = cmp.Or(c.InFlight, DefaultInFlight)
	c.RequestTimeout = cmp.Or(c.RequestTimeout, DefaultRequestTimeout)
	c.Retries = cmp.Or(c.Retries, DefaultRetries)
	c.ThrottleFor = cmp.Or(c.ThrottleFor, DefaultThrottleFor)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Validate reports every mistake at once; no message holds a secret.
func (c Config) Validate() error {
	errs := []error{checkAddress("uri", c.URI)}
	if c.TokenURI != "" {
		errs = append(errs, checkAddress("token uri", c.TokenURI))
	}
	if id, password, found := strings.Cut(c.Credential.Reveal(), ":"); c.Credential != "" && (!found || id == "" || password == "") {
		errs = append(errs, errors.New("credential: it is not client_id:client_secret"))
	}
	if c.RequestsPerSecond < 0 {
		errs = append(errs, fmt.Errorf("requests per second: %v is negative", c.RequestsPerSecond))
	}
	if c.InFlight < 0 {
		errs = append(errs, fmt.Errorf("in flight: %d is negative", c.InFlight))
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"request timeout", c.RequestTimeout}, {"throttle for", c.ThrottleFor}} {
		if d.value < 0 {
			errs = append(errs, fmt.Errorf("%s: %v is negative", d.name, d.value))
		}
	}
	return errors.Join(errs...)
}

// checkAddress never repeats the text: it may hold a password.
func checkAddress(name, text string) error {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return fmt.Errorf("%s: it is missing, write http://host:8181/api/catalog, for instance", name)
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return fmt.Errorf("%s: it is not an address, write http://host:8181/api/catalog, for instance", name)
	case u.User != nil:
		return fmt.Errorf("%s: it must not hold a login; give client_id:client_secret as the credential", name)
	case u.RawQuery != "", u.Fragment != "":
		return fmt.Errorf("%s: it must not have a query or a fragment", name)
	}
	return nil
}
