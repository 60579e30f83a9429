package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// edit is a change of a source file, which must match exactly once.
type edit struct{ file, from, to string }

// nothing is left out: a run in which the judgement is to find nothing.
const nothing = "nothing"

// ablations are parts of the protocol that can be left out.
var ablations = map[string][]edit{
	nothing: nil,
	// Without leases a job is run by whoever it is delivered to.
	"lease": {
		{"internal/queue/lease.go", "func (l *Lease) create(ctx context.Context) error {\n", "\tl.confirmed = time.Now()\n\treturn nil\n"},
		{"internal/queue/lease.go", "func (l *Lease) tryRenew(ctx context.Context) error {\n", "\tl.mu.Lock()\n\tl.confirmed = time.Now()\n\tl.mu.Unlock()\n\treturn nil\n"},
		{"internal/queue/lease.go", "func (l *Lease) remove(ctx context.Context) error {\n", "\treturn nil\n"},
		{"internal/queue/lease.go", "func (l *Lease) letGo(ctx context.Context) error {\n", "\tl.forget()\n\treturn nil\n"},
	},
	// Without the watchdog a run whose lease is not renewed goes on until the queue
	// says that it is lost.
	"watchdog": {
		{"internal/queue/timings.go", "fence:         ackWait * 2 / 3", "fence:         24 * time.Hour"},
	},
}

// programs are the binaries of a run.
type programs struct{ worker, nats string }

// build makes them in a folder. Without names the part to leave out; "" for none.
func build(ctx context.Context, folder, without string) (programs, error) {
	p := programs{worker: filepath.Join(folder, "worker"), nats: filepath.Join(folder, "nats-server")}
	args := []string{"build", "-trimpath", "-o", p.worker}
	if without != "" {
		overlay, err := ablate(folder, without)
		if err != nil {
			return p, err
		}
		args = append(args, "-overlay", overlay)
	}
	if err := compile(ctx, append(args, "./worker")...); err != nil {
		return p, err
	}
	return p, compile(ctx, "build", "-trimpath", "-o", p.nats, "github.com/nats-io/nats-server/v2")
}

func compile(ctx context.Context, args ...string) error {
	command := exec.CommandContext(ctx, "go", args...) //nolint:gosec // fixed arguments
	command.Stderr = os.Stderr
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if err := command.Run(); err != nil {
		return fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	}
	return nil
}

// ablate writes changed sources and the list of them that the compiler takes.
func ablate(folder, without string) (overlay string, err error) {
	edits, known := ablations[without]
	if !known {
		return "", fmt.Errorf("there is no part %q to leave out; there are lease and watchdog", without)
	}
	sources := map[string]string{}
	for _, e := range edits {
		path, err := filepath.Abs(e.file)
		if err != nil {
			return "", fmt.Errorf("find %s: %w", e.file, err)
		}
		if sources[path] == "" {
			data, err := os.ReadFile(path) //nolint:gosec // a source of this project
			if err != nil {
				return "", fmt.Errorf("read source: %w", err)
			}
			sources[path] = string(data)
		}
		if n := strings.Count(sources[path], e.from); n != 1 {
			return "", fmt.Errorf("leave out the %s: %s has %d places like %q, and should have one; adapt the list of edits", without, e.file, n, e.from)
		}
		sources[path] = strings.Replace(sources[path], e.from, e.replacement(), 1)
	}
	replace := map[string]string{}
	for path, text := range sources {
		changed := filepath.Join(folder, without+"-"+filepath.Base(path))
		if err := os.WriteFile(changed, []byte(text), 0o600); err != nil {
			return "", fmt.Errorf("write source: %w", err)
		}
		replace[path] = changed
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", fmt.Errorf("encode overlay: %w", err)
	}
	overlay = filepath.Join(folder, without+".json")
	if err := os.WriteFile(overlay, list, 0o600); err != nil {
		return "", fmt.Errorf("write overlay: %w", err)
	}
	return overlay, nil
}

// replacement of what is found. A function keeps its head: the rest of it is not
// reached any more.
func (e edit) replacement() string {
	if strings.HasPrefix(e.from, "func ") {
		return e.from + e.to
	}
	return e.to
}
