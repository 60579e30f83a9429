package standin

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// view is kept as its metadata.
type view struct {
	location string
	metadata viewMetadata
}

type viewMetadata struct {
	UUID           string            `json:"view-uuid"`
	Version        int               `json:"format-version"`
	Location       string            `json:"location"`
	Properties     map[string]string `json:"properties,omitempty"`
	Schemas        []json.RawMessage `json:"schemas"`
	CurrentVersion int               `json:"current-version-id"`
	Versions       []json.RawMessage `json:"versions"`
	VersionLog     []viewEntry       `json:"version-log"`
}

type viewEntry struct {
	Timestamp int64 `json:"timestamp-ms"`
	Version   int   `json:"version-id"`
}

type viewBody struct {
	MetadataLocation string       `json:"metadata-location"`
	Metadata         viewMetadata `json:"metadata"`
}

func (v *view) body() viewBody { return viewBody{v.location, v.metadata} }

func noView(namespace []string, name string) error {
	return refuse(http.StatusNotFound, "NoSuchViewException", "View does not exist: %s", dotted(namespace, name))
}

func (s *Server) listViews(q *request) (*answer, error) {
	levels := namespace(q.path[0])
	if err := q.inNamespace(levels); err != nil {
		return nil, err
	}
	if err := q.caller.allowed(q.catalog, "LIST_VIEWS", levels, ""); err != nil {
		return nil, err
	}
	return s.listed(q, namesIn(s, q.catalog.views, levels))
}

// namesIn lists the direct members of a namespace in a map by key, in order.
func namesIn[T any](s *Server, all map[string]T, levels []string) []identifierBody {
	s.mu.RLock()
	defer s.mu.RUnlock()
	prefix := key(levels, "")
	var names []string
	for k := range all {
		if name, ok := strings.CutPrefix(k, prefix); ok && !strings.Contains(name, separator) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var members []identifierBody
	for _, name := range names {
		members = append(members, identifierBody{levels, name})
	}
	return members
}

func (s *Server) createView(q *request) (*answer, error) {
	levels := namespace(q.path[0])
	if err := q.inNamespace(levels); err != nil {
		return nil, err
	}
	if err := q.caller.allowed(q.catalog, "CREATE_VIEW", levels, ""); err != nil {
		return nil, err
	}
	var body struct {
		Name       string            `json:"name"`
		Location   string            `json:"location"`
		Schema     json.RawMessage   `json:"schema"`
		Version    json.RawMessage   `json:"view-version"`
		Properties map[string]string `json:"properties"`
	}
	if err := q.decode(&body); err != nil {
		return nil, err
	}
	t := Table{Catalog: q.catalog.Name, Namespace: levels, Name: body.Name}
	if kind, err := s.taken(q.ctx(), q.catalog, t); err != nil {
		return nil, err
	} else if kind == "View" {
		return nil, refuse(http.StatusConflict, "AlreadyExistsException", "View already exists: %s", dotted(levels, body.Name))
	} else if kind != "" {
		return nil, sameName(kind, t)
	}
	base, err := q.catalog.location(q.ctx(), levels)
	if err != nil {
		return nil, err
	}
	v := newView(base+"/"+body.Name, body.Schema, body.Version, q.catalog.defaults(body.Properties))
	s.mu.Lock()
	defer s.mu.Unlock()
	q.catalog.views[key(levels, body.Name)] = v
	return ok(v.body())
}

func sameName(kind string, t Table) error {
	return refuse(http.StatusConflict, "AlreadyExistsException", "%s with same name already exists: %s", kind, dotted(t.Namespace, t.Name))
}

func newView(location string, schema, version json.RawMessage, properties map[string]string) *view {
	return &view{
		location: location + "/metadata/00000-" + uuid.NewString() + ".gz.metadata.json",
		metadata: viewMetadata{
			UUID: uuid.NewString(), Version: 1, Location: location, Properties: properties,
			Schemas: []json.RawMessage{schema}, CurrentVersion: 1, Versions: []json.RawMessage{version},
			VersionLog: []viewEntry{{now(), 1}},
		},
	}
}

// view finds the view of the path. It asks for the privilege afterwards.
func (s *Server) view(q *request, op string) (*view, []string, error) {
	levels, name := namespace(q.path[0]), q.path[1]
	var v *view
	if q.catalog != nil {
		s.mu.RLock()
		v = q.catalog.views[key(levels, name)]
		s.mu.RUnlock()
	}
	if v == nil {
		return nil, nil, noView(levels, name)
	}
	return v, levels, q.caller.allowed(q.catalog, op, levels, name)
}

func (s *Server) loadView(q *request) (*answer, error) {
	v, _, err := s.view(q, "LOAD_VIEW")
	if err != nil {
		return nil, err
	}
	if q.Method == http.MethodHead {
		return noContent()
	}
	return ok(v.body())
}

func (s *Server) dropView(q *request) (*answer, error) {
	_, levels, err := s.view(q, "DROP_VIEW")
	if err != nil {
		return nil, err
	}
	// by default a view's metadata goes with it, which is a purge
	if q.catalog.Properties["polaris.config.purge-view-metadata-on-drop"] != "false" {
		if err := q.catalog.mayPurge(q.path[1]); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(q.catalog.views, key(levels, q.path[1]))
	return noContent()
}
