package policy

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// sparkArguments are those of Spark's procedures, as the documentation of Iceberg
// has them (docs/spark-procedures.md), with a value that Spark takes.
var sparkArguments = map[Kind]map[string]any{
	ExpireKind: {
		"table": "db.sample", "older_than": "2026-01-01T00:00:00Z", "retain_last": 5, "max_concurrent_deletes": 4,
		"stream_results": true, "snapshot_ids": []int{1, 2}, "clean_expired_metadata": true,
	},
	OrphansKind: {
		"table": "db.sample", "older_than": "2026-01-01T00:00:00Z", "location": "s3://b/t/data", "dry_run": true, "max_concurrent_deletes": 4,
		"stream_results": true, "file_list_view": "files_view", "equal_schemes": "s3a,s3n=s3", "equal_authorities": "ns1=ns2",
		"prefix_mismatch_mode": "IGNORE", "prefix_listing": true,
	},
	ManifestsKind: {"table": "db.sample", "use_caching": true, "spec_id": 1, "sort_by": []string{"category"}},
	CompactKind: {
		"table": "db.sample", "strategy": "sort", "sort_order": "zorder(c1,c2)", "where": "id = 3", "options": "min-input-files=2",
	},
}

func TestEveryArgumentOfSparksProceduresIsReadOrRefusedWithAReason(t *testing.T) {
	t.Parallel()
	notTaken := map[string]string{
		"table":          `key "table" is not taken: a policy holds for what it is attached to`,
		"file_list_view": `key "file_list_view" is not taken: no view is read, the store itself is listed`,
		"options":        `key "options" is not taken: options stand among the other keys`,
	}
	for kind, arguments := range sparkArguments {
		for name, value := range arguments {
			encoded, err := json.Marshal(value)
			require.NoError(t, err)
			settings, err := readOne(t, kind, fmt.Sprintf(`{"enable":true,"config":{%q:%s}}`, name, encoded))
			if why, found := notTaken[name]; found {
				require.ErrorContains(t, err, why, kind)
				_, err = Read(kind, json.RawMessage(fmt.Sprintf(`{%q:%s}`, name, encoded)))
				require.ErrorContains(t, err, why, kind)
				continue
			}
			require.NoError(t, err, "%s %s", kind, name)
			sp := spellingsOf[kind][hyphens(name)]
			require.Equal(t, sp.key.NoEffect, string(settings.Params()) == "{}", "%s %s is taken and lost", kind, name)
		}
	}
}
