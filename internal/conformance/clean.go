package conformance

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// clean removes what the suite made, so that it can run again on a server that
// stays. What cannot be removed stays.
func (s *suite) clean(t *testing.T) {
	s.emptyNamespaces(t, nil)
	s.root.do(t, http.MethodDelete, s.Management+"/v1/catalogs/"+s.Warehouse, nil)
}

func (s *suite) emptyNamespaces(t *testing.T, parent []string) {
	query := ""
	if len(parent) > 0 {
		query = "?parent=" + strings.TrimPrefix(s.root.path(parent, ""), s.root.path(nil, ""))
	}
	a := s.root.do(t, http.MethodGet, s.URI+s.root.prefix+"/namespaces"+query, nil)
	list, _ := a.body["namespaces"].([]any)
	for _, entry := range list {
		levels := words(entry)
		s.emptyNamespaces(t, levels)
		s.removeAll(t, s.root.polarisPath(levels, "/policies"), "?detach-all=true")
		for _, kind := range []string{s.root.path(levels, "/tables"), s.root.path(levels, "/views"), s.root.polarisPath(levels, "/generic-tables")} {
			s.removeAll(t, kind, "")
		}
		s.root.do(t, http.MethodDelete, s.root.path(levels, ""), nil)
	}
}

func (s *suite) removeAll(t *testing.T, collection, query string) {
	a := s.root.do(t, http.MethodGet, collection, nil)
	list, _ := a.body["identifiers"].([]any)
	for _, entry := range list {
		identifier, _ := entry.(object)
		name, _ := identifier["name"].(string)
		s.root.do(t, http.MethodDelete, collection+"/"+url.PathEscape(name)+query, nil)
	}
}

func words(v any) []string {
	list, _ := v.([]any)
	all := make([]string, len(list))
	for i, entry := range list {
		all[i], _ = entry.(string)
	}
	return all
}
