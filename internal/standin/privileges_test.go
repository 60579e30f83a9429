package standin_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/standin"
)

const fullSet = " [full set]"

// grantsOf reads "only A", "A+B" and the name of the whole set.
func grantsOf(name string) []string {
	if name == "full maintenance set" {
		return append(slices.Clone(standin.MaintenanceGrants), "NAMESPACE_READ_PROPERTIES", "CATALOG_READ_PROPERTIES",
			"POLICY_LIST", "POLICY_READ", "VIEW_LIST", "VIEW_READ_PROPERTIES", "TABLE_DROP")
	}
	return strings.Split(strings.TrimPrefix(name, "only "), "+")
}

func TestEachPrivilegeAllowsWhatItAllowsOnARealServer(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join("testdata", "exchanges", "10-privileges-matrix.json"))
	require.NoError(t, err)
	var matrix map[string]map[string][]any
	require.NoError(t, json.Unmarshal(data, &matrix))
	calls := map[string]exchange{}
	for _, e := range readExchanges(t, "10-privileges") {
		if name, found := strings.CutSuffix(e.Name, fullSet); found {
			calls[name] = e
		}
	}
	for grants, answers := range matrix {
		t.Run(grants, func(t *testing.T) {
			t.Parallel()
			p := newReplay(t, recording{purge: true, namespaces: []string{"privcat/n/sub"}, views: []string{"privcat/n/v"}})
			privileged(p)
			p.makeTable("privcat/n/tmp_maint")
			p.makeTable("privcat/n/tmp_maint2")
			credential, err := p.server.CreatePrincipal("maint", "privcat", grantsOf(grants)...)
			require.NoError(t, err)
			p.ids["maint"], p.secrets["maint"], _ = strings.Cut(credential, ":")
			compared := 0
			for name, want := range answers {
				e, known := calls[name]
				if !known {
					continue
				}
				compared++
				status, _, body := p.send(e.Request.Method, e.Request.Path, e.Request.Query, p.headers(e), p.body(e.Request.Body))
				refused := want[0].(float64) == http.StatusForbidden
				require.Equal(t, refused, status == http.StatusForbidden, "%s: %d %v", name, status, body)
				if len(want) > 1 {
					require.Contains(t, body.(map[string]any)["error"].(map[string]any)["message"], "not authorized for op "+want[1].(string), name)
				}
			}
			require.Greater(t, compared, 25)
		})
	}
}
