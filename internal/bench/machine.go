package main

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
)

// modules are what our figures and the rivals' depend on.
var modules = map[string]string{
	"iceberg-go":  "github.com/apache/iceberg-go",
	"nats-server": "github.com/nats-io/nats-server/v2",
	"nats.go":     "github.com/nats-io/nats.go",
}

// machine names the machine and the versions, of what the benchmarks said and of
// what can be asked here. What cannot be told is left out.
func machine(settings map[string]string) []string {
	lines := []string{fmt.Sprintf("cpu: %s, %d cores", settings["cpu"], runtime.NumCPU())}
	if memory := memoryGiB(); memory > 0 {
		lines = append(lines, fmt.Sprintf("memory: %.0f GiB", memory))
	}
	lines = append(lines,
		fmt.Sprintf("system: %s/%s %s", runtime.GOOS, runtime.GOARCH, firstLine("uname", "-r")),
		"go: "+runtime.Version())
	if commit := firstLine("git", "describe", "--always", "--dirty"); commit != "" {
		lines = append(lines, "deckhand: "+commit)
	}
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		if version := firstLine("go", "list", "-m", "-f", "{{.Version}}", modules[name]); version != "" {
			lines = append(lines, name+": "+version)
		}
	}
	for _, rival := range rivals {
		if version := settings[rival]; version != "" {
			lines = append(lines, rival+": "+version)
		}
	}
	return lines
}

// memoryGiB is what the machine has, 0 where it does not tell.
func memoryGiB() float64 {
	file, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var kibibytes float64
		if n, _ := fmt.Sscanf(lines.Text(), "MemTotal: %f kB", &kibibytes); n == 1 {
			return kibibytes / (1 << 20)
		}
	}
	return 0
}

// firstLine is what a command says, empty when it fails.
func firstLine(command string, args ...string) string {
	said, err := exec.Command(command, args...).Output() //nolint:gosec // the commands are ours
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(said), "\n")
	return strings.TrimSpace(line)
}
