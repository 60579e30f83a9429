package config

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"deckhand/internal/polaris"
	"deckhand/internal/secret"
)

// REST is how a catalog is reached for maintenance: Polaris, or another Iceberg
// REST catalog. What it vends credentials for needs no storage section.
type REST struct {
	// URI of the catalog, http://host:8181/api/catalog. Required.
	URI string `yaml:"uri"`
	// Warehouse that is asked for. Default: the catalog's name.
	Warehouse string `yaml:"warehouse,omitempty"`
	// CredentialFile holds one line, client_id:client_secret. Without it no token
	// is asked for.
	CredentialFile string `yaml:"credential_file,omitempty"`
	// Credential read from the file.
	Credential secret.String `yaml:"-"`
	// Scope of the token. Default PRINCIPAL_ROLE:ALL.
	Scope string `yaml:"scope,omitempty"`
	// TokenURI is where tokens come from, an external identity provider's too.
	// Default: <uri>/v1/oauth/tokens.
	TokenURI string `yaml:"token_uri,omitempty"`
	// RealmHeader carries the catalog's realm. Default Polaris-Realm.
	RealmHeader string `yaml:"realm_header,omitempty"`
	// RequestsPerSecond to the server at most, of this process and all catalogs
	// there. Default 20.
	RequestsPerSecond float64 `yaml:"requests_per_second,omitempty"`
	// InFlight is how many requests to the server may be under way. Default 4.
	InFlight int `yaml:"in_flight,omitempty"`
}

// fill applies the defaults.
func (r *REST) fill(catalog string) {
	orDefault(&r.Warehouse, catalog)
	orDefault(&r.Scope, polaris.DefaultScope)
	orDefault(&r.RealmHeader, polaris.DefaultRealmHeader)
	orDefault(&r.RequestsPerSecond, polaris.DefaultRequestsPerSecond)
	orDefault(&r.InFlight, polaris.DefaultInFlight)
	r.URI = strings.TrimRight(r.URI, "/")
}

// ClientConfig is what the catalog's client needs. Its hooks are unset. The catalog
// must have a rest section.
func (c *Catalog) ClientConfig() polaris.Config {
	return polaris.Config{
		Name: c.Name, URI: c.REST.URI, Warehouse: c.REST.Warehouse, Realm: c.Realm, RealmHeader: c.REST.RealmHeader,
		Credential: c.REST.Credential, Scope: c.REST.Scope, TokenURI: c.REST.TokenURI,
		RequestsPerSecond: c.REST.RequestsPerSecond, InFlight: c.REST.InFlight,
	}.WithDefaults()
}

func orDefault[T comparable](field *T, value T) {
	if *field == *new(T) {
		*field = value
	}
}

func (r *REST) readSecret() error {
	if err := secret.Fill("credential", &r.Credential, r.CredentialFile); err != nil {
		return err
	}
	if id, password, found := strings.Cut(r.Credential.Reveal(), ":"); r.Credential != "" && (!found || id == "" || password == "") {
		return fmt.Errorf("credential_file: %s does not hold client_id:client_secret on one line", r.CredentialFile)
	}
	return nil
}

func (r *REST) validate() error {
	errs := []error{checkAddress("uri", r.URI, "http://host:8181/api/catalog")}
	if r.TokenURI != "" {
		errs = append(errs, checkAddress("token_uri", r.TokenURI, "https://host/oauth/tokens"))
	}
	if r.RequestsPerSecond < 0 {
		errs = append(errs, fmt.Errorf("requests_per_second: %v is negative; write 20, for instance", r.RequestsPerSecond))
	}
	if r.InFlight < 0 {
		errs = append(errs, fmt.Errorf("in_flight: %d is negative; write 4, for instance", r.InFlight))
	}
	return errors.Join(errs...)
}

// checkAddress refuses what is no address, and a login in one: it would show up
// in logs.
func checkAddress(field, text, example string) error {
	parsed, err := url.Parse(text)
	switch {
	case text == "":
		return fmt.Errorf("%s: is missing; write %s, for instance", field, example)
	case err != nil || parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https":
		return fmt.Errorf("%s: is not an address; write %s, for instance", field, example)
	case parsed.User != nil:
		return fmt.Errorf("%s: holds a login; put client_id:client_secret into a file and name it in credential_file", field)
	}
	return nil
}
