package main

import (
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"
)

// writeTable writes the rows as a table for people.
func writeTable(w io.Writer, rows []Row) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "name\tmetric\tfigure\trival\tratio\tgoal\t")
	for _, r := range rows {
		rival, ratio := "-", "-"
		figure := figureOf(r.Figure, r.Metric)
		if r.Verdict == "not measured" {
			figure = "-"
		}
		if r.RivalIs != nil {
			rival = figureOf(*r.RivalIs, r.Metric) + " " + r.Rival
		}
		if r.Ratio != nil {
			ratio = number(*r.Ratio) + "×"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Benchmark, r.Metric, figure, rival, ratio, r.Goal, r.Verdict)
	}
	_ = table.Flush()
}

// figureOf prints a time as a duration and everything else as a number.
func figureOf(v float64, metric string) string {
	if metric == "ns/op" {
		return rounded(time.Duration(v)).String()
	}
	return number(v)
}

func rounded(d time.Duration) time.Duration {
	unit := time.Nanosecond
	for _, u := range []time.Duration{time.Microsecond, time.Millisecond, time.Second} {
		if d >= u {
			unit = u
		}
	}
	return d.Round(unit / 100)
}

// number prints three significant digits, and whole numbers whole.
func number(v float64) string {
	if v >= 1000 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}
