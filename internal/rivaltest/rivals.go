package rivaltest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/s3test"
)

// pyicebergVersion is what testing.md's figures were taken with; SQLite is the
// catalog that needs no server.
const pyicebergVersion = "0.12.0"

// Rival purges tables, one at a time.
type Rival struct {
	tb      testing.TB
	answers *bufio.Reader
	orders  io.WriteCloser
	said    bytes.Buffer
}

// Java is Iceberg's CatalogUtil.dropTableData on the server, until the benchmark
// ends. It is built the first time, with Maven.
func Java(tb testing.TB, server *s3test.Server) *Rival {
	tb.Helper()
	built, err := buildJava()
	if err != nil {
		tb.Skipf("Iceberg's Java library cannot be had here: %v", err)
	}
	return start(tb, "iceberg-java", server, "java", "-cp",
		filepath.Join(built, "classes")+":"+filepath.Join(built, "lib", "*"), "dev.deckhand.rivals.DropTableData")
}

// PyIceberg is its purge_table on the server, until the benchmark ends. It is
// installed the first time, with pip.
func PyIceberg(tb testing.TB, server *s3test.Server) *Rival {
	tb.Helper()
	python, err := installPython()
	if err != nil {
		tb.Skipf("PyIceberg cannot be had here: %v", err)
	}
	return start(tb, "pyiceberg", server, python, filepath.Join(home(), "python", "purge.py"))
}

// start runs a rival, and prints its version for the page of figures as a
// configuration line of the benchmark format.
func start(tb testing.TB, name string, server *s3test.Server, command string, args ...string) *Rival {
	tb.Helper()
	r := &Rival{tb: tb}
	args = append(args, server.Endpoint(), s3test.AccessKeyID, s3test.SecretAccessKey)
	process := exec.CommandContext(tb.Context(), command, args...) //nolint:gosec // the command is ours
	// the test's S3 server knows no checksum behind a body in chunks
	process.Env = append(os.Environ(), "AWS_REQUEST_CHECKSUM_CALCULATION=when_required")
	process.Stderr = &r.said
	output, err := process.StdoutPipe()
	require.NoError(tb, err)
	r.orders, err = process.StdinPipe()
	require.NoError(tb, err)
	require.NoError(tb, process.Start())
	tb.Cleanup(func() {
		_ = r.orders.Close() // it ends by itself then
		_ = process.Wait()
	})
	r.answers = bufio.NewReader(output)
	fmt.Printf("%s: %s\n", name, r.answer())
	return r
}

// Purge purges the table at the metadata location and gives the time that it took
// by the rival's own clock.
func (r *Rival) Purge(metadataLocation string) time.Duration {
	r.tb.Helper()
	_, err := fmt.Fprintln(r.orders, metadataLocation)
	require.NoError(r.tb, err)
	nanoseconds, err := strconv.ParseInt(r.answer(), 10, 64)
	require.NoError(r.tb, err)
	return time.Duration(nanoseconds)
}

func (r *Rival) answer() string {
	r.tb.Helper()
	line, err := r.answers.ReadString('\n')
	require.NoError(r.tb, err, "the rival ended")
	return strings.TrimSpace(line)
}

// buildJava compiles the rival once, and gives the folder with its classes.
var buildJava = sync.OnceValues(func() (string, error) {
	built := filepath.Join(home(), "..", "..", "build", "rivals")
	return built, run(filepath.Join(home(), "java"), "mvn", "-q", "-B", "-ntp",
		"compile", "dependency:copy-dependencies", "-DoutputDirectory="+filepath.Join(built, "lib"))
})

// installPython makes an environment once, and gives its interpreter.
var installPython = sync.OnceValues(func() (string, error) {
	environment := filepath.Join(home(), "..", "..", "build", "rivals-python")
	python := filepath.Join(environment, "bin", "python")
	if exec.Command(python, "-c", "import pyiceberg, pyarrow, sqlalchemy").Run() == nil {
		return python, nil
	}
	if err := run(".", "python3", "-m", "venv", environment); err != nil {
		return "", err
	}
	return python, run(".", python, "-m", "pip", "install", "-q", "--disable-pip-version-check",
		"pyiceberg[sql-sqlite]=="+pyicebergVersion, "pyarrow")
})

func run(folder, command string, args ...string) error {
	process := exec.Command(command, args...) //nolint:gosec // the command is ours
	process.Dir = folder
	if said, err := process.CombinedOutput(); err != nil {
		return fmt.Errorf("run %s: %w: %.300s", command, err, said)
	}
	return nil
}

// home is the folder of this package.
func home() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(file)
}
