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

// settingLine is a configuration line of the benchmark format, such as
// "cpu: AMD EPYC".
var settingLine = regexp.MustCompile(`^([a-z][a-z-]*): (\S.*)$`)

// parse reads the output of `go test -bench`, copies it to echo, and gives the
// benchmarks in their order, and what its configuration lines say of the machine
// and of the rivals. The format is the one of
// https://go.dev/design/14313-benchmark-format.
func parse(r io.Reader, echo io.Writer) (figures []Figure, settings map[string]string, err error) {
	pkg := ""
	settings = map[string]string{}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		fmt.Fprintln(echo, line)
		switch found := settingLine.FindStringSubmatch(line); {
		case found == nil:
		case found[1] == "pkg":
			pkg = found[2]
		default:
			settings[found[1]] = found[2]
		}
		if f, ok := parseLine(line); ok {
			f.Package = pkg
			figures = append(figures, f)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, nil, fmt.Errorf("read benchmark output: %w", err)
	}
	return figures, settings, nil
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
