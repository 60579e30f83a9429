package storage

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrOutside is what an [*OutsideError] is.
var ErrOutside = errors.New("outside the allowed locations")

// OutsideError is the answer to a location that a [Guard] does not allow.
type OutsideError struct {
	// Location was asked for.
	Location Location
	// Allowed lists what the guard allows.
	Allowed []Location
	// Detail says more where it helps, for instance that a symbolic link leaves
	// the folder; else it is empty.
	Detail string
}

func (e *OutsideError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s is outside the allowed locations", e.Location)
	if e.Detail != "" {
		fmt.Fprintf(&b, " (%s)", e.Detail)
	}
	if len(e.Allowed) == 0 {
		b.WriteString(": none is allowed")
		return b.String()
	}
	b.WriteString(": allowed is what lies below ")
	const shown = 8
	for i, l := range e.Allowed[:min(len(e.Allowed), shown)] {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(l.String())
	}
	if n := len(e.Allowed) - shown; n > 0 {
		fmt.Fprintf(&b, " and %d more", n)
	}
	return b.String()
}

// Is makes errors.Is(err, ErrOutside) true.
func (e *OutsideError) Is(target error) bool { return target == ErrOutside }

// Guard holds the locations that may be touched. It does not change after it
// was made and is safe for many goroutines. A nil Guard allows nothing.
//
// The locations of [NewGuard] are trusted: they come from a configuration. What
// a job or a table names is to be given to [Guard.Narrow], so that on local
// disks a symbolic link on the way to it is refused.
type Guard struct {
	allowed []allowedLocation
}

// allowedLocation is one location of a guard. anchor is the configured location
// from which it was narrowed: local files are opened relative to it, so that a
// symbolic link below it is never trusted.
type allowedLocation struct {
	location, anchor Location
}

// NewGuard allows what lies below the locations. The root of the local file
// system is refused; a whole bucket is allowed. Errors are those of [Parse].
func NewGuard(locations ...string) (*Guard, error) {
	parsed, err := parseRoots(locations)
	if err != nil {
		return nil, err
	}
	g := &Guard{}
	for _, l := range parsed {
		g.allowed = append(g.allowed, allowedLocation{location: l, anchor: l})
	}
	return g, nil
}

func parseRoots(locations []string) ([]Location, error) {
	parsed := make([]Location, 0, len(locations))
	for _, uri := range locations {
		l, err := Parse(uri)
		if err != nil {
			return nil, err
		}
		switch {
		case l.dotted():
			return nil, &LocationError{URI: uri, Detail: `it has a "." or ".." segment`, Reason: ErrInvalidLocation}
		case l.Scheme == "file" && strings.Trim(l.Key, "/") == "":
			return nil, &LocationError{URI: uri, Detail: "the whole file system cannot be allowed", Reason: ErrInvalidLocation}
		}
		parsed = append(parsed, l)
	}
	return parsed, nil
}

// Check gives nil when l lies below an allowed location, else an
// [*OutsideError].
func (g *Guard) Check(l Location) error {
	if _, ok := g.find(l); ok {
		return nil
	}
	return g.outside(l)
}

func (g *Guard) outside(l Location) *OutsideError {
	e := &OutsideError{Location: l, Allowed: g.Locations()}
	if l.dotted() {
		e.Detail = `its key has a "." or ".." segment`
	}
	return e
}

// find gives the allowed location that l lies below.
func (g *Guard) find(l Location) (allowedLocation, bool) {
	if g != nil {
		for _, a := range g.allowed {
			if l.Within(a.location) {
				return a, true
			}
		}
	}
	return allowedLocation{}, false
}

// findFolder is find, but an allowed location itself counts too: it may be
// listed, although it is not an object below itself.
func (g *Guard) findFolder(l Location) (allowedLocation, bool) {
	if g != nil && !l.dotted() {
		for _, a := range g.allowed {
			if l.Same(a.location) || l.Within(a.location) {
				return a, true
			}
		}
	}
	return allowedLocation{}, false
}

// configured says whether l is one of the locations that the guard goes back to.
func (g *Guard) configured(l Location) bool {
	return slices.ContainsFunc(g.allowed, func(a allowedLocation) bool { return l.Same(a.anchor) })
}

// Narrow gives a guard that allows only what both allow: each of the locations
// that lies inside an allowed one, and each allowed one that lies inside one of
// the locations. A location that shares nothing with g adds nothing, so that
// the guard may end up allowing nothing at all. Errors are those of [Parse].
func (g *Guard) Narrow(locations ...string) (*Guard, error) {
	parsed, err := parseRoots(locations)
	if err != nil {
		return nil, err
	}
	narrow := &Guard{}
	for _, l := range parsed {
		if a, ok := g.findFolder(l); ok {
			narrow.add(allowedLocation{location: l, anchor: a.anchor})
			continue
		}
		if g == nil {
			continue
		}
		for _, a := range g.allowed {
			if a.location.Within(l) {
				narrow.add(a)
			}
		}
	}
	return narrow, nil
}

func (g *Guard) add(a allowedLocation) {
	for _, b := range g.allowed {
		if a.location.Same(b.location) {
			return
		}
	}
	g.allowed = append(g.allowed, a)
}

// Locations lists what is allowed, in the order given.
func (g *Guard) Locations() []Location {
	if g == nil {
		return nil
	}
	list := make([]Location, len(g.allowed))
	for i, a := range g.allowed {
		list[i] = a.location
	}
	return list
}
