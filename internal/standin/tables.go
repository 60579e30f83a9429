package standin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
)

func noTable(namespace []string, name string) error {
	return refuse(http.StatusNotFound, "NoSuchTableException", "Table does not exist: %s", dotted(namespace, name))
}

func dotted(namespace []string, name string) string {
	return strings.Join(append(slices.Clone(namespace), name), ".")
}

// found is a table of a request: what it is called and where its metadata is.
type found struct {
	Table
	location string
}

// findTable refuses when there is no such table, before privileges are looked at.
func (s *Server) findTable(q *request, namespace []string, name string) (*found, error) {
	if q.catalog == nil {
		return nil, noTable(namespace, name)
	}
	t := Table{Catalog: q.catalog.Name, Namespace: namespace, Name: name}
	location, err := s.rows.location(q.ctx(), t)
	if err != nil {
		return nil, err
	}
	if location == "" {
		return nil, noTable(namespace, name)
	}
	return &found{t, location}, nil
}

// target finds the table of the path, and asks for the privilege.
func (s *Server) target(q *request, op string) (*found, error) {
	t, err := s.findTable(q, namespace(q.path[0]), q.path[1])
	if err != nil {
		return nil, err
	}
	return t, q.caller.allowed(q.catalog, op, t.Namespace, t.Name)
}

// etag is a digest of where the metadata is: nothing is read for it.
func etag(location string) string {
	sum := sha256.Sum256([]byte(location))
	return `W/"` + hex.EncodeToString(sum[:]) + `"`
}

// unchanged tells whether If-None-Match names the tag, in exactly its form.
func unchanged(header, tag string) (bool, error) {
	if header == "" {
		return false, nil
	}
	if strings.TrimSpace(header) == "*" {
		return false, refuse(http.StatusBadRequest, "BadRequestException", "If-None-Match may not take the value of '*'")
	}
	for _, part := range strings.Split(header, ",") {
		part = strings.TrimSpace(part)
		if strings.Count(part, `"`) != 2 || !strings.HasSuffix(part, `"`) {
			return false, badRequest("Invalid If-None-Match header: %s", header)
		}
		if part == tag {
			return true, nil
		}
	}
	return false, nil
}

// loadBody is the answer of a load, a create or a commit.
type loadBody struct {
	MetadataLocation string             `json:"metadata-location,omitempty"`
	Metadata         *document          `json:"metadata"`
	Config           map[string]string  `json:"config,omitempty"`
	Credentials      []vendedCredential `json:"storage-credentials,omitempty"`
}

func (s *Server) loadTable(q *request) (*answer, error) {
	query := q.URL.Query()
	delegated, err := delegation(q.Header.Get("X-Iceberg-Access-Delegation"))
	if err != nil {
		return nil, err
	}
	op := "LOAD_TABLE"
	if delegated {
		op = "LOAD_TABLE_WITH_READ_DELEGATION"
	}
	t, err := s.target(q, op)
	if err != nil {
		return nil, err
	}
	mode := query.Get("snapshots")
	if mode != "" && mode != "all" && mode != "refs" {
		return nil, badRequest("Unrecognized snapshots: %s", mode)
	}
	tag := etag(t.location)
	same, err := unchanged(q.Header.Get("If-None-Match"), tag)
	if err != nil {
		return nil, err
	}
	if same {
		return &answer{status: http.StatusNotModified}, nil
	}
	metadata, err := q.catalog.load(q.ctx(), t.location)
	if err != nil {
		return nil, err
	}
	if mode == "refs" {
		if metadata, err = metadata.onlyReferenced(); err != nil {
			return nil, err
		}
	}
	return s.loaded(q, t, metadata, delegated, tag)
}

// loaded adds what a client needs to open the files.
func (s *Server) loaded(q *request, t *found, metadata *document, delegated bool, tag string) (*answer, error) {
	body := loadBody{MetadataLocation: t.location, Metadata: metadata}
	if err := s.addAccess(q, &body, t.Table, metadata, delegated); err != nil {
		return nil, err
	}
	a := &answer{status: http.StatusOK, body: body}
	if tag != "" {
		a.header = http.Header{"Etag": {tag}}
	}
	return a, nil
}

// load reads metadata. A file that is missing is a 400, one that is no metadata a
// 503.
func (c *catalog) load(ctx context.Context, location string) (*document, error) {
	data, err := c.files.read(ctx, location)
	if err != nil {
		return nil, err
	}
	metadata, err := readDocument(data)
	if err != nil {
		return nil, unreadable(location)
	}
	return metadata, nil
}

func (s *Server) tableExists(q *request) (*answer, error) {
	t, err := s.target(q, "TABLE_EXISTS")
	if err != nil {
		return nil, err
	}
	if _, err := q.catalog.load(q.ctx(), t.location); err != nil {
		return nil, err
	}
	return noContent()
}

type identifierBody struct {
	Namespace []string `json:"namespace"`
	Name      string   `json:"name"`
}

type listBody struct {
	Identifiers []identifierBody `json:"identifiers"`
	Next        *string          `json:"next-page-token"`
}

