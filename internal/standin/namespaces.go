package standin

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode"

	"github.com/apache/iceberg-go"
	icebergcatalog "github.com/apache/iceberg-go/catalog"
)

// ctx is for work that goes on although the client left, as it does on a server.
func (q *request) ctx() context.Context { return context.WithoutCancel(q.Context()) }

func noNamespace(namespace []string) error {
	name := strings.Join(namespace, ".")
	if name == "" {
		name = "''"
	}
	return refuse(http.StatusNotFound, "NoSuchNamespaceException", "Namespace does not exist: %s", name)
}

func (c *catalog) hasNamespace(ctx context.Context, namespace []string) (bool, error) {
	if len(namespace) == 0 {
		return true, nil
	}
	return c.tables.CheckNamespaceExists(ctx, namespace)
}

// inNamespace refuses when catalog or namespace are missing: that is found before
// privileges are looked at.
func (q *request) inNamespace(namespace []string) error {
	if q.catalog == nil {
		return noNamespace(nil)
	}
	exists, err := q.catalog.hasNamespace(q.ctx(), namespace)
	if err == nil && !exists {
		return noNamespace(namespace)
	}
	return err
}

type namespaceBody struct {
	Namespace  []string          `json:"namespace"`
	Properties map[string]string `json:"properties"`
}

func (s *Server) listNamespaces(q *request) (*answer, error) {
	parent := namespace(q.URL.Query().Get("parent"))
	if err := q.inNamespace(parent); err != nil {
		return nil, err
	}
	if err := q.caller.allowed(q.catalog, "LIST_NAMESPACES", parent, ""); err != nil {
		return nil, err
	}
	found, err := q.catalog.children(q.ctx(), parent)
	if err != nil {
		return nil, err
	}
	part, next, err := page(s, q.URL.Query(), found)
	if err != nil {
		return nil, err
	}
	return ok(struct {
		Namespaces [][]string `json:"namespaces"`
		Next       *string    `json:"next-page-token"`
	}{part, next})
}

// children are the namespaces one level below; the library lists the parent too,
// and all levels.
func (c *catalog) children(ctx context.Context, parent []string) ([][]string, error) {
	all, err := c.tables.ListNamespaces(ctx, parent)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(n []string) bool { return len(n) != len(parent)+1 }), nil
}

func (s *Server) createNamespace(q *request) (*answer, error) {
	var body struct {
		Namespace  *[]string         `json:"namespace"`
		Properties map[string]string `json:"properties"`
	}
	if q.catalog == nil {
		return nil, noNamespace(nil)
	}
	if err := q.decode(&body); err != nil {
		return nil, err
	}
	if body.Namespace == nil {
		return nil, refuse(http.StatusInternalServerError, "NullPointerException",
			`Cannot invoke "org.apache.iceberg.catalog.Namespace.levels()" because "namespace" is null`)
	}
	levels := *body.Namespace
	if len(levels) == 0 {
		return nil, refuse(http.StatusConflict, "AlreadyExistsException", "Cannot create root namespace, as it already exists implicitly.")
	}
	parent := levels[:len(levels)-1]
	if err := q.inNamespace(parent); err != nil {
		return nil, err
	}
	if err := q.caller.allowed(q.catalog, "CREATE_NAMESPACE", parent, ""); err != nil {
		return nil, err
	}
	properties, err := q.catalog.addNamespace(q.ctx(), levels, body.Properties)
	if err != nil {
		return nil, err
	}
	return ok(namespaceBody{levels, properties})
}

// addNamespace gives the namespace a location below the catalog's.
func (c *catalog) addNamespace(ctx context.Context, levels []string, properties map[string]string) (map[string]string, error) {
	for _, level := range levels {
		if err := checkName(level); err != nil {
			return nil, err
		}
	}
	properties = maps.Clone(properties)
	if properties == nil {
		properties = map[string]string{}
	}
	if properties["location"] == "" {
		location := c.Location + "/" + strings.Join(levels, "/") + "/"
		if strings.HasPrefix(location, "file:") && strings.Contains(location, " ") {
			return nil, badRequest("Illegal character in path at index %d: %s", strings.Index(location, " "), location)
		}
		properties["location"] = location
	}
	err := c.tables.CreateNamespace(ctx, levels, properties)
	if errors.Is(err, icebergcatalog.ErrNamespaceAlreadyExists) {
		return nil, refuse(http.StatusConflict, "AlreadyExistsException",
			"Cannot create namespace %s. Namespace already exists", strings.Join(levels, "."))
	}
	return properties, err
}

