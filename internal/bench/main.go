package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"time"
)

func main() {
	bench := flag.String("bench", ".", "which benchmarks, a regular expression as for go test")
	benchtime := flag.String("benchtime", "1s", "how long each benchmark runs, as for go test")
	out := flag.String("out", "build/bench.json", "file for everything that was measured")
	strict := flag.Bool("strict", false, "end with exit code 1 when a goal is missed or not measured")
	flag.Parse()
	packages := flag.Args()
	if len(packages) == 0 {
		packages = []string{"./..."}
	}
	missed, err := run(*bench, *benchtime, *out, packages)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	if *strict && missed > 0 {
		os.Exit(1)
	}
}

// run measures and reports. It gives the number of goals that were not reached.
func run(bench, benchtime, out string, packages []string) (missed int, err error) {
	figures, settings, err := measureAll(bench, benchtime, packages)
	if err != nil {
		return 0, err
	}
	report := Report{Time: time.Now().UTC(), Machine: machine(settings), Rows: compare(figures, goals), Figures: figures}
	rows := report.Rows
	for _, r := range rows {
		if r.Goal != "" && r.Verdict != "ok" {
			missed++
		}
	}
	if bench != "." { // a part of them was asked for
		rows = slices.DeleteFunc(rows, func(r Row) bool { return r.Verdict == unknown })
	}
	report.Rows = rows
	fmt.Println()
	writeTable(os.Stdout, rows)
	page, err := report.save(out)
	if err != nil {
		return 0, err
	}
	fmt.Printf("\neverything measured: %s, as a page: %s\n", out, page)
	return missed, nil
}

// measureAll runs go test, one package after the other, so that benchmarks do
// not disturb each other.
func measureAll(bench, benchtime string, packages []string) ([]Figure, map[string]string, error) {
	args := append([]string{"test", "-p", "1", "-run", "^$", "-bench", bench, "-benchmem", "-benchtime", benchtime, "-timeout", "60m"}, packages...)
	test := exec.Command("go", args...) //nolint:gosec // the arguments are the developer's own; Ctrl-C reaches the group
	test.Stderr = os.Stderr
	output, err := test.StdoutPipe()
	if err != nil {
		return nil, nil, fmt.Errorf("run go test: %w", err)
	}
	if err := test.Start(); err != nil {
		return nil, nil, fmt.Errorf("run go test: %w", err)
	}
	figures, settings, parseErr := parse(output, os.Stderr)
	if parseErr != nil {
		_, _ = io.Copy(io.Discard, output)
	}
	if err := test.Wait(); err != nil {
		return nil, nil, fmt.Errorf("run go test: %w", err)
	}
	return figures, settings, parseErr
}
