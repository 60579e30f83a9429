package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/clitest"
	"deckhand/internal/command"
	"deckhand/internal/natstest"
	"deckhand/internal/tabletest"
)

func TestMain(m *testing.M) {
	natstest.RunIfChild()
	clitest.RunIfChild(main)
	clitest.Isolate()
	os.Exit(m.Run())
}

// worker runs a command that ends by itself.
func worker(t *testing.T, args ...string) clitest.Result {
	t.Helper()
	return clitest.RunHere(command.Main, newRoot(), "", args...)
}

// nowhere is an address at which no NATS server answers.
const nowhere = "nats://127.0.0.1:1"

// yard is a local warehouse with a configuration for it.
type yard struct {
	folder, config string
}

// newYard writes a configuration for a local catalog "lake" and more YAML.
func newYard(t *testing.T, more string) yard {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(folder, "warehouse"), 0o750))
	y := yard{folder: folder, config: filepath.Join(folder, "deckhand.yaml")}
	yaml := fmt.Sprintf("catalogs:\n  lake:\n    locations: [file://%s/warehouse]\n    purge: {verify: off}\n%s", folder, more)
	require.NoError(t, os.WriteFile(y.config, []byte(yaml), 0o600))
	return y
}

// table writes a small table's metadata at a name below the warehouse.
func (y yard) table(t *testing.T, name string) *tabletest.SyntheticTable {
	t.Helper()
	table, err := tabletest.Synthetic(tabletest.SyntheticOptions{
		Location: "file://" + filepath.Join(y.folder, "warehouse", name), Files: 20, Manifests: 2, Snapshots: 2,
	}, tabletest.ToFolder())
	require.NoError(t, err)
	return table
}

// tableFiles is how many files a new table of [yard.table] names: its data files,
// which are not there, and what was written.
func (y yard) tableFiles(t *testing.T, name string) int {
	t.Helper()
	return 20 + len(y.files(t, name))
}

// files lists what is left of a table.
func (y yard) files(t *testing.T, name string) (paths []string) {
	t.Helper()
	root := filepath.Join(y.folder, "warehouse", name)
	if _, err := os.Stat(root); os.IsNotExist(err) {
		return nil
	}
	require.NoError(t, filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			paths = append(paths, path)
		}
		return err
	}))
	return paths
}

func decode[T any](t *testing.T, text string) (value T) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(text), &value), text)
	return value
}