// checkName refuses names as Polaris does since 1.6.
func checkName(name string) error {
	switch name {
	case "":
		return badRequest("Entity name must not be empty")
	case ".", "..":
		return badRequest("Entity name must not be '.' or '..'")
	}
	for _, r := range name {
		if unicode.IsControl(r) {
			return badRequest("Entity name must not contain control characters (U+%04X)", r)
		}
		if strings.ContainsRune("/\\:*?\"<>|#+`", r) {
			return badRequest("Entity name must not contain '%c': %s", r, name)
		}
	}
	if strings.TrimSpace(name) != name {
		return badRequest("Entity name must not have leading or trailing whitespace: %s", name)
	}
	return nil
}

// location of a namespace, without a slash at its end.
func (c *catalog) location(ctx context.Context, namespace []string) (string, error) {
	properties, err := c.tables.LoadNamespaceProperties(ctx, namespace)
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(properties["location"], "/"), nil
}

func (s *Server) loadNamespace(q *request) (*answer, error) {
	levels := namespace(q.path[0])
	if err := q.inNamespace(levels); err != nil {
		return nil, err
	}
	if err := q.caller.allowed(q.catalog, "LOAD_NAMESPACE_METADATA", levels, ""); err != nil {
		return nil, err
	}
	properties, err := q.catalog.tables.LoadNamespaceProperties(q.ctx(), levels)
	if err != nil {
		return nil, err
	}
	return ok(namespaceBody{levels, properties})
}

func (s *Server) namespaceExists(q *request) (*answer, error) {
	levels := namespace(q.path[0])
	if err := q.inNamespace(levels); err != nil {
		return nil, err
	}
	if err := q.caller.allowed(q.catalog, "NAMESPACE_EXISTS", levels, ""); err != nil {
		return nil, err
	}
	return noContent()
}

func (s *Server) dropNamespace(q *request) (*answer, error) {
	levels := namespace(q.path[0])
	if err := q.inNamespace(levels); err != nil {
		return nil, err
	}
	if err := q.caller.allowed(q.catalog, "DROP_NAMESPACE", levels, ""); err != nil {
		return nil, err
	}
	below, err := q.catalog.children(q.ctx(), levels)
	if err != nil {
		return nil, err
	}
	if len(below) == 0 && !s.holdsAnything(q.catalog, levels) {
		err = q.catalog.tables.DropNamespace(q.ctx(), levels)
		if err == nil {
			return noContent()
		}
		if !errors.Is(err, icebergcatalog.ErrNamespaceNotEmpty) {
			return nil, err
		}
	}
	return nil, refuse(http.StatusConflict, "NamespaceNotEmptyException", "Namespace %s is not empty", strings.Join(levels, "."))
}

// holdsAnything looks for what is not in the SQL catalog.
func (s *Server) holdsAnything(c *catalog, levels []string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	prefix := key(levels, "")
	below := func(k string) bool { return strings.HasPrefix(k, prefix) }
	return slices.ContainsFunc(slices.Collect(maps.Keys(c.policies)), below) ||
		slices.ContainsFunc(slices.Collect(maps.Keys(c.views)), below) ||
		slices.ContainsFunc(slices.Collect(maps.Keys(c.generic)), below)
}

// key is how views, policies and the like are found: levels and name, joined by
// what no name may contain.
func key(namespace []string, name string) string {
	return strings.Join(append(slices.Clone(namespace), name), separator)
}

func (s *Server) updateNamespace(q *request) (*answer, error) {
	levels := namespace(q.path[0])
	if err := q.inNamespace(levels); err != nil {
		return nil, err
	}
	if err := q.caller.allowed(q.catalog, "UPDATE_NAMESPACE_PROPERTIES", levels, ""); err != nil {
		return nil, err
	}
	var body struct {
		Removals []string           `json:"removals"`
		Updates  iceberg.Properties `json:"updates"`
	}
	if err := q.decode(&body); err != nil {
		return nil, err
	}
	for _, removed := range body.Removals {
		if _, both := body.Updates[removed]; both {
			return nil, refuse(http.StatusUnprocessableEntity, "UnprocessableEntityException",
				"Invalid namespace update, cannot simultaneously set and remove keys: [%s]", removed)
		}
	}
	if len(body.Removals) > 0 && len(body.Updates) > 0 {
		// 1.7.0 takes its own first change for someone else's
		return nil, refuse(http.StatusConflict, "CommitConflictException", "Concurrent modification of namespace: %s", strings.Join(levels, "."))
	}
	summary, err := q.catalog.tables.UpdateNamespaceProperties(q.ctx(), levels, body.Removals, body.Updates)
	if err != nil {
		return nil, err
	}
	return ok(map[string]any{
		"removed": notNil(summary.Removed), "updated": notNil(summary.Updated), "missing": notNil(summary.Missing),
	})
}
