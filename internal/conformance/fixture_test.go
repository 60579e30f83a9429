package conformance

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// buildFixture compiles it once, and gives the folder with its classes.
var buildFixture = sync.OnceValues(func() (string, error) {
	built, err := filepath.Abs("../../build/fixture")
	if err != nil {
		return "", err
	}
	build := exec.Command("mvn", "-q", "-B", "-ntp", "compile", "dependency:copy-dependencies", "-DoutputDirectory="+filepath.Join(built, "lib"))
	build.Dir = "fixture"
	if said, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the fixture: %w: %s", err, said)
	}
	return built, nil
})

// startFixture runs Iceberg's own REST server (folder fixture) over a catalog in a
// temporary folder, until the test ends. The test is skipped where it was not asked
// for with TEST_REST.
func startFixture(t *testing.T) Target {
	t.Helper()
	if os.Getenv("TEST_REST") == "" {
		t.Skip("Iceberg's own REST server is not asked for: make test-rest")
	}
	built, err := buildFixture()
	require.NoError(t, err)
	folder := t.TempDir()
	run := exec.CommandContext(t.Context(), "java", "-cp",
		filepath.Join(built, "classes")+":"+filepath.Join(built, "lib", "*"), "dev.deckhand.fixture.RestFixture", folder)
	var complaints bytes.Buffer
	run.Stderr = &complaints
	input, err := run.StdinPipe()
	require.NoError(t, err)
	output, err := run.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, run.Start())
	t.Cleanup(func() {
		_ = input.Close() // it ends by itself then
		_ = run.Wait()
	})
	port, err := bufio.NewReader(output).ReadString('\n')
	require.NoError(t, err, "%s", &complaints)
	return Target{
		URI: "http://127.0.0.1:" + strings.TrimSpace(port), Warehouse: "lake", Location: "file://" + folder + "/warehouse",
	}
}
