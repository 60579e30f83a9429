package main

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// Figure is one line of `go test -bench`.
type Figure struct {
	Package    string             `json:"package"`
	Name       string             `json:"name"` // "ManifestRead/wide/deckhand"
	Iterations int                `json:"iterations"`
	Metrics    map[string]float64 `json:"metrics"` // by unit
}

// cpuSuffix is the "-2" that go test adds to a name when GOMAXPROCS is not 1.
var cpuSuffix = regexp.MustCompile(`-\d+$`)

// parse reads the output of `go test -bench`, copies it to echo, and gives the
// benchmarks in their order. The format is the one of
// https://go.dev/design/14313-benchmark-format.
func parse(r io.Reader, echo io.Writer) ([]Figure, error) {
	var figures []Figure
	pkg := ""
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		fmt.Fprintln(echo, line)
		if name, found := strings.CutPrefix(line, "pkg: "); found {
			pkg = name
		}
		if f, ok := parseLine(line); ok {
			f.Package = pkg
			figures = append(figures, f)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read benchmark output: %w", err)
	}
	return figures, nil
}

// parseLine reads "BenchmarkName-2  100  123 ns/op  4 B/op".
func parseLine(line string) (Figure, bool) {
	fields := strings.Fields(line)
	if len(fields) < 4 || len(fields)%2 != 0 || !strings.HasPrefix(fields[0], "Benchmark") {
		return Figure{}, false
	}
	iterations, err := strconv.Atoi(fields[1])
	if err != nil {
		return Figure{}, false
	}
	name := cpuSuffix.ReplaceAllString(strings.TrimPrefix(fields[0], "Benchmark"), "")
	f := Figure{Name: name, Iterations: iterations, Metrics: map[string]float64{}}
	for i := 2; i < len(fields); i += 2 {
		value, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			return Figure{}, false
		}
		f.Metrics[fields[i+1]] = value
	}
	return f, true
}
