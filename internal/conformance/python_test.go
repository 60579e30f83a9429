package conformance

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	iceberg_table "github.com/apache/iceberg-go/table"
	"github.com/stretchr/testify/require"

	"deckhand/internal/polaris"
	"deckhand/internal/s3test"
	"deckhand/internal/standin"
)

// python finds an interpreter that has PyIceberg: the one of make test-rest, or the
// machine's.
func python(t *testing.T) string {
	t.Helper()
	built, err := filepath.Abs("../../build/python/bin/python")
	require.NoError(t, err)
	for _, candidate := range []string{built, "python3"} {
		if exec.CommandContext(t.Context(), candidate, "-c", "import pyiceberg, pyarrow").Run() == nil {
			return candidate
		}
	}
	t.Skip("no Python with pyiceberg and pyarrow: pip install pyiceberg pyarrow, or make test-rest")
	return ""
}

// pyTable runs testdata/table.py.
func pyTable(t *testing.T, interpreter, what string, target Target) string {
	t.Helper()
	args := []string{filepath.Join("testdata", "table.py"), what, target.URI, target.Warehouse}
	if target.Root != "" {
		args = append(args, target.Root)
	}
	run := exec.CommandContext(t.Context(), interpreter, args...)
	// the test's S3 server knows no checksum behind a body in chunks
	run.Env = append(os.Environ(), "AWS_REQUEST_CHECKSUM_CALCULATION=when_required")
	var complaints strings.Builder
	run.Stderr = &complaints
	said, err := run.Output()
	require.NoError(t, err, "%s", &complaints)
	return strings.TrimSpace(string(said))
}

// TestPyIcebergsTablesAreMaintained writes a table with PyIceberg, removes a
// snapshot of it, and lets PyIceberg read it again.
func TestPyIcebergsTablesAreMaintained(t *testing.T) {
	t.Parallel()
	if os.Getenv("TEST_REST") == "" {
		t.Skip("PyIceberg is not asked for: make test-rest")
	}
	interpreter := python(t)
	maintain := func(t *testing.T, target Target) {
		t.Parallel()
		require.Equal(t, "21 4", pyTable(t, interpreter, "write", target))
		s := &suite{Target: target, credential: target.Root}
		c := s.connect(t, func(*polaris.Config) {})
		id := polaris.Identifier{Namespace: []string{"python"}, Name: "orders"}
		loaded, err := c.Load(t.Context(), id, polaris.LoadOptions{})
		require.NoError(t, err)
		require.Len(t, loaded.Metadata.Snapshots, 4)
		// the second: the first is tagged
		second := loaded.Metadata.Snapshots[1].ID
		_, err = c.Commit(t.Context(), id, nil, []iceberg_table.Update{iceberg_table.NewRemoveSnapshotsUpdate([]int64{second}, false)})
		require.NoError(t, err)
		require.Equal(t, "21 3", pyTable(t, interpreter, "read", target))
	}
	t.Run("on Iceberg's own server", func(t *testing.T) { maintain(t, startFixture(t)) })
	t.Run("on the stand-in, FILE", func(t *testing.T) {
		s := standin.Start(t, standin.Options{Catalogs: []standin.Catalog{{Name: "lake", Location: "file://" + t.TempDir()}}})
		maintain(t, Target{URI: s.URI(), Warehouse: "lake", Root: standin.RootID + ":" + standin.RootSecret})
	})
	t.Run("on the stand-in, S3", func(t *testing.T) {
		store := s3test.Start(t, s3test.Options{CheckAuth: true})
		s := standin.Start(t, standin.Options{Catalogs: []standin.Catalog{{
			Name: "lake", Location: "s3://" + s3test.DefaultBucket + "/lake", S3: &standin.S3{
				Endpoint: store.Endpoint(), AccessKeyID: s3test.AccessKeyID, SecretAccessKey: s3test.SecretAccessKey,
			},
		}}})
		maintain(t, Target{URI: s.URI(), Warehouse: "lake", Root: standin.RootID + ":" + standin.RootSecret})
	})
}
