package main

import (
	"maps"
	"slices"
	"strings"
)

// Row is one comparison or one limit.
type Row struct {
	Benchmark string   `json:"benchmark"`
	Metric    string   `json:"metric"`
	Figure    float64  `json:"figure"`
	Rival     string   `json:"rival,omitempty"`
	RivalIs   *float64 `json:"rival_figure,omitempty"`
	// Ratio is how many times better than the rival: less time, more per second.
	Ratio *float64 `json:"ratio,omitempty"`
	Goal  string   `json:"goal,omitempty"`
	// Verdict is "ok" or "missed", "not measured" when a goal's benchmark is not
	// in the run, or empty without a goal.
	Verdict string `json:"verdict,omitempty"`
}

const ours = "deckhand"

var rivals = []string{"iceberg-go", "rival"}

// compare pairs the figures and holds them to the goals.
func compare(figures []Figure, goals []Goal) []Row {
	byName := map[string]Figure{}
	for _, f := range figures {
		byName[f.Name] = f
	}
	var rows []Row
	seen := map[string]bool{} // benchmark and metric
	for _, g := range goals {
		row := measure(byName, g.Benchmark, g.Metric)
		row.judge(g)
		rows = append(rows, row)
		seen[g.Benchmark+" "+g.Metric] = true
	}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		benchmark, found := strings.CutSuffix(name, "/"+ours)
		if !found {
			continue
		}
		row := measure(byName, benchmark, speedOf(byName[name]))
		if row.Ratio != nil && !seen[benchmark+" "+row.Metric] {
			rows = append(rows, row)
		}
	}
	return rows
}

// speedOf picks the unit that is worth a row without a goal: the benchmark's own
// rate if it reports one, else its time.
func speedOf(f Figure) string {
	for _, unit := range slices.Sorted(maps.Keys(f.Metrics)) {
		if strings.HasSuffix(unit, "/s") && unit != "MB/s" {
			return unit
		}
	}
	return "ns/op"
}

// measure looks up a figure and, when there is one, its rival's.
func measure(byName map[string]Figure, benchmark, metric string) Row {
	row := Row{Benchmark: benchmark, Metric: metric, Verdict: "not measured"}
	f, found := byName[benchmark+"/"+ours]
	if !found {
		f = byName[benchmark]
	}
	value, found := f.Metrics[metric]
	if !found {
		return row
	}
	row.Figure, row.Verdict = value, ""
	for _, rival := range rivals {
		other, found := byName[benchmark+"/"+rival].Metrics[metric]
		if !found {
			continue
		}
		row.Rival, row.RivalIs = rival, &other
		ratio := other / value
		if strings.HasSuffix(metric, "/s") {
			ratio = value / other
		}
		row.Ratio = &ratio
	}
	return row
}

func (r *Row) judge(g Goal) {
	var reached bool
	if g.Max != nil {
		r.Goal = "≤ " + number(*g.Max)
		reached = r.Figure <= *g.Max
	} else {
		r.Goal = "≥ " + number(g.Ratio) + "×"
		if r.Ratio == nil {
			r.Verdict = "not measured"
			return
		}
		reached = *r.Ratio >= g.Ratio
	}
	switch {
	case r.Verdict != "":
	case reached:
		r.Verdict = "ok"
	default:
		r.Verdict = "missed"
	}
}
