package main

import (
	"fmt"
	"io"
	"slices"
)

// result is what a case has measured: for each target a list of runs, each with a value per column.
type result struct {
	Case    string
	Title   string
	Columns []string
	Runs    map[string][][]float64
	Notes   []string
	order   []string
}

func newResult(c benchCase, columns ...string) *result {
	return &result{Case: c.name, Title: c.title, Columns: columns, Runs: map[string][][]float64{}}
}

// add adds a run of a target.
func (r *result) add(target string, values ...float64) {
	if r.Runs[target] == nil {
		r.order = append(r.order, target)
	}
	r.Runs[target] = append(r.Runs[target], values)
}

// column returns a target's values of one column.
func (r *result) column(target string, i int) []float64 {
	var values []float64
	for _, run := range r.Runs[target] {
		values = append(values, run[i])
	}
	return values
}

// ratio returns the median, over the pairs of runs, of Moongate's value by nginx's; false when there are no pairs.
func (r *result) ratio(i int) (float64, bool) {
	a, b := r.column("moongate", i), r.column("nginx", i)
	var ratios []float64
	for k := range min(len(a), len(b)) {
		if b[k] != 0 {
			ratios = append(ratios, a[k]/b[k])
		}
	}
	return median(ratios), len(ratios) > 0
}

// median returns the middle value, the mean of the two in the middle of an even number, and 0 of none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// print prints the medians of every target and their ratios.
func (r *result) print(out io.Writer) {
	fmt.Fprintf(out, "\n%s: %s\n%-10s", r.Case, r.Title, "")
	for _, name := range r.Columns {
		fmt.Fprintf(out, " %*s", width(name), name)
	}
	fmt.Fprintln(out)
	for _, target := range r.order {
		fmt.Fprintf(out, "%-10s", target)
		for i, name := range r.Columns {
			fmt.Fprintf(out, " %*.*f", width(name), precision(median(r.column(target, i))), median(r.column(target, i)))
		}
		fmt.Fprintln(out)
	}
	if _, ok := r.ratio(0); ok {
		fmt.Fprintf(out, "%-10s", "ratio")
		for i, name := range r.Columns {
			ratio, _ := r.ratio(i)
			fmt.Fprintf(out, " %*.2f", width(name), ratio)
		}
		fmt.Fprintln(out)
	}
	for _, note := range r.Notes {
		fmt.Fprintln(out, "("+note+")")
	}
}

func width(column string) int { return max(10, len([]rune(column))) }

func precision(value float64) int {
	if value < 100 {
		return 2
	}
	return 0
}

// printRatios prints the ratio of each case's first column, as a table for README.md.
func printRatios(out io.Writer, results []*result) {
	fmt.Fprintf(out, "\n| case | of | moongate | nginx | ratio |\n|---|---|---:|---:|---:|\n")
	for _, r := range results {
		ratio, ok := r.ratio(0)
		if !ok {
			continue
		}
		a, b := median(r.column("moongate", 0)), median(r.column("nginx", 0))
		fmt.Fprintf(out, "| %s | %s | %.*f | %.*f | %.2f |\n", r.Case, r.Columns[0], precision(a), a, precision(b), b, ratio)
	}
}
