package standin

import "net/http"

// genericTable is a table of another format: its name is known, and nothing else.
type genericTable struct {
	Name       string            `json:"name"`
	Format     string            `json:"format"`
	Location   *string           `json:"base-location"`
	Doc        *string           `json:"doc"`
	Properties map[string]string `json:"properties"`
}

type genericBody struct {
	Table  genericTable `json:"table"`
	Access []any        `json:"storage-access-configs"`
}

func (g *genericTable) body() genericBody { return genericBody{*g, []any{}} }

// listGenericTables needs TABLE_LIST, as does the list of Iceberg tables.
func (s *Server) listGenericTables(q *request) (*answer, error) {
	levels := namespace(q.path[0])
	if err := q.inNamespace(levels); err != nil {
		return nil, err
	}
	if err := q.caller.allowed(q.catalog, "LIST_TABLES", levels, ""); err != nil {
		return nil, err
	}
	return s.listed(q, namesIn(s, q.catalog.generic, levels))
}

func (s *Server) createGenericTable(q *request) (*answer, error) {
	levels := namespace(q.path[0])
	if err := q.inNamespace(levels); err != nil {
		return nil, err
	}
	if err := q.caller.allowed(q.catalog, "CREATE_TABLE_DIRECT", levels, ""); err != nil {
		return nil, err
	}
	var g genericTable
	if err := q.decode(&g); err != nil {
		return nil, err
	}
	if g.Name == "" || g.Format == "" {
		return nil, misshapen()
	}
	if err := s.addGeneric(q.ctx(), q.catalog, levels, &g); err != nil {
		return nil, err
	}
	return ok(g.body())
}

func (s *Server) loadGenericTable(q *request) (*answer, error) {
	g, err := s.genericTable(q, "LOAD_TABLE")
	if err != nil {
		return nil, err
	}
	return ok(g.body())
}

func (s *Server) dropGenericTable(q *request) (*answer, error) {
	if _, err := s.genericTable(q, "DROP_TABLE_WITHOUT_PURGE"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(q.catalog.generic, key(namespace(q.path[0]), q.path[1]))
	return noContent()
}

func (s *Server) genericTable(q *request, op string) (*genericTable, error) {
	levels, name := namespace(q.path[0]), q.path[1]
	var g *genericTable
	if q.catalog != nil {
		s.mu.RLock()
		g = q.catalog.generic[key(levels, name)]
		s.mu.RUnlock()
	}
	if g == nil {
		return nil, refuse(http.StatusNotFound, "NoSuchTableException", "Generic table does not exist: %s", dotted(levels, name))
	}
	return g, q.caller.allowed(q.catalog, op, levels, name)
}
