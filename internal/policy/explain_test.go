package policy

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/polaris"
)

func explained(t *testing.T, a Applied, f Facts, h History) (text, document string) {
	t.Helper()
	e := Explain(a, rules().Due(a, f, h, noon))
	var b strings.Builder
	require.NoError(t, e.WriteText(&b))
	encoded, err := json.Marshal(e)
	require.NoError(t, err)
	return b.String(), string(encoded)
}

func TestAnExplanationTellsPolicySettingsOriginsAndTheNextTime(t *testing.T) {
	t.Parallel()
	f := expiring()
	f.Properties = map[string]string{"history.expire.min-snapshots-to-keep": "1"}
	a := Evaluate(ExpireKind, []polaris.Policy{policyOf(ExpireKind, `{"enable":true,"config":{"max_snapshot_age_days":2,"window":"22:00-06:00","stream-results":true}}`)}, f)
	text, document := explained(t, a, f, History{})
	require.Equal(t, `expire: not due
  policy                  ops.policies.nightly, version 3, inherited
  max-snapshot-age        2d           (policy)
  min-snapshots-to-keep   1            (table property history.expire.min-snapshots-to-keep)
  max-ref-age             forever      (default)
  clean-expired-metadata  false        (default)
  dry-run                 false        (default)
  window                  22:00-06:00  (policy)
  why                     1 snapshot expires; waits for the window 22:00-06:00
  next                    2026-11-25T22:00:00Z
  note                    stream-results has no effect
`, text)
	require.JSONEq(t, `{"kind":"expire","policy":{"type":"system.snapshot-expiry","namespace":["ops","policies"],"name":"nightly","version":3,"from":"inherited"},
		"enabled":true,"settings":[
			{"name":"max-snapshot-age","value":"2d","origin":"policy"},
			{"name":"min-snapshots-to-keep","value":"1","origin":"table property history.expire.min-snapshots-to-keep"},
			{"name":"max-ref-age","value":"forever","origin":"default"},
			{"name":"clean-expired-metadata","value":"false","origin":"default"},
			{"name":"dry-run","value":"false","origin":"default"},
			{"name":"window","value":"22:00-06:00","origin":"policy"}],
		"due":false,"why":"1 snapshot expires; waits for the window 22:00-06:00","next":"2026-11-25T22:00:00Z","notes":["stream-results has no effect"]}`, document)
}

func TestAnExplanationOfAProblemNamesItAndShowsNoSettings(t *testing.T) {
	t.Parallel()
	a := Evaluate(ExpireKind, []polaris.Policy{policyOf(ExpireKind, "{\"enable\":true,\"config\":{\"a\u001bb\":1}}")}, expiring())
	text, document := explained(t, a, expiring(), History{})
	require.Contains(t, text, "expire: not due\n  policy   ops.policies.nightly, version 3, inherited\n  problem  policy ops.policies.nightly, version 3: it is not JSON")
	require.Contains(t, document, `"problem":"policy ops.policies.nightly`)
	require.NotContains(t, text, "next")
}

func TestAnExplanationWithoutAPolicyIsShort(t *testing.T) {
	t.Parallel()
	text, document := explained(t, Evaluate(CompactKind, nil, expiring()), expiring(), History{})
	require.Equal(t, "compact: not due\n  why  no policy of type system.data-compaction applies\n", text)
	require.JSONEq(t, `{"kind":"compact","enabled":false,"due":false,"why":"no policy of type system.data-compaction applies"}`, document)
}

func TestAnExplanationOfWhatIsDueSaysNow(t *testing.T) {
	t.Parallel()
	p := policyOf(ExpireKind, `{"enable":true,"config":{"dry-run":true}}`)
	p.Inherited, p.Name = false, "evil\nname"
	text, _ := explained(t, Evaluate(ExpireKind, []polaris.Policy{p}, expiring()), expiring(), History{})
	require.Contains(t, text, "expire: due, dry run\n  policy                  ops.policies.evil?name, version 3, attached to the table\n")
	require.Contains(t, text, "why                     1 snapshot expires\n  next                    now\n")
}
