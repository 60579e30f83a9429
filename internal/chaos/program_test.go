package main

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
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
		require.Equal(t, part == nothing, len(replaced.Replace) == 0, part)
	}
	_, err := ablate(t.TempDir(), "rudder")
	require.ErrorContains(t, err, "there are lease and watchdog")
}

func TestMakeHelpNamesEveryChoice(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile("../../Makefile")
	require.NoError(t, err)
	_, help, found := strings.Cut(string(makefile), "\nchaos: ## ")
	require.True(t, found)
	help, _, _ = strings.Cut(help, "\n")
	for _, c := range []struct {
		variable string
		values   []string
	}{{"PROFILE", slices.Sorted(maps.Keys(choices))}, {"WITHOUT", slices.Sorted(maps.Keys(ablations))}} {
		_, values, found := strings.Cut(help, c.variable+"=")
		require.True(t, found, c.variable)
		named := strings.Split(values[:strings.IndexAny(values, ",)")], "|")
		require.ElementsMatch(t, c.values, named)
	}
}
