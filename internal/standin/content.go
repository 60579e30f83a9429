package standin

import (
	"context"
	"errors"

	"github.com/apache/iceberg-go/table"
)

// Table names a table, a view or a generic table, catalog and all.
type Table struct {
	Catalog   string
	Namespace []string
	Name      string
}

// Grants that a maintenance principal needs, and no more: see the README.
var MaintenanceGrants = []string{"TABLE_WRITE_DATA", "NAMESPACE_LIST"}

// CreateCatalog adds a catalog.
func (s *Server) CreateCatalog(Catalog) error { return errors.ErrUnsupported }

// CreateNamespace makes a namespace and all above it that are missing.
func (s *Server) CreateNamespace(catalog string, namespace ...string) error {
	return errors.ErrUnsupported
}

// CreatePrincipal makes a principal with a role that has the privileges on the
// whole catalog. The answer is "client_id:client_secret".
func (s *Server) CreatePrincipal(name, catalog string, privileges ...string) (credential string, err error) {
	return "", errors.ErrUnsupported
}

// Register adds a table whose metadata file exists already, namespaces and all.
// The file is not read, so that thousands of tables can be made quickly.
func (s *Server) Register(ctx context.Context, t Table, metadataLocation string) error {
	return errors.ErrUnsupported
}

// MetadataLocation of the table as it is now; "" when there is none.
func (s *Server) MetadataLocation(ctx context.Context, t Table) string { return "" }

// Commit changes a table as a client's request would, but past faults, counters
// and privileges: the other writer of a race. The errors are those that a client
// sees, as [*Refusal].
func (s *Server) Commit(ctx context.Context, t Table, requirements []table.Requirement, updates []table.Update) error {
	return errors.ErrUnsupported
}

// Drop removes a table from the catalog and leaves its files.
func (s *Server) Drop(ctx context.Context, t Table) error { return errors.ErrUnsupported }

// Rename moves a table.
func (s *Server) Rename(ctx context.Context, from, to Table) error { return errors.ErrUnsupported }

// AddView and AddGenericTable put a name where a maintenance client must not
// take it for a table.
func (s *Server) AddView(t Table) error { return errors.ErrUnsupported }

// AddGenericTable adds a table of another format, such as "delta".
func (s *Server) AddGenericTable(t Table, format string) error { return errors.ErrUnsupported }

// Policy is a policy as the server keeps it.
type Policy struct {
	// Namespace and Name say where it is kept.
	Catalog   string
	Namespace []string
	Name      string
	// Type is system.snapshot-expiry or the like.
	Type        string
	Description string
	// Content is JSON, kept and returned as it was written.
	Content string
}

// PutPolicy creates the policy or replaces its content. The namespace is made
// when it is missing.
func (s *Server) PutPolicy(Policy) error { return errors.ErrUnsupported }

// Attach puts the policy on the catalog (no path), on a namespace (path ends with
// "") or on a table (path ends with the table's name).
func (s *Server) Attach(p Policy, target Target) error { return errors.ErrUnsupported }

// Detach takes it away.
func (s *Server) Detach(p Policy, target Target) error { return errors.ErrUnsupported }

// Target is what a policy is attached to: the whole catalog when both are empty,
// a namespace, or a table of it.
type Target struct {
	Namespace []string
	Table     string
}

// Refusal is an answer that says no.
type Refusal struct {
	Status int
	// Type is the name of a Java exception, as the server tells it.
	Type    string
	Message string
}

func (r *Refusal) Error() string { return r.Type + ": " + r.Message }
