package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2/google"
)

// DefaultGCSEndpoint is Google's own.
const DefaultGCSEndpoint = "https://storage.googleapis.com"

// GCSConfig says how gs:// locations are reached. At most one of Anonymous, Token,
// Credentials and Renew; none of them means the application default credentials:
// GOOGLE_APPLICATION_CREDENTIALS, gcloud's file, or the metadata server.
type GCSConfig struct {
	// Endpoint is the address of a server that speaks Google's protocol, as an
	// emulator does. Default: DefaultGCSEndpoint. Anything but https:// and the own
	// machine is refused unless Anonymous, for tokens would be sent in the clear.
	Endpoint string
	// Anonymous sends no credentials, for emulators and public buckets.
	Anonymous bool
	// Token is an OAuth 2 access token, which ends within the hour.
	Token string
	// Credentials are what a JSON key file of a service account holds, or another
	// file of credentials that Google's libraries take.
	Credentials string
	// Impersonate is the e-mail address of a service account, as which everything is
	// done: the other credentials only get its tokens. Not with Anonymous, Token and
	// Renew.
	Impersonate string
	// ImpersonateEndpoint gives these tokens. Default: Google's own,
	// https://iamcredentials.googleapis.com.
	ImpersonateEndpoint string
	// FromJob lets a job name the account to impersonate where Impersonate does not; see
	// [Stores.ForJob].
	FromJob bool
	// UserProject is the project that pays for requests, where a bucket asks for one.
	UserProject string
	// Renew is asked for the token of each request; it knows when to get another. May
	// be nil.
	Renew func(ctx context.Context) (GCSToken, error)
}

// GCSToken is an OAuth 2 access token.
type GCSToken struct {
	Token string
	// Expires is when the store refuses it; zero: not known.
	Expires time.Time
}

// String shows no secret.
func (t GCSToken) String() string { return redacted(t.Token) }

// GoString is String, so that %#v shows no secret either.
func (t GCSToken) GoString() string { return "storage.GCSToken{" + t.String() + "}" }

// LogValue shows no secret.
func (t GCSToken) LogValue() slog.Value { return slog.StringValue(t.String()) }

// MarshalText shows no secret, also in JSON.
func (t GCSToken) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// Validate reports every mistake at once; no message holds a secret.
func (c GCSConfig) Validate() error {
	var errs []error
	given := 0
	for _, is := range []bool{c.Anonymous, c.Token != "", c.Credentials != "", c.Renew != nil} {
		if is {
			given++
		}
	}
	if given > 1 {
		errs = append(errs, errors.New("credentials: give one of anonymous, token and credentials"))
	}
	if err := checkEndpoint("endpoint", c.Endpoint); err != nil {
		errs = append(errs, err)
	} else if !c.Anonymous && inTheClear(c.Endpoint) {
		errs = append(errs, fmt.Errorf("endpoint: to %s tokens would be sent in the clear; write https://, or anonymous: true for an emulator", c.Endpoint))
	}
	if err := checkEndpoint("impersonate endpoint", c.ImpersonateEndpoint); err != nil {
		errs = append(errs, err)
	} else if inTheClear(c.ImpersonateEndpoint) {
		errs = append(errs, errors.New("impersonate endpoint: tokens would be sent in the clear, write https://"))
	}
	if c.Credentials != "" {
		if _, err := credentialsType(c.Credentials); err != nil {
			errs = append(errs, fmt.Errorf("credentials: %w", err))
		}
	}
	switch {
	case c.Impersonate == "" && !c.FromJob:
	case c.Anonymous || c.Token != "" || c.Renew != nil:
		errs = append(errs, errors.New("impersonate: it needs credentials of a service account, or the application default ones"))
	case c.Impersonate != "" && (strings.ContainsAny(c.Impersonate, "/?# ") || !strings.Contains(c.Impersonate, "@")):
		errs = append(errs, fmt.Errorf("impersonate: %q is not the e-mail address of a service account", c.Impersonate))
	}
	return errors.Join(errs...)
}

// inTheClear says whether whoever listens on the net could read what is sent.
func inTheClear(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" || u.Hostname() == "localhost" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return ip == nil || !ip.IsLoopback()
}

// credentialsType reads what kind of credentials a JSON file holds.
func credentialsType(file string) (string, error) {
	var head struct {
		Type string `json:"type"`
	}
	// The parser's message may repeat a part of the file.
	if json.Unmarshal([]byte(file), &head) != nil {
		return "", errors.New("they are not JSON, give what a key file of a service account holds")
	}
	if head.Type == "" {
		return "", errors.New(`they name no "type", give what a key file of a service account holds`)
	}
	if !slices.Contains(gcsCredentials, google.CredentialsType(head.Type)) {
		return "", errors.New(`their "type" is not known, give what a key file of a service account holds`)
	}
	return head.Type, nil
}

// gcsCredentials are the types that can be read.
var gcsCredentials = []google.CredentialsType{
	google.ServiceAccount, google.AuthorizedUser, google.ExternalAccount, google.ExternalAccountAuthorizedUser,
	google.ImpersonatedServiceAccount, google.GDCHServiceAccount,
}

// String shows everything but the secrets.
func (c GCSConfig) String() string {
	return fmt.Sprintf("{endpoint:%s anonymous:%t token:%s credentials:%s impersonate:%s user_project:%s}",
		c.Endpoint, c.Anonymous, redacted(c.Token), redacted(c.Credentials), c.Impersonate, c.UserProject)
}

// GoString is String, so that %#v shows no secret either.
func (c GCSConfig) GoString() string { return "storage.GCSConfig" + c.String() }

// LogValue shows everything but the secrets.
func (c GCSConfig) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("endpoint", c.Endpoint), slog.Bool("anonymous", c.Anonymous), slog.String("token", redacted(c.Token)),
		slog.String("credentials", redacted(c.Credentials)), slog.String("impersonate", c.Impersonate),
		slog.String("user_project", c.UserProject))
}
