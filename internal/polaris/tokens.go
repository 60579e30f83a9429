package polaris

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

const (
	// renewToken is how long before it expires a token is renewed, at most a fifth of
	// its life.
	renewToken = time.Minute
	// renewPatience bounds a renewal for which requests wait that the old token, or
	// the old keys, could serve.
	renewPatience = 10 * time.Second
)

// tokens keeps one token and asks for the next. One request is under way at a time.
type tokens struct {
	client *Client
	config clientcredentials.Config
	turn   chan struct{} // holds one element while nobody asks

	token      *oauth2.Token
	renew, end time.Time // zero: never
	last       failure
}

// failure is the last one of something that one caller asks for while others wait:
// those who waited share it. Were each to try again by itself, one after the other,
// the last would not hear of an outage before its job seems to be dead.
type failure struct {
	err error
	at  time.Time
}

// note remembers how asking ended. That its caller went says nothing.
func (f *failure) note(ctx context.Context, err error) {
	if ctx.Err() == nil {
		f.err, f.at = err, time.Now()
	}
}

// of who waited since then; nil if there was none.
func (f *failure) of(since time.Time) error {
	if f.err != nil && f.at.After(since) {
		return f.err
	}
	return nil
}

func newTokens(c *Client) *tokens {
	id, password, _ := strings.Cut(c.cfg.Credential.Reveal(), ":")
	t := &tokens{
		client: c, turn: make(chan struct{}, 1),
		config: clientcredentials.Config{
			ClientID: id, ClientSecret: password, TokenURL: c.cfg.TokenURI, Scopes: strings.Fields(c.cfg.Scope),
			AuthStyle: oauth2.AuthStyleInParams,
		},
	}
	if t.config.TokenURL == "" {
		t.config.TokenURL = c.cfg.URI + tokenPath
	} else {
		// Identity providers differ in whether they take the secret in a header.
		t.config.AuthStyle = oauth2.AuthStyleAutoDetect
	}
	t.turn <- struct{}{}
	return t
}

const hintTokenEndpoint = "this is no token endpoint; check rest.uri and rest.token_uri"

const tokenPath = "/v1/oauth/tokens"

// get a token that is good for a while. refused is one that the server did not
// take; "" for none.
func (t *tokens) get(ctx context.Context, refused string) (string, error) {
	came := time.Now()
	select {
	case <-t.turn:
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	defer func() { t.turn <- struct{}{} }()
	if t.token != nil && t.token.AccessToken != refused && (t.renew.IsZero() || t.client.cfg.Now().Before(t.renew)) {
		return t.token.AccessToken, nil
	}
	began := t.client.cfg.Now()
	if left := t.end.Sub(began); t.token != nil && t.token.AccessToken != refused && left > 0 {
		if err := t.early(ctx); err != nil {
			if ctx.Err() != nil {
				return "", context.Cause(ctx)
			}
			t.renew = began.Add(left / 2)
			t.client.cfg.Logger.WarnContext(ctx, "the token was not renewed, the old one still serves", slog.Any("error", err))
		}
		return t.token.AccessToken, nil
	}
	if err := t.last.of(came); err != nil {
		return "", err
	}
	err := t.ask(ctx)
	t.last.note(ctx, err)
	if err != nil {
		return "", err
	}
	return t.token.AccessToken, nil
}

// early renews a token that still serves.
func (t *tokens) early(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, renewPatience)
	defer cancel()
	return t.ask(ctx)
}

func (t *tokens) take(token *oauth2.Token, began time.Time) {
	t.token, t.renew, t.end = token, time.Time{}, time.Time{}
	if !token.Expiry.IsZero() {
		life := time.Until(token.Expiry)
		t.renew, t.end = began.Add(life-min(renewToken, life/5)), began.Add(life)
	}
}

// ask for a token, once: the request that needs it is repeated while the endpoint is
// away.
func (t *tokens) ask(ctx context.Context) error {
	r := &request{op: "token", method: http.MethodPost, path: t.path()}
	began, status := t.client.cfg.Now(), 0
	hc := &http.Client{Timeout: t.client.cfg.RequestTimeout, Transport: roundTrip(func(q *http.Request) (*http.Response, error) {
		q.Header.Set("Accept", "application/json")
		t.client.identify(q, r)
		if t.client.cfg.TokenURI == "" {
			release, err := t.client.limiter.acquire(q.Context())
			if err != nil {
				return nil, err
			}
			defer release()
		}
		answer, err := t.client.transport.RoundTrip(q)
		if answer != nil {
			status = answer.StatusCode
			r.note(answer)
		}
		return answer, err
	}), CheckRedirect: noRedirect}
	token, err := t.config.Token(context.WithValue(ctx, oauth2.HTTPClient, hc))
	t.client.observe(ctx, r, status, err)
	if err != nil {
		return t.refused(ctx, r, err)
	}
	t.take(token, began)
	return nil
}

// path for errors: below the catalog's address, or the whole address.
func (t *tokens) path() string { return strings.TrimPrefix(t.config.TokenURL, t.client.cfg.URI) }

// refused never repeats what the endpoint or the library wrote but the two fields
// that the protocol has for it: a body may repeat what was sent.
func (t *tokens) refused(ctx context.Context, r *request, err error) error {
	var answer *oauth2.RetrieveError
	if !errors.As(err, &answer) || answer.Response == nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		hint := "the token endpoint does not answer"
		var sent *url.Error
		if !errors.As(err, &sent) {
			hint = hintTokenEndpoint
		}
		return r.fail(0, ErrUnavailable, hint, hideURL(err))
	}
	status := answer.Response.StatusCode
	e := r.fail(status, ErrUnauthorized, "", nil)
	e.Type, e.Message = answer.ErrorCode, answer.ErrorDescription
	refusal := readRefusal(answer.Body)
	switch {
	case status == http.StatusTooManyRequests || status >= 500:
		e.Reason, e.Hint, e.Type = ErrUnavailable, "the token endpoint is down or overloaded", refusal.Type
		e.retryAfter = retryAfter(answer.Response.Header)
	case refusal.Type == "MissingOrInvalidRealm":
		e.Reason, e.Type, e.Message = ErrNoRealm, refusal.Type, refusal.Message
		e.Hint = "write the catalog's realm as the server has it"
	case answer.ErrorCode == "invalid_scope":
		e.Hint = "write rest.scope as PRINCIPAL_ROLE:ALL, or PRINCIPAL_ROLE: and the name of a role"
	case answer.ErrorCode == "" && refusal.Type == "" && (status == http.StatusNotFound || status < 400):
		// A proxy's word, as is one to a request of the catalog.
		e.Reason, e.Hint = ErrUnavailable, hintTokenEndpoint
	case status == http.StatusNotFound, answer.ErrorCode == "" && refusal.Type == "" && status != http.StatusUnauthorized:
		e.Hint = hintTokenEndpoint
	default:
		e.Hint = "check the client id and the secret in rest.credential_file; after a rotation the old secret is refused"
	}
	e.hide(t.config.ClientSecret)
	return e
}

type roundTrip func(*http.Request) (*http.Response, error)

// RoundTrip implements [http.RoundTripper].
func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
