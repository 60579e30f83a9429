package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/policy"
	"deckhand/internal/pulltest"
	"deckhand/internal/receipt"
	"deckhand/jobs"
	"deckhand/jobs/manifests"
	"deckhand/jobs/orphans"
)

// execOn are the flags of a job on sales.orders.
func execOn(lake *pulltest.Lake, kind string, more ...string) []string {
	return append([]string{"exec", kind, "--config", lake.Config, "--catalog", "lake", "--table", "sales.orders", "--nats-url", nowhere}, more...)
}

// plant a file below the table sales.orders that nothing names.
func plant(t *testing.T, lake *pulltest.Lake, name string, age time.Duration) string {
	t.Helper()
	path := filepath.Join(lake.Warehouse(), "sales/orders", name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
	require.NoError(t, os.WriteFile(path, []byte("left by a writer that failed"), 0o600))
	at := time.Now().Add(-age)
	require.NoError(t, os.Chtimes(path, at, at))
	return path
}

func TestExecRemovesOrphansByTheNamesOfPolicies(t *testing.T) {
	t.Parallel()
	lake, _ := newLake(t, "")
	table := names(t, lake.Warehouse())
	old, young := plant(t, lake, "data/old.parquet", 4*24*time.Hour), plant(t, lake, "data/young.parquet", 2*24*time.Hour)
	before := names(t, lake.Warehouse())

	got := worker(t, execOn(lake, "orphans", "--dry-run", "--list")...)
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Empty(t, got.Stderr, "a dry run needs no lock")
	require.Regexp(t, `(?m)^would delete\t\S*\t28\tfile://`+old+`$`, got.Stdout)
	require.NotContains(t, got.Stdout, "would delete\tdata\t28\tfile://"+young)
	require.Equal(t, before, names(t, lake.Warehouse()))

	got = worker(t, execOn(lake, "orphans", "--json")...)
	require.Equal(t, 0, got.Code, got.Stderr)
	result := decode[jobs.Result](t, got.Stdout)
	require.Equal(t, jobs.Completed, result.Outcome)
	did := decode[orphans.Receipt](t, string(result.Receipt))
	require.Equal(t, receipt.Count{Files: 1, Bytes: 28}, did.Deleted.Total())
	require.EqualValues(t, len(table), did.Named.Files)
	require.Equal(t, sorted(append(slices.Clone(table), young)), sorted(names(t, lake.Warehouse())))

	got = worker(t, execOn(lake, "orphans", "--set=older-than=36h")...)
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Regexp(t, `deleted +total +1 files +28 B`, got.Stdout)
	require.Contains(t, got.Stderr, "not locked: ")
	require.Equal(t, sorted(table), sorted(names(t, lake.Warehouse())))
}

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}

func TestExecOrphansSaysWhatIsWrongWithItsInput(t *testing.T) {
	t.Parallel()
	lake, _ := newLake(t, "")
	plant(t, lake, "data/old.parquet", 4*24*time.Hour)
	before := names(t, lake.Warehouse())
	for set, want := range map[string]string{
		"older-than=1h":              "1h is too small; the least is 1d",
		"file-list-view=v":           "no view is read, the store itself is listed",
		"prefix-mismatch-mode=warn":  `"warn" is none of ERROR, IGNORE, DELETE`,
		"quarantine=14":              "is no duration with its unit",
		"max-files=none":             "want a whole number",
		"min-interval=1h":            "has no meaning in a job",
		"remove-dangling-deletes=no": `unknown key "remove-dangling-deletes"`,
	} {
		got := worker(t, execOn(lake, "orphans", "--set", set)...)
		require.Equal(t, 2, got.Code, "%s: %s", set, got.Stderr)
		require.Contains(t, got.Stderr, want)
		require.Equal(t, 1, strings.Count(got.Stderr, "\n"), got.Stderr)
	}
	got := worker(t, execOn(lake, "orphans", "--set=locations=file:///")...)
	require.Equal(t, 3, got.Code, got.Stdout+got.Stderr)
	require.Contains(t, got.Stderr, "whole")
	got = worker(t, execOn(lake, "orphans", "--set=locations=file://"+lake.Warehouse()+"/")...)
	require.Equal(t, 0, got.Code, got.Stdout+got.Stderr)
	require.Contains(t, got.Stdout, "is skipped: it is not inside the table's")
	require.Equal(t, before, names(t, lake.Warehouse()))
}

func TestExecRewritesManifestsByTheNamesOfPolicies(t *testing.T) {
	t.Parallel()
	lake, _ := newLake(t, "")
	before, location := names(t, lake.Warehouse()), lake.Server.MetadataLocation(t.Context(), pulltest.In("sales", "orders"))
	got := worker(t, execOn(lake, "manifests", "--dry-run", "--list")...)
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Empty(t, got.Stderr, "a dry run needs no lock")
	require.Regexp(t, `would rewrite +4 manifests .* of 4`, got.Stdout)
	require.Equal(t, before, names(t, lake.Warehouse()))
	require.Equal(t, location, lake.Server.MetadataLocation(t.Context(), pulltest.In("sales", "orders")))

	got = worker(t, execOn(lake, "manifests", "--json", "--set=target-size-bytes=1048576")...)
	require.Equal(t, 0, got.Code, got.Stderr)
	result := decode[jobs.Result](t, got.Stdout)
	require.Equal(t, jobs.Manifests, result.Kind)
	did := decode[manifests.Receipt](t, string(result.Receipt))
	require.EqualValues(t, 4, did.Before.Files)
	require.EqualValues(t, 1, did.After.Files)
	require.NotEqual(t, location, lake.Server.MetadataLocation(t.Context(), pulltest.In("sales", "orders")))
	require.Subset(t, names(t, lake.Warehouse()), before, "nothing of the table is deleted")

	got = worker(t, execOn(lake, "manifests")...)
	require.Equal(t, 0, got.Code, got.Stderr)
	require.Regexp(t, `rewrote +nothing +of 1 manifests`, got.Stdout)

	for set, want := range map[string]string{
		"target-size-bytes=8MB": "want a whole number",
		"target-size-bytes=1":   "1 is too small; the least is 1024",
		"spec-id=-1":            "too small",
		"table=sales.orders":    "a job names its table itself",
		"min-commit=1":          `did you mean "min-commits"?`,
	} {
		got := worker(t, execOn(lake, "manifests", "--set", set)...)
		require.Equal(t, 2, got.Code, "%s: %s", set, got.Stderr)
		require.Contains(t, got.Stderr, want)
	}
	for _, test := range []struct{ set, want string }{{"spec-id=77", "77"}, {"sort-by=nothing", "nothing"}} {
		got := worker(t, execOn(lake, "manifests", "--set", test.set)...)
		require.Equal(t, 3, got.Code, "%s: %s", test.set, got.Stdout+got.Stderr)
		require.Contains(t, got.Stderr, test.want)
	}
}

func TestTheDocumentedCapOfASearchIsTheOneInForce(t *testing.T) {
	t.Parallel()
	for i := range policy.Keys {
		if policy.Keys[i].Name == "max-files" {
			require.Contains(t, policy.Keys[i].Meaning, fmt.Sprintf("Default: %d", orphans.DefaultMaxFiles))
			return
		}
	}
	require.Fail(t, "there is no key max-files")
}
