package deploy_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/jobs"
)

// What the extension makes of the rows of a real server. The Java tests compare
// their output with the same files.
const recordedJobs = "polaris/outbox/src/test/resources/recorded"

func TestJobsThatTheExtensionWritesAreCanonicalAndValid(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(recordedJobs, "*.json"))
	require.NoError(t, err)
	require.Len(t, files, 14)
	for _, file := range files {
		body, err := os.ReadFile(file)
		require.NoError(t, err)
		job, err := jobs.Decode(body)
		require.NoError(t, err, file)
		again, err := job.Encode()
		require.NoError(t, err, file)
		require.Equal(t, string(body), string(again), file)
		subject, err := os.ReadFile(strings.TrimSuffix(file, ".json") + ".subject")
		require.NoError(t, err)
		require.Equal(t, job.Subject(), string(subject), file)
	}
}
