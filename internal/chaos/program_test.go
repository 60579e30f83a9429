package main

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// The places that ablations change have to be there, or nothing is left out.
func TestEachPartOfTheProtocolCanBeLeftOut(t *testing.T) {
	t.Chdir("../..")
	for part := range ablations {
		overlay, err := ablate(t.TempDir(), part)
		require.NoError(t, err, part)
		list, err := os.ReadFile(overlay)
		require.NoError(t, err)
		var replaced struct{ Replace map[string]string }
		require.NoError(t, json.Unmarshal(list, &replaced))
		for source, changed := range replaced.Replace {
			before, err := os.ReadFile(source)
			require.NoError(t, err)
			after, err := os.ReadFile(changed)
			require.NoError(t, err)
			require.NotEqual(t, string(before), string(after), part)
		}
	}
	_, err := ablate(t.TempDir(), "rudder")
	require.ErrorContains(t, err, "there are lease and watchdog")
}
