package storage

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
	"golang.org/x/sync/singleflight"
)

const (
	// gcsScope is what is asked for: objects, and nothing about buckets.
	gcsScope = "https://www.googleapis.com/auth/devstorage.read_write"
	// cloudScope is what getting the tokens of a service account takes.
	cloudScope = "https://www.googleapis.com/auth/cloud-platform"
	// tokenTimeout bounds each request for a token.
	tokenTimeout = 30 * time.Second

	hintCredentials = "check the credentials of the catalog's gcs section"

	defaultImpersonateEndpoint = "https://iamcredentials.googleapis.com"
)

// gcsTokens gives the token of each request, "" where none is sent.
type gcsTokens func(ctx context.Context) (GCSToken, error)

// newGCSTokens asks nobody before the first token is needed.
func newGCSTokens(cfg GCSConfig, transport http.RoundTripper) gcsTokens {
	switch {
	case cfg.Anonymous:
		return func(context.Context) (GCSToken, error) { return GCSToken{}, nil }
	case cfg.Renew != nil:
		return cfg.Renew
	case cfg.Token != "":
		return func(context.Context) (GCSToken, error) { return GCSToken{Token: cfg.Token}, nil }
	}
	s := &gcsSource{cfg: cfg, client: &http.Client{Transport: transport, Timeout: tokenTimeout}}
	return s.token
}

// gcsSource opens a source of tokens when the first one is needed.
type gcsSource struct {
	cfg    GCSConfig
	client *http.Client
	source oauth2.TokenSource // of the one who fetches

	fetching singleflight.Group
	held     atomic.Pointer[oauth2.Token]
}

// token gives the token that is held, or waits for another one as long as ctx lasts:
// Google's library knows no contexts. One goroutine fetches for all who wait, and ends
// within tokenTimeout.
func (s *gcsSource) token(ctx context.Context) (GCSToken, error) {
	token := s.held.Load()
	if !token.Valid() {
		select {
		case fetched := <-s.fetching.DoChan("token", s.fetch):
			if fetched.Err != nil {
				return GCSToken{}, fetched.Err
			}
			token, _ = fetched.Val.(*oauth2.Token)
		case <-ctx.Done():
			return GCSToken{}, context.Cause(ctx)
		}
	}
	return GCSToken{Token: token.AccessToken, Expires: token.Expiry}, nil
}

func (s *gcsSource) fetch() (any, error) {
	source, err := s.open()
	if err != nil {
		return nil, err
	}
	token, err := source.Token()
	if err != nil {
		return nil, err
	}
	s.held.Store(token)
	return token, nil
}

// open keeps the source once there is one: where there is none yet, one may come,
// as a metadata server that was not up.
func (s *gcsSource) open() (oauth2.TokenSource, error) {
	if s.source != nil {
		return s.source, nil
	}
	scope := gcsScope
	if s.cfg.Impersonate != "" {
		scope = cloudScope
	}
	// The source outlives the request for which it is opened.
	ctx := context.WithValue(context.Background(), oauth2.HTTPClient, s.client)
	found, err := findGoogle(ctx, s.cfg.Credentials, scope)
	if err != nil {
		return nil, err
	}
	s.source = found
	if s.cfg.Impersonate != "" {
		s.source = oauth2.ReuseTokenSource(nil, &impersonation{
			client: s.client, source: found, account: s.cfg.Impersonate,
			endpoint: cmp.Or(s.cfg.ImpersonateEndpoint, defaultImpersonateEndpoint),
		})
	}
	return s.source, nil
}

func findGoogle(ctx context.Context, file, scope string) (oauth2.TokenSource, error) {
	if file == "" {
		found, err := google.FindDefaultCredentials(ctx, scope)
		if err != nil {
			return nil, &Error{
				Reason: ErrUnavailable, Err: errors.New("no credentials of Google Cloud are to be found"),
				Hint: "set GOOGLE_APPLICATION_CREDENTIALS, or give the catalog's gcs section credentials",
			}
		}
		return found.TokenSource, nil
	}
	kind, err := credentialsType(file)
	if err == nil {
		var found *google.Credentials
		if kind == string(google.ServiceAccount) && !hasPrivateKey(file) {
			return nil, &Error{Reason: ErrDenied, Err: errors.New("the credentials hold no private key that can be read"), Hint: hintCredentials}
		}
		if found, err = google.CredentialsFromJSONWithType(ctx, []byte(file), google.CredentialsType(kind), scope); err == nil {
			return found.TokenSource, nil
		}
		// Its message may repeat a part of the key.
		err = fmt.Errorf("credentials of the type %q cannot be used", kind)
	}
	return nil, &Error{Reason: ErrDenied, Err: err, Hint: hintCredentials}
}