func (s *Server) listTables(q *request) (*answer, error) {
	levels := namespace(q.path[0])
	if err := q.inNamespace(levels); err != nil {
		return nil, err
	}
	if err := q.caller.allowed(q.catalog, "LIST_TABLES", levels, ""); err != nil {
		return nil, err
	}
	var all []identifierBody
	for identifier, err := range q.catalog.tables.ListTables(q.ctx(), levels) {
		if err != nil {
			return nil, err
		}
		all = append(all, identifierBody{levels, identifier[len(identifier)-1]})
	}
	return s.listed(q, all)
}

func (s *Server) listed(q *request, all []identifierBody) (*answer, error) {
	part, next, err := page(s, q.URL.Query(), all)
	if err != nil {
		return nil, err
	}
	return ok(listBody{part, next})
}

func (s *Server) dropTable(q *request) (*answer, error) {
	purge := q.URL.Query().Get("purgeRequested") == "true"
	op := "DROP_TABLE_WITHOUT_PURGE"
	if purge {
		op = "DROP_TABLE_WITH_PURGE"
	}
	t, err := s.target(q, op)
	if err != nil {
		return nil, err
	}
	if purge {
		if err := q.catalog.mayPurge(t.Name); err != nil {
			return nil, err
		}
		// the real server takes what is to be deleted from the metadata now
		if _, err := q.catalog.load(q.ctx(), t.location); err != nil {
			return nil, err
		}
	}
	if err := s.Drop(q.ctx(), t.Table); err != nil {
		return nil, err
	}
	return noContent()
}

// mayPurge asks for a catalog property. A purge drops the table here, and nobody
// deletes its files.
func (c *catalog) mayPurge(name string) error {
	if c.Properties["polaris.config.drop-with-purge.enabled"] == "true" {
		return nil
	}
	return refuse(http.StatusForbidden, "ForbiddenException", "Unable to purge entity: %s. To enable this feature, set the Polaris configuration DROP_WITH_PURGE_ENABLED or the catalog configuration polaris.config.drop-with-purge.enabled", name)
}

// Drop removes a table from the catalog and leaves its files.
func (s *Server) Drop(ctx context.Context, t Table) error {
	removed, err := s.rows.remove(ctx, t)
	if err != nil {
		return err
	}
	if !removed {
		return noTable(t.Namespace, t.Name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.catalogs[t.Catalog]; c != nil {
		delete(c.attached, key(t.Namespace, t.Name))
		delete(c.places, key(t.Namespace, t.Name))
	}
	return nil
}

func (s *Server) renameTable(q *request) (*answer, error) {
	var body struct {
		Source      identifierBody `json:"source"`
		Destination identifierBody `json:"destination"`
	}
	if err := q.decode(&body); err != nil {
		return nil, err
	}
	from, err := s.findTable(q, body.Source.Namespace, body.Source.Name)
	if err != nil {
		return nil, err
	}
	to := Table{Catalog: from.Catalog, Namespace: body.Destination.Namespace, Name: body.Destination.Name}
	if err := q.inNamespace(to.Namespace); err != nil {
		return nil, err
	}
	if err := q.caller.allowed(q.catalog, "RENAME_TABLE", from.Namespace, from.Name); err != nil {
		return nil, err
	}
	if err := s.Rename(q.ctx(), from.Table, to); err != nil {
		return nil, err
	}
	return noContent()
}

// Rename moves a table; its files and its policies stay its own.
func (s *Server) Rename(ctx context.Context, from, to Table) error {
	c := s.catalog(from.Catalog)
	if c == nil {
		return noTable(from.Namespace, from.Name)
	}
	if kind, err := s.taken(ctx, c, to); err != nil {
		return err
	} else if kind != "" {
		return refuse(http.StatusConflict, "AlreadyExistsException", "Cannot rename %s to %s. %s already exists",
			dotted(from.Namespace, from.Name), dotted(to.Namespace, to.Name), kind)
	}
	moved, err := s.rows.rename(ctx, from, to)
	if err != nil {
		return err
	}
	if !moved {
		return noTable(from.Namespace, from.Name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	move(c.attached, key(from.Namespace, from.Name), key(to.Namespace, to.Name))
	move(c.places, key(from.Namespace, from.Name), key(to.Namespace, to.Name))
	return nil
}

func move[T any](all map[string]T, from, to string) {
	if value, ok := all[from]; ok {
		delete(all, from)
		all[to] = value
	}
}

// taken tells what has that name already: "Table", "View", "Generic table" or
// nothing.
func (s *Server) taken(ctx context.Context, c *catalog, t Table) (string, error) {
	location, err := s.rows.location(ctx, t)
	if err != nil {
		return "", err
	}
	if location != "" {
		return "Table", nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	switch k := key(t.Namespace, t.Name); {
	case c.views[k] != nil:
		return "View", nil
	case c.generic[k] != nil:
		return "Generic table", nil
	}
	return "", nil
}

// reportMetrics takes a report and forgets it.
func (s *Server) reportMetrics(q *request) (*answer, error) {
	op := "REPORT_READ_METRICS"
	if strings.Contains(string(q.body), "commit-report") {
		op = "REPORT_WRITE_METRICS"
	}
	if _, err := s.target(q, op); err != nil {
		return nil, err
	}
	return noContent()
}
