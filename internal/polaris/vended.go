package polaris

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"deckhand/internal/storage"
)

// Stores opens the table's storage with the credentials that came with a load; they
// are renewed while the stores are in use. Where the catalog vends none, those of
// base serve. Without locations in base, the table's own are what may be read. The
// error wraps ErrNotCovered when a location of the table has no credentials.
func (c *Client) Stores(_ context.Context, id Identifier, loaded *Loaded, base storage.Config, limiters *storage.Limiters) (*storage.Stores, error) {
	if len(base.Locations) == 0 {
		base.Locations = loaded.Metadata.Locations()
	}
	if len(everywhere(loaded)) > 0 {
		vended := newVended(c, id.clone(), loaded, base)
		if err := vended.covers(loaded.Metadata.Locations()); err != nil {
			return nil, fmt.Errorf("open storage of table %s: %w", id, err)
		}
		base.Vended = vended
	}
	stores, err := storage.NewStores(base, limiters)
	if err != nil {
		return nil, fmt.Errorf("open storage of table %s: %w", id, err)
	}
	return stores, nil
}

// delegation is the header that asks for credentials.
const (
	delegation        = "X-Iceberg-Access-Delegation"
	vendedCredentials = "vended-credentials"
)

// vendsNothing is how Polaris says that the catalog's store has no temporary keys
// (stsUnavailable): an error, and only to who asks for them.
func vendsNothing(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == http.StatusBadRequest && strings.Contains(e.Message, "Credential vending was requested")
}

// Keys of vended configurations, as Iceberg's Java library names them.
const (
	keyAccessKey = "s3.access-key-id"
	keySecretKey = "s3.secret-access-key"
	keyToken     = "s3.session-token"
	keyExpires   = "s3.session-token-expires-at-ms"

	keyGCSToken   = "gcs.oauth2.token"
	keyGCSExpires = "gcs.oauth2.token-expires-at"

	// Both may be followed by a dot and the account, or its host.
	keySAS        = "adls.sas-token"
	keySASExpires = "adls.sas-token-expires-at-ms"
)
