package main

import (
	"maps"
	"slices"
	"strings"
)

// Row is one comparison or one limit.
type Row struct {
	Name   string  `json:"name"`
	Unit   string  `json:"unit"`
	Figure float64 `json:"figure"`
	Rival  string  `json:"rival,omitempty"`
	// RivalFigure was measured in the same run.
	RivalFigure *float64 `json:"rival_figure,omitempty"`
	// Ratio is how many times better than the rival: less time, more per second.
	Ratio *float64 `json:"ratio,omitempty"`
	Goal  string   `json:"goal,omitempty"`
	// Verdict is "ok" or "missed", "not measured" when a goal's benchmark is not
	// in the run, or empty without a goal.
	Verdict string `json:"verdict,omitempty"`
}

const (
	ours     = "deckhand"
	unknown  = "not measured"
	anyRival = ""
)

// rivals are the last parts of the names of benchmarks that are not ours.
var rivals = []string{"iceberg-go", "iceberg-java", "pyiceberg", "rival"}

// compare pairs the figures and holds them to the goals.
func compare(figures []Figure, goals []Goal) []Row {
	byName := map[string]Figure{}
	for _, f := range figures {
		byName[f.Name] = f
	}
	var rows []Row
	seen := map[string]bool{} // name, unit and rival
	for _, g := range goals {
		row := measure(byName, g.Benchmark, g.Metric, g.Rival)
		row.judge(g)
		rows = append(rows, row)
		seen[g.Benchmark+" "+g.Metric+" "+row.Rival] = true
	}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		benchmark, found := strings.CutSuffix(name, "/"+ours)
		if !found {
			continue
		}
		for _, rival := range rivals {
			row := measure(byName, benchmark, speedOf(byName[name]), rival)
			if row.Ratio != nil && !seen[benchmark+" "+row.Unit+" "+rival] {
				rows = append(rows, row)
			}
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

// measure looks up a figure and, when there is one, its rival's; of any rival, the
// first.
func measure(byName map[string]Figure, benchmark, metric, rival string) Row {
	row := Row{Name: benchmark, Unit: metric, Verdict: unknown}
	f, found := byName[benchmark+"/"+ours]
	if !found {
		f = byName[benchmark]
	}
	value, found := f.Metrics[metric]
	if !found {
		return row
	}
	row.Figure, row.Verdict = value, ""
	for _, name := range rivals {
		other, found := byName[benchmark+"/"+name].Metrics[metric]
		if !found || rival != anyRival && rival != name {
			continue
		}
		row.Rival, row.RivalFigure = name, &other
		ratio := other / value
		if strings.HasSuffix(metric, "/s") {
			ratio = value / other
		}
		row.Ratio = &ratio
		break
	}
	return row
}

func (r *Row) judge(g Goal) {
	var reached bool
	switch {
	case g.Max != nil:
		r.Goal = "≤ " + figureOf(*g.Max, g.Metric)
		reached = r.Figure <= *g.Max
	case g.Min != nil:
		r.Goal = "≥ " + figureOf(*g.Min, g.Metric)
		reached = r.Figure >= *g.Min
	default:
		r.Goal = "≥ " + number(g.Ratio) + "×"
		if r.Ratio == nil {
			r.Rival, r.Verdict = g.Rival, unknown
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
