package policy

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/polaris"
)

func policyOf(kind Kind, content string) polaris.Policy {
	return polaris.Policy{Type: Type(kind), Name: "nightly", Namespace: []string{"ops", "policies"}, Version: 3, Content: content, Inherited: true}
}

func TestAPolicyIsAppliedWithTheOriginOfEachSetting(t *testing.T) {
	t.Parallel()
	facts := Facts{Properties: map[string]string{"history.expire.min-snapshots-to-keep": "7", "history.expire.max-snapshot-age-ms": "1000"}}
	a := Evaluate(ExpireKind, []polaris.Policy{
		policyOf(CompactKind, `broken`),
		policyOf(ExpireKind, `{"enable":true,"config":{"older_than":"2d","dry-run":true,"schedule":"@daily","min-interval":"6h","window":"22:00-06:00","stream-results":true}}`),
	}, facts)
	require.NoError(t, a.Problem)
	require.True(t, a.Enabled)
	require.True(t, a.DryRun)
	require.Equal(t, Expire{MaxSnapshotAge: &Age{Ago: 2 * day}, DryRun: true}, a.Settings)
	require.Equal(t, Expire{MaxSnapshotAge: &Age{Ago: 2 * day}, DryRun: true, MinSnapshotsToKeep: 7, MaxRefAge: forever}, a.Effective)
	require.Equal(t, []Setting{
		{"max-snapshot-age", "2d", FromPolicy},
		{"min-snapshots-to-keep", "7", "table property history.expire.min-snapshots-to-keep"},
		{"max-ref-age", "forever", FromDefault},
		{"clean-expired-metadata", "false", FromDefault},
		{"dry-run", "true", FromPolicy},
		{"schedule", "@daily UTC", FromPolicy},
		{"min-interval", "6h", FromPolicy},
		{"window", "22:00-06:00", FromPolicy},
	}, a.Values)
	require.Equal(t, 6*time.Hour, a.Timing.MinInterval)
	require.NotNil(t, a.Timing.Schedule)
	require.NotNil(t, a.Timing.Window)
	require.Equal(t, []string{"stream-results has no effect"}, a.Notes)
}

func TestDefaultsOfEveryKindAreInForce(t *testing.T) {
	t.Parallel()
	facts := Facts{Properties: map[string]string{"write.target-file-size-bytes": "134217728", "commit.manifest.target-size-bytes": "1048576"}}
	failed, ratio, yes, smallest := 10, 0.3, true, int64(100663296)
	for _, want := range []Settings{
		Orphans{OlderThan: &Age{Ago: 3 * day}, PrefixMismatchMode: "ERROR", EqualSchemes: map[string]string{"s3a": "s3", "s3n": "s3"}},
		Manifests{TargetSizeBytes: 1 << 20, MinCommits: 100, RemoveDanglingDeletes: &yes},
		Compact{
			Strategy: "binpack", TargetFileSizeBytes: 1 << 27, MinFileSizeBytes: &smallest, MaxFileSizeBytes: 241591910, MinInputFiles: 5, DeleteRatioThreshold: &ratio,
			MaxFileGroupSizeBytes: 100 << 30, MaxConcurrentFileGroupRewrites: 5, PartialProgressMaxCommits: 10, PartialProgressMaxFailed: &failed,
			RewriteJobOrder: "none", UseStartingSequenceNumber: &yes,
		},
	} {
		a := Evaluate(want.Kind(), []polaris.Policy{policyOf(want.Kind(), `{"enable":true}`)}, facts)
		require.NoError(t, a.Problem)
		require.Equal(t, want, a.Effective)
		require.Equal(t, emptySettings[want.Kind()], a.Settings, "a job gets what the policy says, and no more")
	}
}

