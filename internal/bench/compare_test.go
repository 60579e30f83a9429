package main

import (
	"bytes"
	"io"
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
	figures, err := parse(strings.NewReader(output), io.Discard)
	require.NoError(t, err)
	require.Len(t, figures, 7)
	require.Equal(t, "deckhand/internal/manifest", figures[0].Package)
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
	require.Equal(t, "ManifestRead/wide", rows[2].Benchmark)
	require.Equal(t, "entries/s", rows[2].Metric)
}

func TestTableIsReadable(t *testing.T) {
	t.Parallel()
	var table bytes.Buffer
	writeTable(&table, rowsOf(t, []Goal{{Benchmark: "ManifestRead/wide", Metric: "ns/op", Ratio: 4}}))
	lines := strings.Split(table.String(), "\n")
	require.Regexp(t, `^name +metric +figure +rival +ratio +goal`, lines[0])
	require.Regexp(t, `^ManifestRead/wide +ns/op +10ms +50ms iceberg-go +5× +≥ 4× +ok`, lines[1])
}
