package polaris

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
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
	base   storage.Config
	turn   chan struct{} // holds one element while nobody renews

	mu sync.Mutex
	// places, those with the longest prefix first.
	places []place
}

var (
	_ storage.Vended      = (*vended)(nil)
	_ storage.VendedGCS   = (*vended)(nil)
	_ storage.VendedAzure = (*vended)(nil)
)

// place is where a credential is for.
type place struct {
	prefix string
	root   storage.Location // zero: for all of scheme, or for everything without a prefix
	scheme string
	// kind is the scheme of the stores that the keys are for.
	kind   string
	merged map[string]string // what is told with the load, overlaid by what comes with the keys
	keys   keys
	// renew is when other keys are to be asked for; zero: never.
	renew time.Time
}

func newVended(c *Client, id Identifier, loaded *Loaded, base storage.Config) *vended {
	v := &vended{client: c, id: id, config: loaded.Config, base: base, turn: make(chan struct{}, 1)}
	v.turn <- struct{}{}
	v.take(everywhere(loaded))
	return v
}

// everywhere are the credentials of a load that have keys of a known store, with
// those of its config, which have no prefix.
func everywhere(loaded *Loaded) []Credential {
	all := slices.DeleteFunc(slices.Clone(loaded.Credentials), func(c Credential) bool { return len(kindsOf(c.Config)) == 0 })
	if len(kindsOf(loaded.Config)) > 0 {
		all = append(all, Credential{Config: loaded.Config})
	}
	return all
}

func (v *vended) take(credentials []Credential) {
	now := v.client.cfg.Now()
	places := make([]place, 0, len(credentials))
	for _, c := range credentials {
		for _, kind := range kindsOf(c.Config) {
			p := place{prefix: c.Prefix, kind: kind, merged: map[string]string{}, keys: keysOf(kind, c.Config, now)}
			maps.Copy(p.merged, v.config)
			maps.Copy(p.merged, c.Config)
			// It may be a scheme alone, as Iceberg's Java library has it.
			if scheme, _, _ := strings.Cut(c.Prefix, ":"); strings.Trim(c.Prefix[len(scheme):], ":/") == "" {
				p.scheme = schemes[scheme]
			}
			p.root, _ = storage.Parse(strings.TrimRight(c.Prefix, "/"))
			if end := p.keys.expires; !end.IsZero() {
				p.renew = end.Add(-min(renewEarly, end.Sub(now)/5))
			}
			places = append(places, p)
		}
	}
	slices.SortStableFunc(places, func(a, b place) int { return cmp.Compare(len(b.prefix), len(a.prefix)) })
	v.mu.Lock()
	defer v.mu.Unlock()
	v.places = places
}

// covers makes sure, before anything is done, that each location has credentials.
func (v *vended) covers(locations []string) error {
	for _, text := range locations {
		l, err := storage.Parse(text)
		if err != nil {
			return err
		}
		if _, err := v.find(l); err != nil && v.vends(l.Scheme) {
			return err
		}
	}
	return nil
}

// vends says whether there are keys for any store of the kind; the configured ones
// serve for the others.
func (v *vended) vends(kind string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.ContainsFunc(v.places, func(p place) bool { return p.kind == kind })
}

func (p place) covers(l storage.Location) bool {
	switch {
	case p.kind != l.Scheme, p.kind == kindAzure && p.keys.sas(l) == "":
		return false
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
func (v *vended) keysFor(ctx context.Context, l storage.Location) (keys, error) {
	select {
	case <-v.turn:
	case <-ctx.Done():
		return keys{}, context.Cause(ctx)
	}
	defer func() { v.turn <- struct{}{} }()
	found, err := v.find(l)
	now := v.client.cfg.Now()
	if err != nil || found.renew.IsZero() || now.Before(found.renew) {
		return found.keys, err
	}
	serves := now.Before(found.keys.expires)
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
		return keys{}, fmt.Errorf("renew credentials: %w", err)
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
		if p := &v.places[i]; !p.renew.IsZero() && now.Before(p.keys.expires) {
			p.renew = now.Add(p.keys.expires.Sub(now) / 2)
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
			if p.prefix == c.Prefix && p.kind == last.kind && p.keys.same(last.keys) {
				return append(slices.Clip(fresh), Credential{Config: c.Config}), true
			}
		}
	}
	return nil, false
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
