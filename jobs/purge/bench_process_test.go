package purge_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/s3test"
	"deckhand/internal/tabletest"
)

// buildWorker builds the worker as users have it.
func buildWorker(b *testing.B) string {
	program := filepath.Join(b.TempDir(), "worker")
	build := exec.CommandContext(b.Context(), "go", "build", "-o", program, "deckhand/worker") //nolint:gosec // a benchmark
	output, err := build.CombinedOutput()
	require.NoError(b, err, string(output))
	return program
}

// workerConfig is a configuration with one catalog, lake, on a server.
func workerConfig(b *testing.B, server *s3test.Server, more string) string {
	path := filepath.Join(b.TempDir(), "deckhand.yaml")
	text := fmt.Sprintf(`catalogs:
  lake:
    locations: [s3://warehouse/]
    purge: {verify: off}
    s3: {endpoint: %q, region: us-east-1, path_style: true, access_key_id: %q, secret_access_key: %q}
`, server.Endpoint(), s3test.AccessKeyID, s3test.SecretAccessKey) + more
	require.NoError(b, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// process is one that runs beside the benchmark.
type process struct {
	cmd    *exec.Cmd
	output bytes.Buffer
	// peak is the largest resident set in MiB that was seen.
	peak    float64
	watched sync.WaitGroup
	ended   chan struct{}
}

var highWater = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// startProcess runs a worker without what the environment says of Go's memory.
func startProcess(ctx context.Context, b *testing.B, program string, args ...string) *process {
	p := &process{cmd: exec.CommandContext(ctx, program, args...), ended: make(chan struct{})} //nolint:gosec // a benchmark
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	p.cmd.Env = append(os.Environ(), "GOMEMLIMIT=off", "GOGC=100")
	require.NoError(b, p.cmd.Start())
	p.watched.Go(func() {
		for {
			// The kernel keeps the peak, so that none is missed but at the very end. That
			// of rusage would be the parent's where it was larger.
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
			if found := highWater.FindSubmatch(status); err == nil && found != nil {
				kib, _ := strconv.ParseFloat(string(found[1]), 64)
				p.peak = max(p.peak, kib/1024)
			}
			select {
			case <-p.ended:
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	})
	return p
}

// wait gives the process's error and its peak in MiB.
func (p *process) wait() (peak float64, err error) {
	err = p.cmd.Wait()
	close(p.ended)
	p.watched.Wait()
	return p.peak, err
}

// BenchmarkPurgeProcess reports the peak of the resident memory of a worker's process
// that purges ten million files in one job.
func BenchmarkPurgeProcess(b *testing.B) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		b.Skip("there is no /proc to read a process's memory from")
	}
	program := buildWorker(b)
	server := s3test.Start(b, s3test.Options{Buckets: []string{"warehouse"}, DeleteAlwaysOK: true})
	made, err := tabletest.Synthetic(tabletest.SyntheticOptions{
		Location: "s3://warehouse/db/t", Files: 10_000_000, Manifests: 1_000, Snapshots: 10,
	}, tabletest.ToBucket(server))
	require.NoError(b, err)
	config := workerConfig(b, server, "")
	b.ResetTimer()
	most := 0.0
	for range b.N {
		worker := startProcess(b.Context(), b, program, "exec", "purge", "--config", config, "--catalog", "lake",
			"--table", "db.t", "--table-uuid", made.UUID, "--metadata-location", made.MetadataLocation)
		peak, err := worker.wait()
		require.NoError(b, err, worker.output.String())
		require.Contains(b, worker.output.String(), "10000000")
		most = max(most, peak)
	}
	b.ReportMetric(most, "peak-MiB")
	b.ReportMetric(float64(made.Files*b.N)/b.Elapsed().Seconds(), "files/s")
}
