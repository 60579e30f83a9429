package standin

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"
)

// The principal that may do everything, as a fresh Polaris has it.
const (
	RootID     = "root"
	RootSecret = "s3cr3t"
)

// DefaultRealm is the realm served when [Options.Realm] names none.
const DefaultRealm = "POLARIS"

// Options of a server; the zero value is a server without catalogs.
type Options struct {
	// Realm is the only realm there is; another one in the header Polaris-Realm
	// is answered 404. Default DefaultRealm.
	Realm string
	// RequireRealm refuses requests without the header Polaris-Realm.
	RequireRealm bool
	// Anonymous serves every request as root, without a token, as many Iceberg
	// REST catalogs do; policies, generic tables and management are not there then.
	Anonymous bool
	// Catalogs to make at the start; see also [Server.CreateCatalog].
	Catalogs []Catalog
	// S3 is where catalogs lie that the management interface makes on S3. Without
	// it that is refused.
	S3 *S3
	// Idempotency takes the header Idempotency-Key on commits and tells so. A
	// Polaris has it off unless polaris.idempotency.enabled is set.
	Idempotency bool
	// Folder holds the SQLite file; empty: it is kept in memory.
	Folder string
	// TokenLifetime defaults to 1 h.
	TokenLifetime time.Duration
	// CredentialLifetime of vended keys. Default 1 h; see also
	// [Server.SetCredentialLifetime].
	CredentialLifetime time.Duration
	// Paging cuts lists into pages where the client asks for them. A Polaris has it
	// off unless LIST_PAGINATION_ENABLED is set, and answers with everything.
	Paging bool
	// Now is the clock that metadata is written by; tokens and keys go by the real
	// one. Default time.Now.
	Now func() time.Time
	// Address to listen on. Default 127.0.0.1:0, a free port.
	Address string
}

// WithDefaults fills in what was left out.
func (o Options) WithDefaults() Options {
	o.Realm = cmp.Or(o.Realm, DefaultRealm)
	o.TokenLifetime = cmp.Or(o.TokenLifetime, time.Hour)
	o.CredentialLifetime = cmp.Or(o.CredentialLifetime, time.Hour)
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Address = cmp.Or(o.Address, "127.0.0.1:0")
	return o
}

// Validate says which catalog cannot be served.
func (o Options) Validate() error {
	for _, c := range o.Catalogs {
		if err := c.Validate(); err != nil {
			return err
		}
	}
	return nil
}

// Catalog is one warehouse.
type Catalog struct {
	// Name is the warehouse and the prefix of paths.
	Name string
	// Location that namespaces and tables get their places below:
	// "file:///folder" or "s3://bucket/folder".
	Location string
	// Properties of the catalog, told by /v1/config. default-base-location is
	// added.
	Properties map[string]string
	// AllowedLocations are places besides Location where tables may lie.
	AllowedLocations []string
	// S3 is where s3:// locations are. Required for them.
	S3 *S3
}

// S3 is a store and what of it is told to clients.
type S3 struct {
	// Endpoint is the server's address, http://127.0.0.1:port. Region defaults to
	// us-east-1. Paths name buckets.
	Endpoint, Region string
	// AccessKeyID and SecretAccessKey are vended to clients that ask for
	// credentials, with a session token made up for each, and serve the stand-in's
	// own reads and writes.
	AccessKeyID, SecretAccessKey string
	// NoSTS vends nothing: a client that asks for credentials gets a 400, as from
	// a catalog with stsUnavailable.
	NoSTS bool
}

// Validate says what is missing.
func (c Catalog) Validate() error {
	switch {
	case c.Name == "":
		return errors.New("catalog needs a name")
	case strings.HasPrefix(c.Location, "s3://") && c.S3 == nil:
		return fmt.Errorf("catalog %s is on S3 and needs the store", c.Name)
	case !strings.HasPrefix(c.Location, "s3://") && !strings.HasPrefix(c.Location, "file://"):
		return fmt.Errorf("catalog %s: location %q is not file:// or s3://", c.Name, c.Location)
	}
	return nil
}