// hasPrivateKey looks into the key file of a service account.
func hasPrivateKey(file string) bool {
	cfg, err := google.JWTConfigFromJSON([]byte(file))
	if err != nil {
		return false
	}
	block, _ := pem.Decode(cfg.PrivateKey)
	if block == nil {
		return false
	}
	if _, err = x509.ParsePKCS8PrivateKey(block.Bytes); err != nil {
		_, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	}
	return err == nil
}

// impersonation gets the tokens of another service account. Source: the method
// generateAccessToken of the IAM Service Account Credentials API.
type impersonation struct {
	client            *http.Client
	source            oauth2.TokenSource
	account, endpoint string
}

// Token implements [oauth2.TokenSource].
func (i *impersonation) Token() (*oauth2.Token, error) {
	own, err := i.source.Token()
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(map[string]any{"scope": []string{gcsScope}, "lifetime": "3600s"})
	if err != nil {
		return nil, err
	}
	address := strings.TrimRight(i.endpoint, "/") + "/v1/projects/-/serviceAccounts/" + url.PathEscape(i.account) + ":generateAccessToken"
	request, err := http.NewRequest(http.MethodPost, address, bytes.NewReader(body)) //nolint:noctx // the client's time-out bounds it
	if err != nil {
		return nil, err
	}
	own.SetAuthHeader(request)
	request.Header.Set("Content-Type", "application/json")
	response, err := i.client.Do(request)
	if err != nil {
		return nil, &Error{Reason: ErrUnavailable, Err: innermost(err)}
	}
	defer response.Body.Close()
	data, err := io.ReadAll(io.LimitReader(response.Body, gcsAnswerLimit))
	if err != nil {
		return nil, &Error{Reason: ErrUnavailable, Err: err}
	}
	if response.StatusCode != http.StatusOK {
		e := gcsAnswerError(response, data)
		e.Hint = fmt.Sprintf("to act as %s takes the role roles/iam.serviceAccountTokenCreator on it", i.account)
		return nil, e
	}
	var answer struct {
		AccessToken string    `json:"accessToken"`
		ExpireTime  time.Time `json:"expireTime"`
	}
	if json.Unmarshal(data, &answer) != nil || answer.AccessToken == "" {
		return nil, &Error{Reason: ErrUnavailable, Err: errors.New("the answer holds no token"), Hint: "check the impersonate endpoint"}
	}
	return &oauth2.Token{AccessToken: answer.AccessToken, TokenType: "Bearer", Expiry: answer.ExpireTime}, nil
}

// tokenCode is the "error" of RFC 6749, section 5.2, "" without one.
func tokenCode(refused *oauth2.RetrieveError) string {
	var answer struct {
		Error string `json:"error"`
	}
	code := refused.ErrorCode
	if code == "" && json.Unmarshal(refused.Body, &answer) == nil {
		code = answer.Error
	}
	for _, c := range []byte(code) {
		if !isLetter(c) && c != '_' {
			return ""
		}
	}
	return code
}

// tokenError says why there is no token, without what a token endpoint answered.
func tokenError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	refused, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		return &Error{Reason: ErrUnavailable, Err: fmt.Errorf("get a token: %w", innermost(err))}
	}
	e := &Error{Code: tokenCode(refused), Reason: ErrUnavailable, Err: errors.New("the token endpoint gives no token")}
	if refused.Response != nil {
		e.Status = refused.Response.StatusCode
	}
	if e.Status/100 == 4 && e.Status != http.StatusTooManyRequests && e.Status != http.StatusRequestTimeout {
		e.Reason, e.Hint = ErrDenied, hintCredentials
	}
	return e
}
