package polaris

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
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
	// renewEarly is how long before their end keys are not handed out any more, at
	// most a fifth of what they last.
	renewEarly = 5 * time.Minute
)

// vended hands out the keys of one table.
//
// As in Iceberg's Java library the longest prefix counts, and the keys in the
// table's config serve for what no prefix is for: Polaris names the table's
// location alone as prefix of keys that are good for its other locations too.
type vended struct {
	client *Client
	id     Identifier
	// config came with the load: endpoint, region and the like.
	config map[string]string
	base   storage.S3Config
	turn   chan struct{} // holds one element while nobody renews

	mu sync.Mutex
	// places, those with the longest prefix first.
	places []place
}

var _ storage.Vended = (*vended)(nil)

// place is where a credential is for.
type place struct {
	prefix string
	root   storage.Location // zero: for all of scheme, or for everything without a prefix
	scheme string
	cfg    storage.S3Config // without keys
	keys   storage.S3Credentials
	// renew is when other keys are to be asked for; zero: never.
	renew time.Time
}

func newVended(c *Client, id Identifier, loaded *Loaded, base storage.S3Config) *vended {
	v := &vended{client: c, id: id, config: loaded.Config, base: base, turn: make(chan struct{}, 1)}
	v.turn <- struct{}{}
	v.take(everywhere(loaded))
	return v
}

// everywhere are the credentials of a load that have keys of S3, with those of its
// config, which have no prefix.
func everywhere(loaded *Loaded) []Credential {
	all := slices.DeleteFunc(slices.Clone(loaded.Credentials), func(c Credential) bool { return c.Config[keyAccessKey] == "" })
	if loaded.Config[keyAccessKey] != "" {
		all = append(all, Credential{Config: loaded.Config})
	}
	return all
}

func (v *vended) take(credentials []Credential) {
	now := v.client.cfg.Now()
	places := make([]place, 0, len(credentials))
	for _, c := range credentials {
		p := place{prefix: c.Prefix, cfg: v.settings(c), keys: keysOf(c, now)}
		if scheme, _, _ := strings.Cut(c.Prefix, ":"); scheme == "s3" || scheme == "s3a" || scheme == "s3n" {
			// It may be a scheme alone, as Iceberg's Java library has it.
			if strings.Trim(c.Prefix[len(scheme):], ":/") == "" {
				p.scheme = "s3"
			}
		}
		p.root, _ = storage.Parse(strings.TrimRight(c.Prefix, "/"))
		if end := p.keys.Expires; !end.IsZero() {
			p.renew = end.Add(-min(renewEarly, end.Sub(now)/5))
		}
		places = append(places, p)
	}
	slices.SortStableFunc(places, func(a, b place) int { return cmp.Compare(len(b.prefix), len(a.prefix)) })
	v.mu.Lock()
	defer v.mu.Unlock()
	v.places = places
}

// settings are what is told with the load, overlaid by what comes with the keys,
// and else those of the configuration.
func (v *vended) settings(c Credential) storage.S3Config {
	merged := map[string]string{}
	maps.Copy(merged, v.config)
	maps.Copy(merged, c.Config)
	cfg := storage.S3Config{
		Endpoint: cmp.Or(merged["s3.endpoint"], v.base.Endpoint), PathStyle: v.base.PathStyle,
		Region: cmp.Or(merged["client.region"], merged["s3.region"], v.base.Region),
	}
	if text, set := merged["s3.path-style-access"]; set {
		cfg.PathStyle = text == "true"
	}
	return cfg
}

// covers makes sure, before anything is done, that each location has credentials.
func (v *vended) covers(locations []string) error {
	for _, text := range locations {
		l, err := storage.Parse(text)
		if err != nil {
			return err
		}
		if _, err := v.find(l); l.Scheme == "s3" && err != nil {
			return err
		}
	}
	return nil
}

// S3 implements [storage.Vended].
func (v *vended) S3(l storage.Location) (string, storage.S3Config, error) {
	found, err := v.find(l)
	if err != nil {
		return "", storage.S3Config{}, err
	}
	found.cfg.Renew = func(ctx context.Context) (storage.S3Credentials, error) { return v.keysFor(ctx, l) }
	return found.prefix, found.cfg, nil
}

func (p place) covers(l storage.Location) bool {
	switch {
	case p.prefix == "":
		return true
	case p.scheme != "":
		return l.Scheme == p.scheme
	}
	return p.root.Scheme != "" && (l.Within(p.root) || l.Same(p.root))
}

