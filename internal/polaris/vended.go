package polaris

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"deckhand/internal/storage"
)

const (
	// untoldLife is how long keys with a session token are taken to last when the
	// server does not say.
	untoldLife = 30 * time.Minute
	// renewEarly is how long before their end keys are not handed out any more.
	renewEarly = 5 * time.Minute
)

// Stores opens the table's storage with the credentials that came with a load; they
// are renewed while the stores are in use. Where the catalog vends none, those of
// base serve. Without locations in base, the table's own are what may be read.
func (c *Client) Stores(_ context.Context, id Identifier, loaded *Loaded, base storage.Config, limiters *storage.Limiters) (*storage.Stores, error) {
	if len(base.Locations) == 0 {
		base.Locations = loaded.Metadata.Locations()
	}
	credentials := loaded.Credentials
	if len(credentials) == 0 && loaded.Config[keyAccessKey] != "" { // older servers have them only here
		credentials = []Credential{{Config: loaded.Config}}
	}
	if len(credentials) > 0 {
		base.Vended = newVended(c, id.clone(), loaded.Config, credentials, base.S3)
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
)

// vended hands out the keys of one table.
type vended struct {
	client *Client
	id     Identifier
	// config came with the load: endpoint, region and the like.
	config map[string]string
	base   storage.S3Config
	turn   chan struct{} // holds one element while nobody renews

	mu sync.Mutex
	// credentials, those with the longest prefix first.
	credentials []Credential
	took        time.Time
}

var _ storage.Vended = (*vended)(nil)

func newVended(c *Client, id Identifier, config map[string]string, credentials []Credential, base storage.S3Config) *vended {
	v := &vended{client: c, id: id, config: config, base: base, turn: make(chan struct{}, 1)}
	v.turn <- struct{}{}
	v.take(credentials)
	return v
}

func (v *vended) take(credentials []Credential) {
	sorted := slices.Clone(credentials)
	slices.SortStableFunc(sorted, func(a, b Credential) int { return cmp.Compare(len(b.Prefix), len(a.Prefix)) })
	v.mu.Lock()
	defer v.mu.Unlock()
	v.credentials, v.took = sorted, v.client.cfg.Now()
}

// S3 implements [storage.Vended].
func (v *vended) S3(l storage.Location) (string, storage.S3Config, error) {
	found, _, err := v.find(l)
	if err != nil {
		return "", storage.S3Config{}, err
	}
	merged := maps.Clone(v.config)
	if merged == nil {
		merged = map[string]string{}
	}
	maps.Copy(merged, found.Config)
	cfg := storage.S3Config{
		Endpoint: cmp.Or(merged["s3.endpoint"], v.base.Endpoint), PathStyle: v.base.PathStyle,
		Region: cmp.Or(merged["client.region"], merged["s3.region"], v.base.Region),
		Renew:  func(ctx context.Context) (storage.S3Credentials, error) { return v.keys(ctx, l) },
	}
	if text, set := merged["s3.path-style-access"]; set {
		cfg.PathStyle = text == "true"
	}
	return found.Prefix, cfg, nil
}

// find the credential with the longest prefix, and when it was had.
func (v *vended) find(l storage.Location) (Credential, time.Time, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	var prefixes []string
	for _, c := range v.credentials {
		if covers(c.Prefix, l) {
			return c, v.took, nil
		}
		prefixes = append(prefixes, c.Prefix)
	}
	return Credential{}, time.Time{}, fmt.Errorf("%w: %s; the catalog vends for %s", ErrNotCovered, l, strings.Join(prefixes, ", "))
}

// covers compares whole steps of the path; a prefix may also be a scheme alone.
func covers(prefix string, l storage.Location) bool {
	root, err := storage.Parse(strings.TrimRight(prefix, "/"))
	if err != nil {
		return strings.HasPrefix(l.String(), prefix)
	}
	return l.Within(root) || l.Same(root)
}

// keys that last for a while, renewed if need be.
func (v *vended) keys(ctx context.Context, l storage.Location) (storage.S3Credentials, error) {
	select {
	case <-v.turn:
	case <-ctx.Done():
		return storage.S3Credentials{}, context.Cause(ctx)
	}
	defer func() { v.turn <- struct{}{} }()
	found, took, err := v.find(l)
	if err != nil {
		return storage.S3Credentials{}, err
	}
	keys := keysOf(found, took)
	if v.good(keys) {
		return keys, nil
	}
	fresh, err := v.renew(ctx)
	if err != nil {
		if !keys.Expires.IsZero() && v.client.cfg.Now().Before(keys.Expires) {
			return keys, nil // they still serve; the next request asks again
		}
		return storage.S3Credentials{}, fmt.Errorf("renew credentials: %w", err)
	}
	v.take(fresh)
	if found, took, err = v.find(l); err != nil {
		return storage.S3Credentials{}, err
	}
	return keysOf(found, took), nil
}

func (v *vended) good(keys storage.S3Credentials) bool {
	return keys.Expires.IsZero() || v.client.cfg.Now().Add(renewEarly).Before(keys.Expires)
}

// renew asks for fresh credentials, of a server without an address for them by
// loading the table.
func (v *vended) renew(ctx context.Context) ([]Credential, error) {
	fresh, err := v.client.Credentials(ctx, v.id)
	if err == nil && len(fresh) > 0 {
		return fresh, nil
	}
	loaded, loadErr := v.client.Load(ctx, v.id, LoadOptions{Vend: true})
	if loadErr != nil {
		if err != nil {
			return nil, err
		}
		return nil, loadErr
	}
	if len(loaded.Credentials) == 0 && loaded.Config[keyAccessKey] != "" {
		return []Credential{{Config: loaded.Config}}, nil
	}
	return loaded.Credentials, nil
}

func keysOf(c Credential, took time.Time) storage.S3Credentials {
	keys := storage.S3Credentials{
		AccessKeyID: c.Config[keyAccessKey], SecretAccessKey: c.Config[keySecretKey], SessionToken: c.Config[keyToken],
	}
	if ms, err := strconv.ParseInt(c.Config[keyExpires], 10, 64); err == nil {
		keys.Expires = time.UnixMilli(ms)
	} else if keys.SessionToken != "" {
		keys.Expires = took.Add(untoldLife)
	}
	return keys
}
