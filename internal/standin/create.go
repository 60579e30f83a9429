package standin

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
	"github.com/google/uuid"
)

type createBody struct {
	Name       string                 `json:"name"`
	Location   string                 `json:"location"`
	Schema     *iceberg.Schema        `json:"schema"`
	Spec       *iceberg.PartitionSpec `json:"partition-spec"`
	Order      *table.SortOrder       `json:"write-order"`
	Stage      bool                   `json:"stage-create"`
	Properties map[string]string      `json:"properties"`
}

func (s *Server) createTable(q *request) (*answer, error) {
	levels := namespace(q.path[0])
	if err := q.inNamespace(levels); err != nil {
		return nil, err
	}
	delegated, err := delegation(q.Header.Get("X-Iceberg-Access-Delegation"))
	if err != nil {
		return nil, err
	}
	var body createBody
	if err := q.decode(&body); err != nil {
		return nil, err
	}
	if err := q.caller.allowed(q.catalog, createOp(body.Stage, delegated), levels, ""); err != nil {
		return nil, err
	}
	if body.Schema == nil {
		return nil, badRequest("Invalid schema: null")
	}
	if err := checkName(body.Name); err != nil {
		return nil, err
	}
	t := &found{Table: Table{Catalog: q.catalog.Name, Namespace: levels, Name: body.Name}}
	replayed, err := s.replay(q, t.Table)
	if err != nil {
		return nil, err
	}
	if replayed {
		return s.createdBefore(q, t, delegated)
	}
	if err := s.refuseTaken(q.ctx(), q.catalog, t.Table); err != nil {
		return nil, err
	}
	metadata, err := q.catalog.newTable(q.ctx(), t.Table, body, s.opts.Now())
	if err != nil {
		return nil, err
	}
	if err := s.refuseOverlap(q.catalog, metadata.Location); err != nil {
		return nil, err
	}
	if body.Stage {
		return s.loaded(q, t, metadata, delegated, "")
	}
	if t.location, err = s.store(q.ctx(), q.catalog, t.Table, "", metadata); err != nil {
		return nil, err
	}
	return s.loaded(q, t, metadata, delegated, etag(t.location))
}

// createdBefore answers a create whose key was seen.
func (s *Server) createdBefore(q *request, t *found, delegated bool) (*answer, error) {
	before, err := s.findTable(q, t.Namespace, t.Name)
	if err != nil {
		return nil, err
	}
	metadata, err := q.catalog.load(q.ctx(), before.location)
	if err != nil {
		return nil, err
	}
	return s.loaded(q, before, metadata, delegated, etag(before.location))
}

func createOp(stage, delegated bool) string {
	op := "CREATE_TABLE_DIRECT"
	if stage {
		op = "CREATE_TABLE_STAGED"
	}
	if delegated {
		op += "_WITH_WRITE_DELEGATION"
	}
	return op
}

func (s *Server) refuseTaken(ctx context.Context, c *catalog, t Table) error {
	kind, err := s.taken(ctx, c, t)
	switch {
	case err != nil:
		return err
	case kind == "":
		return nil
	case kind != "Table":
		return sameName(kind, t)
	}
	return refuse(http.StatusConflict, "AlreadyExistsException", "%s already exists: %s", kind, dotted(t.Namespace, t.Name))
}

// defaults puts the catalog's properties that begin with table-default. below the
// given ones, and those that begin with table-override. above.
func (c *catalog) defaults(given map[string]string) map[string]string {
	all := map[string]string{}
	prefixed := func(prefix string) {
		for name, value := range c.Properties {
			if short, ok := strings.CutPrefix(name, prefix); ok {
				all[short] = value
			}
		}
	}
	prefixed("table-default.")
	maps.Copy(all, given)
	prefixed("table-override.")
	return all
}

// newTable makes the first metadata.
func (c *catalog) newTable(ctx context.Context, t Table, body createBody, at time.Time) (*document, error) {
	base, err := c.location(ctx, t.Namespace)
	if err != nil {
		return nil, err
	}
	location := strings.TrimSuffix(body.Location, "/")
	if location == "" {
		location = base + "/" + t.Name
	}
	if err := c.allow(ctx, t, "", location); err != nil {
		return nil, err
	}
	properties := iceberg.Properties{
		"write.parquet.compression-codec": "zstd",
		"created-at":                      at.UTC().Format(time.RFC3339Nano),
	}
	maps.Copy(properties, c.defaults(body.Properties))
	spec, order := body.Spec, table.UnsortedSortOrder
	if spec == nil {
		spec = iceberg.UnpartitionedSpec
	}
	if body.Order != nil {
		order = *body.Order
	}
	metadata, err := table.NewMetadata(body.Schema, spec, order, location, properties)
	if err != nil {
		return nil, badRequest("%v", err)
	}
	data, err := encodeLibrary(metadata)
	if err != nil {
		return nil, err
	}
	d, err := readDocument(data)
	if err != nil {
		return nil, err
	}
	d.LastUpdated = at.UnixMilli()
	return d, nil
}

