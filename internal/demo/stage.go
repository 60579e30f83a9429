package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"deckhand/internal/natstest"
	"deckhand/internal/standin"
)

// ackWait is how long a job waits for a worker that died. The default is two
// minutes, which is long to watch.
const ackWait = 4 * time.Second

// stage is where the demo plays: a folder with everything in it, two free ports,
// and at most one running worker.
type stage struct {
	folder    string
	warehouse string // folder of the tables
	config    string // the worker's configuration file
	log       string // the worker's log file
	bin       string // folder of the binaries
	nats      string // URL
	http      string // host:port of /metrics
	catalog   *standin.Server
	worker    *exec.Cmd
	exited    chan struct{} // closed when worker has ended
}

func newStage(ctx context.Context) (*stage, error) {
	folder, err := os.MkdirTemp("", "deckhand-demo-")
	if err != nil {
		return nil, fmt.Errorf("make folder: %w", err)
	}
	ports, err := natstest.FreePorts(2)
	if err != nil {
		return nil, err
	}
	s := &stage{
		folder: folder, warehouse: filepath.Join(folder, "warehouse"), config: filepath.Join(folder, "config.yaml"),
		log: filepath.Join(folder, "worker.log"), bin: filepath.Join(folder, "bin"),
		nats: fmt.Sprintf("nats://127.0.0.1:%d", ports[0]), http: fmt.Sprintf("127.0.0.1:%d", ports[1]),
	}
	rest, err := s.openCatalog()
	if err != nil {
		return nil, err
	}
	config := fmt.Sprintf(`nats: { url: %s }
worker:
  http: %s
  ack_wait: %s
  embedded: { store_dir: %s }
catalogs:
  lake:
    realm: POLARIS
    locations: ["file://%s/"]
%s`, s.nats, s.http, ackWait, filepath.Join(folder, "nats"), s.warehouse, rest)
	if err := os.WriteFile(s.config, []byte(config), 0o600); err != nil {
		return nil, fmt.Errorf("write configuration: %w", err)
	}
	step("Build worker and producer")
	started := time.Now()
	build := exec.CommandContext(ctx, "go", "build", "-o", s.bin+"/", "./worker", "./producer") //nolint:gosec // fixed arguments
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return nil, errors.Join(fmt.Errorf("build: %w", err), os.RemoveAll(folder))
	}
	detail("%s; everything of this demo lies in %s", brief(time.Since(started)), folder)
	return s, nil
}

// end closes the stage, and keeps everything if the demo failed.
func (s *stage) end(err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "\nkept for a look: %s (the worker's log is %s)\n", s.folder, s.log)
	}
	s.close(err == nil)
}

// close stops the worker and removes the folder, if it is not to be looked at.
func (s *stage) close(remove bool) {
	s.stop()
	if s.catalog != nil {
		_ = s.catalog.Close()
	}
	if remove {
		_ = os.RemoveAll(s.folder)
	}
}