func TestABrokenPolicyYieldsToNoOther(t *testing.T) {
	t.Parallel()
	near := policyOf(ExpireKind, `{"enable":true,"config":{"retain-lost":1}}`)
	near.Inherited = false
	a := Evaluate(ExpireKind, []polaris.Policy{near}, Facts{})
	require.EqualError(t, a.Problem, `policy ops.policies.nightly, version 3: unknown key "retain-lost"; did you mean "retain-last"?`)
	require.False(t, a.Enabled)
	require.Nil(t, a.Settings)

	far := policyOf(ExpireKind, `{"enable":true}`)
	far.Name = "far"
	a = Evaluate(ExpireKind, []polaris.Policy{near, far}, Facts{})
	require.ErrorContains(t, a.Problem, "2 policies of type system.snapshot-expiry apply at once: ops.policies.far, ops.policies.nightly")
	require.False(t, a.Enabled)
}

func TestNoPolicyOrOneThatIsOffAsksForNothing(t *testing.T) {
	t.Parallel()
	a := Evaluate(ExpireKind, []polaris.Policy{policyOf(OrphansKind, `{"enable":true}`)}, Facts{})
	require.Nil(t, a.Policy)
	require.False(t, a.Enabled)
	a = Evaluate(ExpireKind, []polaris.Policy{policyOf(ExpireKind, `{"enable":false}`)}, Facts{})
	require.NoError(t, a.Problem)
	require.False(t, a.Enabled)
}

func TestAPolicyThatIsOffIsOffWhateverElseItSays(t *testing.T) {
	t.Parallel()
	a := Evaluate(ExpireKind, []polaris.Policy{policyOf(ExpireKind, `{"version":"2","enable":false,"config":{"retain-lost":1}}`)}, Facts{})
	require.NoError(t, a.Problem)
	require.False(t, a.Enabled)
	require.Nil(t, a.Settings)
	require.Equal(t, []string{`it is off; switched on it would not be carried out: key "version": want "2025-02-03", not the text "2"; unknown key "retain-lost"; did you mean "retain-last"?`}, a.Notes)
	require.Equal(t, Verdict{Why: "the policy switches it off"}, rules().Due(a, expiring(), History{}, noon))
	for _, unclear := range []string{`{"enable":"false"}`, `{"enable":0}`, `{"enable":null}`, `{"enable":false,"enable":true}`, `{"enable":false`, `{"Enable":false}`} {
		a = Evaluate(ExpireKind, []polaris.Policy{policyOf(ExpireKind, unclear)}, Facts{})
		require.Error(t, a.Problem, unclear)
		require.False(t, a.Enabled)
	}
}

func TestWhatAPolicySaysIsItsOwnAlsoWhenItIsTheDefault(t *testing.T) {
	t.Parallel()
	origins := func(kind Kind, content string) map[string]Setting {
		a := Evaluate(kind, []polaris.Policy{policyOf(kind, content)}, Facts{Properties: map[string]string{"write.target-file-size-bytes": "9"}})
		require.NoError(t, a.Problem)
		all := map[string]Setting{}
		for _, s := range a.Values {
			all[s.Name] = s
		}
		return all
	}
	said := origins(ExpireKind, `{"enable":true,"config":{"dry-run":false,"clean_expired_metadata":false,"max-snapshot-age-days":0}}`)
	require.Equal(t, Setting{"dry-run", "false", FromPolicy}, said["dry-run"])
	require.Equal(t, Setting{"clean-expired-metadata", "false", FromPolicy}, said["clean-expired-metadata"])
	require.Equal(t, Setting{"max-snapshot-age", "0s", FromPolicy}, said["max-snapshot-age"])
	said = origins(CompactKind, `{"enable":true,"config":{"min-file-size-bytes":0,"rewrite-all":false,"target-file-size-bytes":1048576}}`)
	require.Equal(t, Setting{"min-file-size-bytes", "0", FromPolicy}, said["min-file-size-bytes"])
	require.Equal(t, Setting{"rewrite-all", "false", FromPolicy}, said["rewrite-all"])
	require.Equal(t, Setting{"max-file-size-bytes", "1887436", FromDefault}, said["max-file-size-bytes"])
}

