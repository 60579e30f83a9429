package orphans_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	mt "deckhand/internal/maintenance/maintenancetest"
	"deckhand/internal/s3test"
)

// history puts a metadata file of the table whose log has these files, so many
// milliseconds after the one that is current.
func (y *yard) history(name string, later int, log ...string) {
	y.T.Helper()
	var m mt.Object
	require.NoError(y.T, json.Unmarshal(y.Get(y.Ledger.Location), &m))
	m["last-updated-ms"] = y.Metadata().LastUpdated.UnixMilli() + int64(later)
	m["metadata-log"] = logOf(log)
	data, err := json.Marshal(m)
	require.NoError(y.T, err)
	y.Put(mt.InHome("metadata/"+name), data)
}

func logOf(names []string) (entries []mt.Object) {
	for n, name := range names {
		entries = append(entries, mt.Object{"timestamp-ms": 1_600_000_000_000 + n, "metadata-file": mt.InHome("metadata/" + name)})
	}
	return entries
}

// The same table, registered in two catalogs, of which each goes on for itself: the
// files of the other are named by nothing here.
func TestATableThatGoesOnElsewhereIsRefused(t *testing.T) {
	t.Parallel()
	for name, lay := range map[string]func(y *yard){
		"after the current state": func(y *yard) { y.history("x2.metadata.json", 2, "v0.metadata.json", "x1.metadata.json") },
		"after an earlier state": func(y *yard) {
			y.Edit(y.Ledger.Location, func(m mt.Object) { m["metadata-log"] = logOf([]string{"a.metadata.json", "b.metadata.json"}) })
			y.history("x2.metadata.json", -2, "0.metadata.json", "a.metadata.json", "x1.metadata.json")
		},
		"so long that nothing is left in common": func(y *yard) { y.history("x9.metadata.json", 9, "x7.metadata.json", "x8.metadata.json") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			y := small(t)
			lay(y)
			y.refuses(quickly, "of a history that the table does not have", "nothing was deleted", "gc.enabled")
		})
	}
}

func TestMetadataFilesOfTheTablesOwnHistoryAreNobodyElses(t *testing.T) {
	t.Parallel()
	y := small(t)
	y.Edit(y.Ledger.Location, func(m mt.Object) { m["metadata-log"] = logOf([]string{"a.metadata.json", "b.metadata.json"}) })
	own := []string{"metadata/failed.metadata.json", "metadata/failed-long-ago.metadata.json", "metadata/forgotten.metadata.json"}
	y.history("failed.metadata.json", 1, "a.metadata.json", "b.metadata.json", "v0.metadata.json")
	y.history("failed-long-ago.metadata.json", -1, "0.metadata.json", "a.metadata.json")
	y.history("forgotten.metadata.json", -1_000_000_000_000, "-2.metadata.json", "-1.metadata.json")
	_, err := y.search(quickly)
	require.NoError(t, err)
	y.Has(false, own...)
	y.Has(false, "data/orphan1")
}

func TestCommitsThatComeWhileTheFilesAreListedAreNoOtherHistory(t *testing.T) {
	t.Parallel()
	y := small(t)
	came := false
	y.Server.Fault(func(_ int64, op string, r *http.Request) *s3test.Fault {
		if op == "ListObjectsV2" && r.URL.Query().Get("max-keys") != "1" && !came {
			came = true
			y.history("v1.metadata.json", 1, "v0.metadata.json")
			y.history("v2.metadata.json", 2, "v0.metadata.json", "v1.metadata.json")
			y.Open(mt.InHome("metadata/v2.metadata.json"))
		}
		return nil
	})
	r, err := y.search(quickly)
	require.NoError(t, err)
	require.True(t, came)
	require.Equal(t, 1, r.Commits)
	y.Has(true, "metadata/v0.metadata.json", "metadata/v1.metadata.json", "metadata/v2.metadata.json")
	y.Has(false, "data/orphan1", "data/orphan2")
}
