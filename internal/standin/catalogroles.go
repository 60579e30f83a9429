package standin

import (
	"encoding/json"
	"slices"
)

func (s *Server) postCatalogRole(q *request) (*answer, error) {
	var body struct {
		Role named `json:"catalogRole"`
	}
	if err := q.decode(&body); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.catalogs[q.path[0]]
	switch {
	case c == nil:
		return nil, missing("Catalog", q.path[0])
	case c.roles[body.Role.Name] != nil:
		return nil, alreadyThere("CatalogRole", body.Role.Name, " in "+c.Name)
	}
	r := &catalogRole{name: body.Role.Name, created: now()}
	c.roles[r.name] = r
	return created(newEntity(r.name, r.created))
}

func (s *Server) deleteCatalogRole(q *request) (*answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.catalogRole(q); err != nil {
		return nil, err
	}
	delete(s.catalogs[q.path[0]].roles, q.path[1])
	return noContent()
}

// catalogRole finds the role that the path names. The caller holds the lock.
func (s *Server) catalogRole(q *request) (*catalogRole, error) {
	c := s.catalogs[q.path[0]]
	if c == nil {
		return nil, missing("Catalog", q.path[0])
	}
	r := c.roles[q.path[1]]
	if r == nil {
		return nil, missing("CatalogRole", q.path[0]+"."+q.path[1])
	}
	return r, nil
}

func (s *Server) listGrants(q *request) (*answer, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r, err := s.catalogRole(q)
	if err != nil {
		return nil, err
	}
	return ok(map[string]any{"grants": notNil(slices.Clone(r.grants))})
}

// readGrant takes both {"grant": {...}} and, as guides send it, the inner object
// alone.
func (q *request) readGrant() (grant, error) {
	var body struct {
		Grant json.RawMessage `json:"grant"`
	}
	if err := q.decode(&body); err != nil {
		return grant{}, err
	}
	inner := body.Grant
	if inner == nil {
		inner = q.body
	}
	var g grant
	if err := json.Unmarshal(inner, &g); err != nil || !privilegeExists(g.Privilege) {
		return grant{}, misshapen()
	}
	return g, nil
}

func (s *Server) addGrant(q *request) (*answer, error) {
	return s.changeGrants(q, func(r *catalogRole, g grant) {
		if !slices.ContainsFunc(r.grants, g.equals) {
			r.grants = append(r.grants, g)
		}
	})
}

func (s *Server) revokeGrant(q *request) (*answer, error) {
	return s.changeGrants(q, func(r *catalogRole, g grant) { r.grants = slices.DeleteFunc(r.grants, g.equals) })
}

func (s *Server) changeGrants(q *request, change func(*catalogRole, grant)) (*answer, error) {
	g, err := q.readGrant()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.catalogRole(q)
	if err != nil {
		return nil, err
	}
	change(r, g)
	return created(nil)
}
