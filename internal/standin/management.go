package standin

import (
	"net/http"
	"slices"
)

// The part of the management interface that makes a principal with few
// privileges. Everything but reading a catalog is for service_admin here.

// adminOnly is a handler of an operation that only service_admin may do.
func adminOnly(op string, handle handler) handler {
	return func(s *Server, q *request) (*answer, error) {
		if err := q.caller.allowed(nil, op, nil, ""); err != nil {
			return nil, err
		}
		return handle(s, q)
	}
}

func missing(kind, name string) error {
	return refuse(http.StatusNotFound, "NotFoundException", "%s not found: %s", kind, name)
}

func alreadyThere(kind, name, in string) error {
	return refuse(http.StatusConflict, "AlreadyExistsException",
		"Cannot create %s %s%s. %s already exists or resolution failed", kind, name, in, kind)
}

// entity is how principals and roles are told.
type entity struct {
	Name       string            `json:"name"`
	ClientID   string            `json:"clientId,omitempty"`
	Federated  *bool             `json:"federated,omitempty"`
	Properties map[string]string `json:"properties"`
	Created    int64             `json:"createTimestamp"`
	Updated    int64             `json:"lastUpdateTimestamp"`
	Version    int               `json:"entityVersion"`
}

func newEntity(name string, at int64) entity {
	return entity{Name: name, Properties: map[string]string{}, Created: at, Updated: at, Version: 1}
}

func (p *principal) entity() entity {
	e := newEntity(p.name, p.created)
	e.ClientID = p.id
	return e
}

func (r *principalRole) entity() entity {
	e := newEntity(r.name, r.created)
	e.Federated = new(bool)
	return e
}

type principalCreated struct {
	Principal   entity `json:"principal"`
	Credentials struct {
		ClientID     string `json:"clientId"`
		ClientSecret string `json:"clientSecret"`
	} `json:"credentials"`
}

func (s *Server) postPrincipal(q *request) (*answer, error) {
	var body struct {
		Principal struct {
			Name string `json:"name"`
		} `json:"principal"`
	}
	if err := q.decode(&body); err != nil {
		return nil, err
	}
	p, err := s.addPrincipal(body.Principal.Name)
	if err != nil {
		return nil, err
	}
	made := principalCreated{Principal: p.entity()}
	made.Credentials.ClientID, made.Credentials.ClientSecret = p.id, p.secret
	return created(made)
}

func (s *Server) addPrincipal(name string) (*principal, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.principals[name] != nil {
		return nil, alreadyThere("Principal", name, "")
	}
	p := newPrincipal(name)
	s.principals[name] = p
	return p, nil
}

func (s *Server) listPrincipals(q *request) (*answer, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := []entity{}
	for _, p := range s.principals {
		all = append(all, p.entity())
	}
	return ok(map[string]any{"principals": all})
}

func (s *Server) getPrincipal(q *request) (*answer, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p := s.principals[q.path[0]]
	if p == nil {
		return nil, missing("Principal", q.path[0])
	}
	return ok(p.entity())
}

func (s *Server) deletePrincipal(q *request) (*answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.principals[q.path[0]] == nil {
		return nil, missing("Principal", q.path[0])
	}
	delete(s.principals, q.path[0])
	return noContent()
}

func (s *Server) rolesOfPrincipal(q *request) (*answer, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p := s.principals[q.path[0]]
	if p == nil {
		return nil, missing("Principal", q.path[0])
	}
	roles := []entity{}
	for _, name := range p.roles {
		if r := s.roles[name]; r != nil {
			roles = append(roles, r.entity())
		}
	}
	return ok(map[string]any{"roles": roles})
}

type named struct {
	Name string `json:"name"`
}

func (s *Server) postPrincipalRole(q *request) (*answer, error) {
	var body struct {
		Role named `json:"principalRole"`
	}
	if err := q.decode(&body); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.roles[body.Role.Name] != nil {
		return nil, alreadyThere("PrincipalRole", body.Role.Name, "")
	}
	r := &principalRole{name: body.Role.Name, created: now(), catalogRoles: map[string][]string{}}
	s.roles[r.name] = r
	return created(r.entity())
}

func (s *Server) deletePrincipalRole(q *request) (*answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.roles[q.path[0]] == nil {
		return nil, missing("PrincipalRole", q.path[0])
	}
	delete(s.roles, q.path[0])
	return noContent()
}

func (s *Server) assignPrincipalRole(q *request) (*answer, error) {
	var body struct {
		Role named `json:"principalRole"`
	}
	if err := q.decode(&body); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.principals[q.path[0]]
	switch {
	case p == nil:
		return nil, missing("Principal", q.path[0])
	case s.roles[body.Role.Name] == nil:
		return nil, missing("PrincipalRole", body.Role.Name)
	}
	if !slices.Contains(p.roles, body.Role.Name) {
		p.roles = append(p.roles, body.Role.Name)
	}
	return created(nil)
}

func (s *Server) catalogRolesOfRole(q *request) (*answer, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r, c := s.roles[q.path[0]], s.catalogs[q.path[1]]
	if r == nil || c == nil {
		return nil, missing("PrincipalRole", q.path[0])
	}
	roles := []entity{}
	for _, name := range r.catalogRoles[c.Name] {
		if held := c.roles[name]; held != nil {
			roles = append(roles, newEntity(held.name, held.created))
		}
	}
	return ok(map[string]any{"roles": roles})
}

func (s *Server) assignCatalogRole(q *request) (*answer, error) {
	var body struct {
		Role named `json:"catalogRole"`
	}
	if err := q.decode(&body); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, c := s.roles[q.path[0]], s.catalogs[q.path[1]]
	switch {
	case r == nil:
		return nil, missing("PrincipalRole", q.path[0])
	case c == nil || c.roles[body.Role.Name] == nil:
		return nil, missing("CatalogRole", q.path[1]+"."+body.Role.Name)
	}
	if !slices.Contains(r.catalogRoles[c.Name], body.Role.Name) {
		r.catalogRoles[c.Name] = append(r.catalogRoles[c.Name], body.Role.Name)
	}
	return created(nil)
}