// find the place with the longest prefix. Whole steps of a path are compared.
func (v *vended) find(l storage.Location) (place, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, p := range v.places {
		if p.covers(l) {
			return p, nil
		}
	}
	prefixes := make([]string, len(v.places))
	for i, p := range v.places {
		prefixes[i] = p.prefix
	}
	return place{}, &coverError{location: l, prefixes: prefixes}
}

// keysFor a location that last for a while, renewed if need be.
func (v *vended) keysFor(ctx context.Context, l storage.Location) (storage.S3Credentials, error) {
	select {
	case <-v.turn:
	case <-ctx.Done():
		return storage.S3Credentials{}, context.Cause(ctx)
	}
	defer func() { v.turn <- struct{}{} }()
	found, err := v.find(l)
	now := v.client.cfg.Now()
	if err != nil || found.renew.IsZero() || now.Before(found.renew) {
		return found.keys, err
	}
	serves := now.Before(found.keys.Expires)
	if serves {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, renewPatience)
		defer cancel()
	}
	fresh, err := v.renew(ctx)
	if err != nil {
		if serves {
			v.postpone(now)
			v.client.cfg.Logger.WarnContext(ctx, "the table's credentials were not renewed, the old ones still serve", slog.Any("error", err))
			return found.keys, nil
		}
		return storage.S3Credentials{}, fmt.Errorf("renew credentials: %w", err)
	}
	v.take(fresh)
	found, err = v.find(l)
	return found.keys, err
}

// postpone the renewal of keys that serve for half of what they have left, so that
// not each request asks a catalog that is away.
func (v *vended) postpone(now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for i := range v.places {
		if p := &v.places[i]; !p.renew.IsZero() && now.Before(p.keys.Expires) {
			p.renew = now.Add(p.keys.Expires.Sub(now) / 2)
		}
	}
}

// renew asks for fresh credentials; by loading the table where there is no address
// for them, or where it does not tell those that have no prefix.
func (v *vended) renew(ctx context.Context) ([]Credential, error) {
	fresh, err := v.client.Credentials(ctx, v.id)
	if err == nil {
		if all, complete := v.complete(everywhere(&Loaded{Credentials: fresh})); complete {
			return all, nil
		}
	}
	loaded, loadErr := v.client.Load(ctx, v.id, LoadOptions{Vend: true})
	if loadErr != nil {
		return nil, cmp.Or(err, loadErr)
	}
	if all := everywhere(loaded); len(all) > 0 {
		return all, nil
	}
	return nil, fmt.Errorf("%w: the catalog vends none any more", ErrNotCovered)
}

// complete adds to fresh credentials those without a prefix: they are the ones of
// the prefix that had the same keys before.
func (v *vended) complete(fresh []Credential) ([]Credential, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(fresh) == 0 {
		return nil, false
	}
	last := v.places[len(v.places)-1]
	if last.prefix != "" || fresh[len(fresh)-1].Prefix == "" {
		return fresh, true
	}
	for _, p := range v.places {
		for _, c := range fresh {
			if p.prefix == c.Prefix && p.keys.AccessKeyID == last.keys.AccessKeyID && p.keys.SessionToken == last.keys.SessionToken {
				return append(slices.Clip(fresh), Credential{Config: c.Config}), true
			}
		}
	}
	return nil, false
}

func keysOf(c Credential, now time.Time) storage.S3Credentials {
	keys := storage.S3Credentials{
		AccessKeyID: c.Config[keyAccessKey], SecretAccessKey: c.Config[keySecretKey], SessionToken: c.Config[keyToken],
	}
	if ms, err := strconv.ParseInt(c.Config[keyExpires], 10, 64); err == nil {
		keys.Expires = time.UnixMilli(ms)
	} else if keys.SessionToken != "" {
		keys.Expires = now.Add(untoldLife)
	}
	return keys
}

// coverError is ErrNotCovered, and ErrRejected.
type coverError struct {
	location storage.Location
	prefixes []string
}

func (e *coverError) Error() string {
	return fmt.Sprintf("%v: %s lies outside of %s; let the catalog allow the location, or keep the table's files below the others",
		ErrNotCovered, e.location, strings.Join(e.prefixes, ", "))
}

func (e *coverError) Is(target error) bool { return target == ErrNotCovered || target == ErrRejected }
