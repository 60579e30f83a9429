package standin

import (
	"crypto/rand"
	"net/http"
	"slices"
	"strings"
	"time"
)

// principal is a user or a service.
type principal struct {
	name, id, secret string
	created          int64 // milliseconds, as the server tells it
	roles            []string
}

// principalRole is what a token's scope names; it holds roles of catalogs.
type principalRole struct {
	name         string
	created      int64
	catalogRoles map[string][]string // by catalog
}

// catalogRole holds grants.
type catalogRole struct {
	name    string
	created int64
	grants  []grant
}

// grant is a privilege on a catalog, a namespace or a table.
type grant struct {
	Type      string   `json:"type"`
	Namespace []string `json:"namespace,omitempty"`
	TableName string   `json:"tableName,omitempty"`
	ViewName  string   `json:"viewName,omitempty"`
	Privilege string   `json:"privilege"`
}

func (g grant) equals(o grant) bool {
	return g.Type == o.Type && g.Privilege == o.Privilege && g.TableName == o.TableName &&
		g.ViewName == o.ViewName && slices.Equal(g.Namespace, o.Namespace)
}

// covers is true when the grant counts for a target: its own level or one above.
func (g grant) covers(namespace []string, name string) bool {
	switch g.Type {
	case "catalog":
		return true
	case "namespace":
		return len(namespace) >= len(g.Namespace) && slices.Equal(namespace[:len(g.Namespace)], g.Namespace)
	case "table":
		return name == g.TableName && slices.Equal(namespace, g.Namespace)
	}
	return false
}

// serviceAdmin is the role that may do everything here. On the real server its
// owner first has to be given CATALOG_MANAGE_CONTENT on each catalog.
const serviceAdmin = "service_admin"

func now() int64 { return time.Now().UnixMilli() }

func (s *Server) addRoot() {
	s.roles[serviceAdmin] = &principalRole{name: serviceAdmin, created: now(), catalogRoles: map[string][]string{}}
	s.principals[RootID] = &principal{name: RootID, id: RootID, secret: RootSecret, created: now(), roles: []string{serviceAdmin}}
}

// authenticate gives the name of the principal whose id and secret these are.
func (s *Server) authenticate(id, secret string) (name string, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, p := range s.principals {
		if p.id == id && p.secret == secret {
			return p.name, true
		}
	}
	return "", false
}

func newPrincipal(name string) *principal {
	return &principal{
		name: name, created: now(),
		id: strings.ToLower(rand.Text()[:16]), secret: strings.ToLower(rand.Text()),
	}
}

// caller is a principal with the roles that a token activates.
type caller struct {
	server *Server
	name   string
	roles  []string
}

// caller gives nil when there is no such principal any more, and when the token's
// scope names a role that it does not have: such a token is handed out, and no call
// takes it.
func (s *Server) caller(name string, only []string) *caller {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p := s.principals[name]
	if p == nil {
		return nil
	}
	if only == nil {
		return &caller{server: s, name: name, roles: slices.Clone(p.roles)}
	}
	for _, role := range only {
		if !slices.Contains(p.roles, role) {
			return nil
		}
	}
	return &caller{server: s, name: name, roles: only}
}

// allowed refuses, in the words of the server, unless the roles of the caller
// have all the privileges that the operation needs.
func (c *caller) allowed(in *catalog, op string, namespace []string, name string) error {
	s := c.server
	s.mu.RLock()
	defer s.mu.RUnlock()
	if slices.Contains(c.roles, serviceAdmin) {
		return nil
	}
	via := slices.Clone(c.roles)
	var held []string
	for _, role := range c.roles {
		r := s.roles[role]
		if r == nil || in == nil {
			continue
		}
		for _, catalogRole := range r.catalogRoles[in.Name] {
			via = append(via, catalogRole)
			held = append(held, in.roles[catalogRole].grantsOn(namespace, name)...)
		}
	}
	if op != "" && sufficient(op, held) {
		return nil
	}
	return refuse(http.StatusForbidden, "ForbiddenException",
		"Principal '%s' with activated PrincipalRoles '[%s]' and activated grants via '[%s]' is not authorized for op %s",
		c.name, strings.Join(c.roles, ", "), strings.Join(via, ", "), op)
}

func (r *catalogRole) grantsOn(namespace []string, name string) []string {
	if r == nil {
		return nil
	}
	var held []string
	for _, g := range r.grants {
		if g.covers(namespace, name) {
			held = append(held, g.Privilege)
		}
	}
	return held
}

// may tells whether allowed would let the operation pass.
func (c *caller) may(in *catalog, op string, namespace []string, name string) bool {
	return c.allowed(in, op, namespace, name) == nil
}
