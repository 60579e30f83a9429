package polaris

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"deckhand/internal/secret"
)

// Client talks to one catalog. It is safe for many goroutines.
type Client struct {
	cfg       Config
	http      *http.Client
	transport http.RoundTripper
	// own is the transport when it is the client's to close.
	own     *http.Transport
	limiter *limiter
	tokens  *tokens // nil without a credential
	// retryWait is about how long to wait after the first failure.
	retryWait time.Duration

	settling  chan struct{} // holds one element while nobody asks
	known     *settings
	unsettled failure
}

const retryWait = 200 * time.Millisecond

// New makes a client; no request is made. The error names what is wrong with the
// configuration.
func New(cfg Config) (*Client, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Limiters == nil {
		cfg.Limiters = NewLimiters()
	}
	address, err := url.Parse(cfg.URI)
	if err != nil {
		return nil, errors.New("uri: it is not an address")
	}
	c := &Client{
		cfg: cfg, transport: cfg.Transport, retryWait: retryWait, settling: make(chan struct{}, 1),
		limiter: cfg.Limiters.get(address.Scheme+"://"+address.Host, cfg.RequestsPerSecond, cfg.InFlight),
	}
	if c.transport == nil {
		c.own = &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			TLSHandshakeTimeout:   10 * time.Second,
			ForceAttemptHTTP2:     true,
			MaxIdleConnsPerHost:   cfg.InFlight,
			IdleConnTimeout:       90 * time.Second,
			ExpectContinueTimeout: time.Second,
		}
		c.transport = c.own
	}
	c.http = &http.Client{Transport: c.transport, CheckRedirect: noRedirect}
	if cfg.Credential != secret.String("") {
		c.tokens = newTokens(c)
	}
	c.settling <- struct{}{}
	return c, nil
}

// Close gives back the connections.
func (c *Client) Close() error {
	if c.own != nil {
		c.own.CloseIdleConnections()
	}
	return nil
}

// about names the catalog in an error.
func (c *Client) about(err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	return fmt.Errorf("catalog %s: %w", c.cfg.Name, err)
}

// Credentials asks for fresh ones for a table; none where the server vends none.
// Nothing conditional is sent with it: an answer without a body would bring no keys.
func (c *Client) Credentials(ctx context.Context, id Identifier) ([]Credential, error) {
	s, err := c.settings(ctx)
	if err != nil {
		return nil, err
	}
	if err := id.check(s.separator); err != nil {
		return nil, err
	}
	r := &request{op: "loadCredentials", method: http.MethodGet, path: s.table(id) + "/credentials", header: http.Header{}}
	r.header.Set(delegation, vendedCredentials)
	got, err := c.call(ctx, r)
	if vendsNothing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, c.missing(ctx, s, id, c.about(err))
	}
	var said struct {
		Credentials []Credential `json:"storage-credentials"`
	}
	if err := r.decode(got, &said); err != nil {
		return nil, err
	}
	return said.Credentials, nil
}
