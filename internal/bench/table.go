package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// columns of the table and of the page.
var columns = []string{"name", "unit", "figure", "rival", "ratio", "goal", ""}

// cells are a row as people read it.
func (r Row) cells() []string {
	rival, ratio := "-", "-"
	figure := figureOf(r.Figure, r.Unit)
	if r.Verdict == unknown && r.Figure == 0 {
		figure = "-"
	}
	switch {
	case r.RivalFigure != nil:
		rival = figureOf(*r.RivalFigure, r.Unit) + " " + r.Rival
	case r.Rival != "":
		rival = r.Rival
	}
	if r.Ratio != nil {
		ratio = number(*r.Ratio) + "×"
	}
	return []string{r.Name, r.Unit, figure, rival, ratio, r.Goal, r.Verdict}
}

// writeTable writes the rows as a table for a terminal.
func writeTable(w io.Writer, rows []Row) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, strings.Join(columns, "\t"))
	for _, r := range rows {
		fmt.Fprintln(table, strings.Join(r.cells(), "\t"))
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