// store writes the metadata of a table that is new.
func (s *Server) store(ctx context.Context, c *catalog, t Table, previous string, metadata *document) (string, error) {
	location, err := c.save(ctx, metadata, previous)
	if err != nil {
		return "", err
	}
	inserted, err := s.rows.insert(ctx, t, location)
	if err != nil {
		return "", err
	}
	if !inserted {
		c.files.remove(ctx, location)
		return "", s.refuseTaken(ctx, c, t)
	}
	s.occupy(c, t, metadata.Location)
	return location, nil
}

// save writes the next metadata file and gives its name, in the form in which
// Hadoop's Path writes local files, with one slash.
func (c *catalog) save(ctx context.Context, metadata *document, previous string) (string, error) {
	location := metadata.nextFile(previous, uuid.NewString())
	data, err := json.Marshal(metadata)
	if err != nil {
		return "", err
	}
	if strings.HasSuffix(location, ".gz.metadata.json") {
		if data, err = compress(data); err != nil {
			return "", err
		}
	}
	if path, ok := localPath(location); ok {
		location = "file:" + path
	}
	return location, c.files.write(ctx, location, data)
}

// allow refuses locations where the table may not be: it has to be below its
// namespace, a place that the catalog allows, or where it is already.
func (c *catalog) allow(ctx context.Context, t Table, own string, locations ...string) error {
	base, err := c.location(ctx, t.Namespace)
	if err != nil {
		return err
	}
	places := append([]string{base}, c.AllowedLocations...)
	if own != "" {
		places = append(places, own)
	}
	for _, location := range locations {
		if !below(location, places) {
			return refuse(http.StatusForbidden, "ForbiddenException",
				"Invalid locations '[%s]' for identifier '%s': %s is not in the list of allowed locations: [%s]",
				strings.Join(locations, ", "), dotted(t.Namespace, t.Name), location, strings.Join(places, ", "))
		}
	}
	return nil
}

// refuseOverlap keeps tables out of each other's folders, as far as their places
// are known.
func (s *Server) refuseOverlap(c *catalog, location string) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, other := range c.places {
		if below(location, []string{other}) || below(other, []string{location}) {
			return refuse(http.StatusForbidden, "ForbiddenException",
				"Unable to create entity at location '%s' because it conflicts with existing table or namespace at location '%s/'", location, other)
		}
	}
	return nil
}

func (s *Server) occupy(c *catalog, t Table, location string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.places[key(t.Namespace, t.Name)] = location
}

func below(location string, places []string) bool {
	for _, place := range places {
		if comparable, prefix := plain(location), plain(place); comparable == prefix || strings.HasPrefix(comparable, prefix+"/") {
			return true
		}
	}
	return false
}

// plain makes the spellings of one place equal.
func plain(location string) string {
	if path, ok := localPath(location); ok {
		location = path
	}
	return strings.TrimSuffix(location, "/")
}

func (s *Server) registerTable(q *request) (*answer, error) {
	levels := namespace(q.path[0])
	if err := q.inNamespace(levels); err != nil {
		return nil, err
	}
	if err := q.caller.allowed(q.catalog, "REGISTER_TABLE", levels, ""); err != nil {
		return nil, err
	}
	var body struct {
		Name      string `json:"name"`
		Location  string `json:"metadata-location"`
		Overwrite bool   `json:"overwrite"`
	}
	if err := q.decode(&body); err != nil {
		return nil, err
	}
	t := &found{Table{Catalog: q.catalog.Name, Namespace: levels, Name: body.Name}, body.Location}
	old, err := s.rows.location(q.ctx(), t.Table)
	if err != nil {
		return nil, err
	}
	if old != "" && !body.Overwrite {
		return nil, s.refuseTaken(q.ctx(), q.catalog, t.Table)
	}
	if err := q.catalog.allow(q.ctx(), t.Table, "", body.Location); err != nil {
		return nil, err
	}
	metadata, err := q.catalog.load(q.ctx(), body.Location)
	if err != nil {
		return nil, err
	}
	if old != "" {
		_, err = s.rows.swap(q.ctx(), t.Table, old, body.Location)
	} else {
		err = s.Register(q.ctx(), t.Table, body.Location)
	}
	if err != nil {
		return nil, err
	}
	s.occupy(q.catalog, t.Table, metadata.Location)
	return s.loaded(q, t, metadata, false, etag(body.Location))
}
