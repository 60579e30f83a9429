package standin_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/standin"
)

// BenchmarkUnchangedTable is what a scan asks of each of many tables.
func BenchmarkUnchangedTable(b *testing.B) {
	const tables = 10_000
	s := standin.Start(b, standin.Options{Catalogs: []standin.Catalog{{Name: "lake", Location: "file:///nowhere"}}, Anonymous: true})
	for i := range tables {
		table := standin.Table{Catalog: "lake", Namespace: []string{"n"}, Name: fmt.Sprintf("t%d", i)}
		require.NoError(b, s.Register(b.Context(), table, fmt.Sprintf("file:/nowhere/n/t%d/metadata/00000-a.metadata.json", i)))
	}
	client := &http.Client{}
	b.Cleanup(client.CloseIdleConnections)
	get := func(path, tag string) string {
		r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, s.URI()+path, nil)
		require.NoError(b, err)
		if tag != "" {
			r.Header.Set("If-None-Match", tag)
		}
		answer, err := client.Do(r)
		require.NoError(b, err)
		defer func() { _ = answer.Body.Close() }()
		data, err := io.ReadAll(answer.Body)
		require.NoError(b, err)
		return string(data)
	}
	require.Equal(b, tables, strings.Count(get("/v1/lake/namespaces/n/tables", ""), `"name"`))
	i := 0
	for b.Loop() {
		get(fmt.Sprintf("/v1/lake/namespaces/n/tables/t%d", i%tables), etagOf(fmt.Sprintf("file:/nowhere/n/t%d/metadata/00000-a.metadata.json", i%tables)))
		i++
	}
	require.Equal(b, s.Count(standin.LoadTable), s.Count(standin.LoadTable, http.StatusNotModified))
}
