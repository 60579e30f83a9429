package standin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/apache/iceberg-go/table"
)

// Table names a table, a view or a generic table, catalog and all.
type Table struct {
	Catalog   string
	Namespace []string
	Name      string
}

// MaintenanceGrants are the privileges that a maintenance principal needs on a
// catalog, and no more: see the README. They can do without the last.
var MaintenanceGrants = []string{"TABLE_WRITE_DATA", "NAMESPACE_LIST", "VIEW_READ_PROPERTIES"}

func (s *Server) mustCatalog(name string) (*catalog, error) {
	if c := s.catalog(name); c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("no catalog %s", name)
}

// CreateNamespace makes a namespace and all above it that are missing.
func (s *Server) CreateNamespace(catalog string, namespace ...string) error {
	c, err := s.mustCatalog(catalog)
	if err != nil {
		return err
	}
	for i := range namespace {
		exists, err := c.hasNamespace(context.Background(), namespace[:i+1])
		if err != nil {
			return err
		}
		if exists {
			continue
		}
		if _, err := c.addNamespace(context.Background(), namespace[:i+1], nil); err != nil {
			return err
		}
	}
	return nil
}

// CreatePrincipal makes a principal with a role of its own that has the privileges
// on the whole catalog. The answer is "client_id:client_secret".
func (s *Server) CreatePrincipal(name, catalog string, privileges ...string) (credential string, err error) {
	c, err := s.mustCatalog(catalog)
	if err != nil {
		return "", err
	}
	p, err := s.addPrincipal(name)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	role, catalogRoleName := name+"_role", name+"_cr"
	held := &catalogRole{name: catalogRoleName, created: now()}
	for _, privilege := range privileges {
		held.grants = append(held.grants, grant{Type: "catalog", Privilege: privilege})
	}
	c.roles[catalogRoleName] = held
	s.roles[role] = &principalRole{name: role, created: now(), catalogRoles: map[string][]string{catalog: {catalogRoleName}}}
	p.roles = append(p.roles, role)
	return p.id + ":" + p.secret, nil
}

// Register adds a table whose metadata file exists already, namespaces and all.
// The file is not read and may lie anywhere, so that thousands of tables can be
// made quickly.
func (s *Server) Register(ctx context.Context, t Table, metadataLocation string) error {
	if err := s.CreateNamespace(t.Catalog, t.Namespace...); err != nil {
		return err
	}
	inserted, err := s.rows.insert(ctx, t, metadataLocation)
	if err == nil && !inserted {
		err = refuse(http.StatusConflict, "AlreadyExistsException", "Table already exists: %s", dotted(t.Namespace, t.Name))
	}
	return err
}

// MetadataLocation of the table as it is now; "" when there is none.
func (s *Server) MetadataLocation(ctx context.Context, t Table) string {
	location, err := s.rows.location(ctx, t)
	if err != nil {
		return ""
	}
	return location
}

// Commit changes a table as a client's request would, but past faults, counters
// and privileges: the other writer of a race. It is tried once; the errors are
// those that a client sees, as [*Refusal].
func (s *Server) Commit(ctx context.Context, t Table, requirements []table.Requirement, updates []table.Update) error {
	c, err := s.mustCatalog(t.Catalog)
	if err != nil {
		return err
	}
	location, err := s.rows.location(ctx, t)
	if err != nil {
		return err
	}
	if location == "" {
		return noTable(t.Namespace, t.Name)
	}
	ch, err := encodeChange(requirements, updates)
	if err != nil {
		return err
	}
	_, err = s.commit(ctx, c, &found{t, location}, ch)
	return err
}

func encodeChange(requirements []table.Requirement, updates []table.Update) (change, error) {
	asserted, err := encodeEach(requirements)
	if err != nil {
		return change{}, err
	}
	changes, err := encodeEach(updates)
	if err != nil {
		return change{}, err
	}
	return newChange(asserted, changes)
}

