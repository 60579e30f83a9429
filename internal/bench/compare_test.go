package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const output = `goos: linux
pkg: deckhand/internal/manifest
BenchmarkManifestRead/wide/deckhand-2         	     100	  10000000 ns/op	       0 allocs/entry	   2000000 entries/s
BenchmarkManifestRead/wide/iceberg-go-2       	      20	  50000000 ns/op	    400000 entries/s
BenchmarkManifestRead/narrow/deckhand-2       	     100	  10000000 ns/op
BenchmarkManifestRead/narrow/iceberg-go-2     	      20	  70000000 ns/op
BenchmarkOther/deckhand-2                     	     100	  1000 ns/op	  30 jobs/s
BenchmarkOther/rival-2                        	     100	  2000 ns/op	  60 jobs/s
BenchmarkAlone-2                              	       1	  1 ns/op	  70.0 peak-MiB
--- BENCH: BenchmarkAlone-2
PASS
`

func rowsOf(t *testing.T, goals []Goal) []Row {
	t.Helper()
	figures, settings, err := parse(strings.NewReader(output), io.Discard)
	require.NoError(t, err)
	require.Len(t, figures, 7)
	require.Equal(t, "deckhand/internal/manifest", figures[0].Package)
	require.Equal(t, map[string]string{"goos": "linux"}, settings)
	return compare(figures, goals)
}

func TestPairsAreHeldToTheirGoals(t *testing.T) {
	t.Parallel()
	rows := rowsOf(t, []Goal{
		{Benchmark: "ManifestRead/wide", Metric: "ns/op", Ratio: 4},
		{Benchmark: "ManifestRead/narrow", Metric: "ns/op", Ratio: 8},
		{Benchmark: "Alone", Metric: "peak-MiB", Max: most(64)},
		{Benchmark: "ManifestRead/wide", Metric: "allocs/entry", Max: most(0)},
		{Benchmark: "Absent", Metric: "ns/op", Ratio: 1},
	})
	var verdicts []string
	for _, r := range rows[:5] {
		verdicts = append(verdicts, r.Verdict)
	}
	require.Equal(t, []string{"ok", "missed", "missed", "ok", "not measured"}, verdicts)
	require.InDelta(t, 5, *rows[0].Ratio, 1e-9)
}

func TestPairsWithoutAGoalAreShownOnce(t *testing.T) {
	t.Parallel()
	rows := rowsOf(t, []Goal{{Benchmark: "Other", Metric: "jobs/s", Ratio: 0.4}})
	require.Len(t, rows, 3)
	require.InDelta(t, 0.5, *rows[0].Ratio, 1e-9) // more jobs a second is better
	require.Equal(t, "ok", rows[0].Verdict)
	require.Equal(t, "ManifestRead/wide", rows[2].Name)
	require.Equal(t, "entries/s", rows[2].Unit)
}

func TestTableIsReadable(t *testing.T) {
	t.Parallel()
	var table bytes.Buffer
	writeTable(&table, rowsOf(t, []Goal{{Benchmark: "ManifestRead/wide", Metric: "ns/op", Ratio: 4}}))
	lines := strings.Split(table.String(), "\n")
	require.Regexp(t, `^name +unit +figure +rival +ratio +goal`, lines[0])
	require.Regexp(t, `^ManifestRead/wide +ns/op +10ms +50ms iceberg-go +5× +≥ 4× +ok`, lines[1])
}

func TestEachRivalHasItsRow(t *testing.T) {
	t.Parallel()
	figures, _, err := parse(strings.NewReader(`BenchmarkPurge/deckhand-2 5 100 ns/op 1000 files/s
BenchmarkPurge/iceberg-go-2 5 5000 ns/op 20 files/s
BenchmarkPurge/pyiceberg-2 5 7000 ns/op 10 files/s
`), io.Discard)
	require.NoError(t, err)
	rows := compare(figures, []Goal{
		{Benchmark: "Purge", Metric: "files/s", Rival: "pyiceberg", Ratio: 99},
		{Benchmark: "Purge", Metric: "files/s", Min: most(1001)},
		{Benchmark: "Purge", Metric: "ns/op", Rival: "iceberg-java", Ratio: 5},
	})
	var said []string
	for _, r := range rows {
		said = append(said, strings.Join(r.cells(), "|"))
	}
	require.Equal(t, []string{
		"Purge|files/s|1000|10 pyiceberg|100×|≥ 99×|ok",
		"Purge|files/s|1000|20 iceberg-go|50×|≥ 1001|missed",
		"Purge|ns/op|100ns|iceberg-java|-|≥ 5×|not measured",
	}, said)
}

func TestThePageNamesTheMachineAndTheRivals(t *testing.T) {
	t.Parallel()
	out := t.TempDir() + "/bench.json"
	report := Report{
		Machine: machine(map[string]string{"cpu": "Abacus", "iceberg-java": "1.11.0 on Java 17"}),
		Rows:    rowsOf(t, []Goal{{Benchmark: "ManifestRead/wide", Metric: "ns/op", Ratio: 4}}),
	}
	page, err := report.save(out)
	require.NoError(t, err)
	text, err := os.ReadFile(page) //nolint:gosec // the test's own
	require.NoError(t, err)
	require.Contains(t, string(text), "| ManifestRead/wide | ns/op | 10ms | 50ms iceberg-go | 5× | ≥ 4× | ok |\n")
	require.Regexp(t, `(?m)^- cpu: Abacus, \d+ cores$`, string(text))
	require.Contains(t, string(text), "- iceberg-java: 1.11.0 on Java 17\n")
	require.Regexp(t, `(?m)^- iceberg-go: v\d`, string(text))
	var saved struct{ Rows []map[string]any }
	data, err := os.ReadFile(out) //nolint:gosec // the test's own
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &saved))
	require.Equal(t, map[string]any{
		"name": "ManifestRead/wide", "unit": "ns/op", "figure": 1e7, "rival": "iceberg-go", "rival_figure": 5e7,
		"ratio": 5.0, "goal": "≥ 4×", "verdict": "ok",
	}, saved.Rows[0])
}