func TestABadTablePropertyStopsThePolicyUnlessItSpeaksItself(t *testing.T) {
	t.Parallel()
	for property, bad := range map[string]string{"history.expire.max-snapshot-age-ms": "5d", "history.expire.min-snapshots-to-keep": "0"} {
		facts := Facts{Properties: map[string]string{property: bad}}
		a := Evaluate(ExpireKind, []polaris.Policy{policyOf(ExpireKind, `{"enable":true}`)}, facts)
		require.ErrorContains(t, a.Problem, "table property "+property)
		a = Evaluate(ExpireKind, []polaris.Policy{policyOf(ExpireKind, `{"enable":true,"config":{"max-snapshot-age":"1d","retain-last":2}}`)}, facts)
		require.NoError(t, a.Problem)
	}
	for size, good := range map[string]bool{"1": true, "10000": true, "0": false, "-1": false, "1.5": false, "9000000000000000000": true} {
		a := Evaluate(CompactKind, []polaris.Policy{policyOf(CompactKind, `{"enable":true}`)}, Facts{Properties: map[string]string{"write.target-file-size-bytes": size}})
		require.Equal(t, good, a.Problem == nil, "%s: %v", size, a.Problem)
	}
	a := Evaluate(CompactKind, []polaris.Policy{policyOf(CompactKind, `{"enable":true,"config":{"min-file-size-bytes":600000000}}`)}, Facts{})
	require.ErrorContains(t, a.Problem, "each must be less than the next")
}

func TestOnlyLocationsInsideTheTableAreSearched(t *testing.T) {
	t.Parallel()
	facts := Facts{Locations: []string{"s3://b/w/t", "s3a://data/t/"}}
	for _, c := range []struct {
		locations string
		want      []string
		notes     int
		problem   string
	}{
		{locations: `["s3a://b/w/t/data","s3://b/w/t2","s3://data/t"]`, want: []string{"s3a://b/w/t/data", "s3://data/t"}, notes: 1},
		{locations: `["s3://b/w"]`, notes: 1},
		{locations: `["gs://b/w/t","s3://other/w/t"]`, notes: 2},
		{locations: `["s3://b/w/t/../t2"]`, notes: 1},
		{locations: `["s3://b/w/t","s3://b"]`, problem: `"s3://b" is a whole bucket`},
		{locations: `["s3://b/"]`, problem: "whole bucket"},
		{locations: `["s3://b//"]`, problem: "whole bucket"},
		{locations: `["file:///"]`, problem: "whole bucket"},
		{locations: `["nowhere"]`, problem: `key "locations"`},
	} {
		a := Evaluate(OrphansKind, []polaris.Policy{policyOf(OrphansKind, `{"enable":true,"locations":`+c.locations+`}`)}, facts)
		if c.problem != "" {
			require.ErrorContains(t, a.Problem, c.problem)
			continue
		}
		require.NoError(t, a.Problem)
		require.Len(t, a.Notes, c.notes, c.locations)
		if c.want == nil {
			require.NotEmpty(t, a.Nothing, c.locations)
			require.False(t, a.Enabled, "nobody may make a job of it")
			require.Nil(t, a.Settings)
			require.Nil(t, a.Effective)
			require.Equal(t, Timing{}, a.Timing)
			v := rules().Due(a, Facts{GCEnabled: true}, History{}, noon)
			require.Equal(t, Verdict{Why: "none of the policy's locations is inside the table's"}, v, c.locations)
			continue
		}
		require.Empty(t, a.Nothing)
		require.Equal(t, c.want, a.Settings.(Orphans).Locations)
		require.Equal(t, c.want, a.Effective.(Orphans).Locations)
	}
	whole := Facts{Locations: []string{"s3://b"}}
	a := Evaluate(OrphansKind, []polaris.Policy{policyOf(OrphansKind, `{"enable":true,"locations":["s3://b/"]}`)}, whole)
	require.NoError(t, a.Problem)
	require.Equal(t, []string{"s3://b/"}, a.Settings.(Orphans).Locations)
}
