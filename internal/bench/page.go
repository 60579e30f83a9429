package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Report is a run of the benchmarks.
type Report struct {
	Time time.Time `json:"time"`
	// Machine says what the figures were measured on and with, a line each:
	// "cpu: AMD EPYC, 2 cores".
	Machine []string `json:"machine"`
	Rows    []Row    `json:"rows"`
	Figures []Figure `json:"figures"`
}

// save writes the report as JSON, and beside it the rows as a page of Markdown,
// whose path it gives.
func (r Report) save(out string) (page string, err error) {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return "", fmt.Errorf("encode figures: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil { //nolint:gosec // nothing secret in it
		return "", fmt.Errorf("make folder: %w", err)
	}
	page = strings.TrimSuffix(out, filepath.Ext(out)) + ".md"
	for path, content := range map[string]string{out: string(data) + "\n", page: r.markdown()} {
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil { //nolint:gosec // nothing secret in it
			return "", fmt.Errorf("write figures: %w", err)
		}
	}
	return page, nil
}

// markdown is the page.
func (r Report) markdown() string {
	var page strings.Builder
	fmt.Fprintf(&page, "# Deckhand's figures\n\nMeasured by `make bench` at %s. A rival's figure is of the same run; "+
		"the ratio says how many times better ours is.\n\n", r.Time.Format("2006-01-02 15:04 MST"))
	for _, line := range r.Machine {
		fmt.Fprintf(&page, "- %s\n", line)
	}
	heading := append([]string(nil), columns...)
	heading[len(heading)-1] = "reached"
	fmt.Fprintf(&page, "\n| %s |\n|%s\n", strings.Join(heading, " | "), strings.Repeat(" --- |", len(heading)))
	for _, row := range r.Rows {
		fmt.Fprintf(&page, "| %s |\n", strings.Join(row.cells(), " | "))
	}
	return page.String()
}
