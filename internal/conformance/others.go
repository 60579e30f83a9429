package conformance

import (
	"iter"
	"net/http"
	"testing"
	"time"
)

// makeView makes one in the words of Spark.
func (s *suite) makeView(t *testing.T, namespace []string, name string) {
	t.Helper()
	s.root.must(t, http.StatusOK, http.MethodPost, s.root.path(namespace, "/views"), object{
		"name": name, "properties": object{},
		"schema": object{"type": "struct", "schema-id": 0, "fields": []object{{"id": 1, "name": "id", "type": "long", "required": false}}},
		"view-version": object{
			"version-id": 1, "timestamp-ms": time.Now().UnixMilli(), "schema-id": 0, "summary": object{"engine-name": "spark"},
			"default-namespace": namespace, "representations": []object{{"type": "sql", "sql": "select 1 id", "dialect": "spark"}},
		},
	})
}

// makeGeneric makes a table of another format, where the server has such things.
func (s *suite) makeGeneric(t *testing.T, namespace []string, name string) {
	t.Helper()
	if s.Policies {
		s.root.must(t, http.StatusOK, http.MethodPost, s.root.polarisPath(namespace, "/generic-tables"), object{"name": name, "format": "delta"})
	}
}

func firstOf[T any](all iter.Seq2[T, error]) (T, error) {
	for item, err := range all {
		return item, err
	}
	var none T
	return none, nil
}
