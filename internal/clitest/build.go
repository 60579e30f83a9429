package clitest

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Build builds a program of this module, for a test of another one, and gives its path. It is built as
// the tests are, with the race detector or without, so that little more than linking
// is left to do.
func Build(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	args := []string{"build", "-ldflags=-s -w", "-o", path}
	if raced {
		args = append(args, "-race")
	}
	output, err := exec.CommandContext(t.Context(), "go", append(args, "deckhand/"+name)...).CombinedOutput() //nolint:gosec // of a test
	require.NoError(t, err, string(output))
	return path
}
