package polaristest

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// exchange is a recorded request and its answer.
type exchange struct {
	Name    string `json:"name"`
	As      string `json:"as"`
	Request struct {
		Method string  `json:"method"`
		Path   string  `json:"path"`
		Query  *string `json:"query"`
		Body   any     `json:"body"`
	} `json:"request"`
	Response struct {
		Status  int               `json:"status"`
		Headers map[string]string `json:"headers"`
		Body    any               `json:"body"`
	} `json:"response"`
}

func recordedDrops(t *testing.T, r *ring) {
	_, c := r.serve(t, nil)
	r.prepare(t, c, "a", "b", "c", "e", "f", "ff", "gone", "corrupt")
	for name, data := range map[string][]byte{"gone": nil, "corrupt": []byte("not JSON")} {
		loaded, err := c.Load(t.Context(), catalogName, "d", name)
		require.NoError(t, err)
		file := strings.TrimPrefix(strings.TrimPrefix(loaded.MetadataLocation, "file:"), "//")
		if data == nil {
			require.NoError(t, os.Remove(file))
		} else {
			require.NoError(t, os.WriteFile(file, data, 0o600))
		}
	}
	replay(t, c, "06-drop.json")
}

func recordedRefusals(t *testing.T, r *ring) {
	_, c := r.serve(t, func(o *Options) { o.PurgeRefused = true })
	r.prepare(t, c, "a", "b")
	replay(t, c, "06-drop-refused.json")
}

func (r *ring) prepare(t *testing.T, c *Client, names ...string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(r.warehouse, 0o750))
	require.NoError(t, c.CreateCatalog(t.Context(), catalogName, r.warehouse, "d"))
	for _, name := range names {
		_, err := c.CreateTable(t.Context(), catalogName, "d", name)
		require.NoError(t, err)
	}
}

// replay sends the recorded drops, and what was asked around them, to the one
// catalog of this test, and compares status, type of content and body. Texts
// that name a location differ with the kind of storage and are not compared.
//
// Left out: principals and catalogs that only the recording had, and what a FILE
// catalog has no answer for: credentials, ETags of files that changed, and a
// corrupt file, which the server may still have cached.
func replay(t *testing.T, c *Client, file string) {
	t.Helper()
	data, err := os.ReadFile("testdata/" + file)
	require.NoError(t, err)
	var all []exchange
	require.NoError(t, json.Unmarshal(data, &all))
	compared := 0
	for _, e := range all {
		path := strings.NewReplacer("/s3cat/", "/"+catalogName+"/", "/filecat/", "/"+catalogName+"/").Replace(e.Request.Path)
		if e.As != "" && e.As != "root" || !strings.Contains(path, "/"+catalogName+"/") || strings.HasSuffix(path, "/credentials") ||
			strings.Contains(e.Name, "nopriv") || strings.Contains(e.Name, "If-None-Match") || strings.Contains(e.Name, "cached") || strings.Contains(path, "generic-tables") {
			continue
		}
		if e.Request.Query != nil {
			path += "?" + *e.Request.Query
		}
		answer, err := c.Do(t.Context(), e.Request.Method, path, e.Request.Body)
		require.NoError(t, err)
		require.Equal(t, e.Response.Status, answer.Status, "%s: %s", e.Name, answer.Body)
		require.Equal(t, e.Response.Headers["Content-Type"], answer.Header.Get("Content-Type"), e.Name)
		recorded, isError := e.Response.Body.(map[string]any)
		if compared++; !isError || e.Request.Method == http.MethodPost && e.Response.Status < 300 {
			continue
		}
		var got map[string]any
		require.NoError(t, json.Unmarshal(answer.Body, &got), e.Name)
		forgetLocations(recorded, got)
		require.Equal(t, recorded, got, e.Name)
	}
	require.GreaterOrEqual(t, compared, 6)
}

func forgetLocations(bodies ...map[string]any) {
	located := false
	for _, body := range bodies {
		text, _ := body["error"].(map[string]any)
		message, _ := text["message"].(string)
		located = located || strings.Contains(message, "s3://") || strings.Contains(message, "file:/")
	}
	for _, body := range bodies {
		if text, ok := body["error"].(map[string]any); ok && located {
			delete(text, "message")
		}
	}
}
