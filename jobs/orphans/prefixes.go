package orphans

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"deckhand/internal/storage"
)

// sameSchemes always mean the same, whatever the settings say: they are one store.
var sameSchemes = map[string]string{"s3a": "s3", "s3n": "s3", "abfs": "abfss", "wasbs": "abfss", "wasb": "abfss"}

// oneHost gives an account of Azure one name, of the two that its services have.
func oneHost(scheme, authority string) string {
	if sameSchemes[scheme] == "abfss" || scheme == "abfss" {
		if l, err := storage.Parse(scheme + "://" + authority); err == nil {
			return lower(l.Bucket)
		}
	}
	return authority
}

// classes puts names that mean the same under one name. Pairs are equations, not
// replacements: s3=s3a says the same as s3a=s3.
type classes map[string]string

func newClasses(pairs ...map[string]string) classes {
	c := classes{}
	for _, of := range pairs {
		for _, a := range slices.Sorted(maps.Keys(of)) {
			x, y := c.of(lower(a)), c.of(lower(of[a]))
			if x == y {
				continue
			}
			for name, class := range c {
				if class == x {
					c[name] = y
				}
			}
			c[x], c[y] = y, y
		}
	}
	return c
}

func (c classes) of(name string) string {
	if class, found := c[name]; found {
		return class
	}
	return name
}

// prefixID stands for a scheme and authority. The ids of a run end at
// anyPrefix, which stands for all further ones and is like every other.
type prefixID uint8

const anyPrefix prefixID = 255

// prefix is a scheme and authority after the settings' equalities.
type prefix struct{ scheme, authority string }

func (p prefix) String() string { return p.scheme + "://" + p.authority }

// prefixes numbers the schemes and authorities that a run meets. It is safe for
// many goroutines.
type prefixes struct {
	schemes, authorities classes

	mu    sync.RWMutex
	raw   map[prefix]prefixID // by their spelling
	ids   map[prefix]prefixID // by their class
	known []prefix
}

func newPrefixes(schemes, authorities map[string]string) *prefixes {
	return &prefixes{
		schemes: newClasses(sameSchemes, schemes), authorities: newClasses(authorities),
		raw: map[prefix]prefixID{}, ids: map[prefix]prefixID{},
	}
}

// id is the number of a scheme and authority, whatever their case: also a listing
// may have capital letters, in names of buckets that only some stores allow.
func (p *prefixes) id(scheme, authority string) prefixID {
	spelled := prefix{lower(scheme), lower(authority)}
	p.mu.RLock()
	id, found := p.raw[spelled]
	p.mu.RUnlock()
	if found {
		return id
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	class := prefix{p.schemes.of(spelled.scheme), p.authorities.of(oneHost(spelled.scheme, spelled.authority))}
	id, found = p.ids[class]
	if !found {
		if len(p.known) == int(anyPrefix) {
			return anyPrefix
		}
		id = prefixID(len(p.known))
		// Not substrings of a path that may be long.
		class = prefix{strings.Clone(class.scheme), strings.Clone(class.authority)}
		p.known = append(p.known, class)
		p.ids[class] = id
	}
	if len(p.raw) < 1<<12 {
		p.raw[prefix{strings.Clone(spelled.scheme), strings.Clone(spelled.authority)}] = id
	}
	return id
}

// isS3 says whether a scheme means S3, by the settings too.
func (p *prefixes) isS3(scheme string) bool { return p.schemes.of(scheme) == p.schemes.of("s3") }

func (p *prefixes) get(id prefixID) prefix {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if id == anyPrefix {
		return prefix{}
	}
	return p.known[id]
}

// same says whether a name of the metadata may mean a listed one. What the
// metadata leaves out may be anything, as in Iceberg's DeleteOrphanFiles.
func (p *prefixes) same(named, listed prefixID) bool {
	if named == listed || named == anyPrefix {
		return true
	}
	n, l := p.get(named), p.get(listed)
	return (n.scheme == "" || n.scheme == l.scheme) && (n.authority == "" || n.authority == l.authority)
}