func encodeEach[T any](all []T) ([]json.RawMessage, error) {
	raw := make([]json.RawMessage, len(all))
	for i := range all {
		data, err := json.Marshal(all[i])
		if err != nil {
			return nil, fmt.Errorf("encode commit: %w", err)
		}
		raw[i] = data
	}
	return raw, nil
}

// AddView puts a view where a maintenance client must not take it for a table. The
// namespace is made when it is missing.
func (s *Server) AddView(t Table) error {
	if err := s.CreateNamespace(t.Catalog, t.Namespace...); err != nil {
		return err
	}
	c, err := s.mustCatalog(t.Catalog)
	if err != nil {
		return err
	}
	base, err := c.location(context.Background(), t.Namespace)
	if err != nil {
		return err
	}
	v := newView(base+"/"+t.Name, json.RawMessage(`{"type":"struct","schema-id":0,"fields":[]}`), json.RawMessage(`{"version-id":1}`), nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	c.views[key(t.Namespace, t.Name)] = v
	return nil
}

// AddGenericTable adds a table of another format, such as "delta". The namespace
// is made when it is missing.
func (s *Server) AddGenericTable(t Table, format string) error {
	return s.addGenericTable(t, &genericTable{Name: t.Name, Format: format})
}

// AddGenericTableAt is AddGenericTable for one that says where it lies.
func (s *Server) AddGenericTableAt(t Table, format, location string) error {
	return s.addGenericTable(t, &genericTable{Name: t.Name, Format: format, Location: &location})
}

func (s *Server) addGenericTable(t Table, g *genericTable) error {
	if err := s.CreateNamespace(t.Catalog, t.Namespace...); err != nil {
		return err
	}
	c, err := s.mustCatalog(t.Catalog)
	if err != nil {
		return err
	}
	return s.addGeneric(context.Background(), c, t.Namespace, g)
}

func (s *Server) addGeneric(ctx context.Context, c *catalog, levels []string, g *genericTable) error {
	kind, err := s.taken(ctx, c, Table{c.Name, levels, g.Name})
	if err != nil {
		return err
	}
	if kind != "" {
		return refuse(http.StatusConflict, "AlreadyExistsException", "%s already exists: %s", kind, dotted(levels, g.Name))
	}
	if g.Properties == nil {
		g.Properties = map[string]string{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c.generic[key(levels, g.Name)] = g
	return nil
}

// Policy is a policy and where it is kept.
type Policy struct {
	Catalog   string
	Namespace []string
	Name      string
	// Type is one of PolicyTypes.
	Type        string
	Description string
	// Content is JSON, kept and returned as it was written.
	Content string
}

// PutPolicy creates the policy or replaces its content, without checking it: a
// content that the interface refuses can be tested too. The namespace is made when
// it is missing.
func (s *Server) PutPolicy(p Policy) error {
	if err := s.CreateNamespace(p.Catalog, p.Namespace...); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, k := s.catalogs[p.Catalog], key(p.Namespace, p.Name)
	kept := &policy{namespace: p.Namespace, name: p.Name, kind: p.Type, content: p.Content}
	if p.Description != "" {
		kept.text = &p.Description
	}
	if old := c.policies[k]; old != nil {
		kept.version = old.version + 1
	}
	c.policies[k] = kept
	return nil
}

// Target is what a policy is attached to: the whole catalog when both are empty,
// a namespace, or a table of it.
type Target struct {
	Namespace []string
	Table     string
}

// Attach puts the policy on the target, which need not exist.
func (s *Server) Attach(p Policy, target Target) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.catalogs[p.Catalog]
	if c == nil || c.policies[key(p.Namespace, p.Name)] == nil {
		return noPolicy(p.Namespace, p.Name)
	}
	return c.attach(c.policies[key(p.Namespace, p.Name)], target)
}

// Detach takes it away, if it was there.
func (s *Server) Detach(p Policy, target Target) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.catalogs[p.Catalog]
	if c == nil {
		return noPolicy(p.Namespace, p.Name)
	}
	c.detach(target.key(), key(p.Namespace, p.Name))
	return nil
}
