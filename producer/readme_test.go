package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/clitest"
	"deckhand/internal/queue"
	"deckhand/internal/standin"
	"deckhand/internal/tabletest/icebergtable"
)

// readmePart is what the README has between two marks, without its indent.
func readmePart(t *testing.T, what string) string {
	t.Helper()
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	parts := regexp.MustCompile(`(?s)<!-- pull: `+what+` -->\n(.*?)<!-- end -->`).FindAllStringSubmatch(string(readme), -1)
	require.NotEmpty(t, parts)
	var text strings.Builder
	for _, part := range parts {
		for line := range strings.Lines(part[1]) {
			text.WriteString(strings.TrimPrefix(line, "    "))
		}
	}
	return text.String()
}

// TestPullModeIsSetUpAsTheReadmeSays runs what the README has people type, on the
// stand-in, or on a fresh Polaris at POLARIS_URL that allows FILE storage.
func TestPullModeIsSetUpAsTheReadmeSays(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"bash", "curl", "sed"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(tool + " is not installed")
		}
	}
	folder := t.TempDir()
	require.NoError(t, os.MkdirAll(folder+"/build/bin", 0o750))
	require.NoError(t, os.Symlink(clitest.Build(t, "worker"), folder+"/build/bin/worker"))
	clitest.Script(t, folder+"/build/bin/producer")
	made, err := icebergtable.Write(t.Context(), icebergtable.Options{Location: "file://" + filepath.Join(folder, "warehouse/sales/orders"), Files: 8, Snapshots: 4})
	require.NoError(t, err)
	require.NoError(t, made.Objects.WriteFolder())
	orphan, old := filepath.Join(folder, "warehouse/sales/orders/data/orphan.parquet"), time.Now().Add(-9*24*time.Hour)
	require.NoError(t, os.WriteFile(orphan, []byte("rows"), 0o600))
	require.NoError(t, os.Chtimes(orphan, old, old))

	polaris := os.Getenv("POLARIS_URL")
	if polaris == "" {
		polaris = strings.TrimSuffix(standin.Start(t).URI(), "/api/catalog")
	}
	const address = "http://127.0.0.1:8181"
	moved := func(text string) string {
		require.Contains(t, text, address)
		return strings.ReplaceAll(text, address, polaris)
	}
	require.NoError(t, os.WriteFile(folder+"/deckhand.yaml", []byte(moved(readmePart(t, "config"))), 0o600))
	shell := moved(readmePart(t, "shell"))
	// What is there before: the catalog and a table, made when the token is known.
	catalog, err := json.Marshal(map[string]any{"catalog": map[string]any{
		"name": "lake", "type": "INTERNAL",
		"storageConfigInfo": map[string]any{"storageType": "FILE", "allowedLocations": []string{"file://" + folder + "/warehouse"}},
		"properties":        map[string]string{"default-base-location": "file://" + folder + "/warehouse"},
	}})
	require.NoError(t, err)
	before := "\ncall POST $manage/catalogs -d '" + string(catalog) + "'\n" +
		`call POST $POLARIS/api/catalog/v1/lake/namespaces -d '{"namespace":["sales"]}'` + "\n" +
		`call POST $POLARIS/api/catalog/v1/lake/namespaces/sales/register -d '{"name":"orders","metadata-location":"` + made.MetadataLocation + `"}' > registered.json` + "\n"
	mark := "manage=$POLARIS/api/management/v1\n"
	require.Contains(t, shell, mark)
	shell = strings.Replace(shell, mark, mark+before, 1)

	url, _ := serve(t, queue.AssetsConfig{})
	run := exec.Command("bash", "-euo", "pipefail", "-c", shell)
	run.Dir, run.Env = folder, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + folder, "NATS_URL=" + url}
	output, err := run.CombinedOutput()
	require.NoError(t, err, string(output))
	said := string(output)
	require.Contains(t, said, "sales.keep-a-week, version 0, inherited")
	require.Contains(t, said, "nothing expires yet")
	require.Contains(t, said, "1 tables in 1 namespaces, 0 failed, 0 broken policies")
	require.Contains(t, said, "would delete\tmanifest-list\t")
	require.Regexp(t, `removed +3 snapshots +of 4`, said)
	require.Regexp(t, `would delete\t\S*\t4\tfile://\S*/orphan\.parquet`, said)
	require.Regexp(t, `would rewrite +4 manifests .* of 4`, said)
	require.Contains(t, said, "sales.no-orphans, version 0, inherited")
	require.Contains(t, said, "no search is known of")
	require.Contains(t, said, "sales.few-manifests, version 0, inherited")
	require.Contains(t, said, "4 commits since the last rewrite; 50 make it due")
	require.NotContains(t, said, "not locked")
}
