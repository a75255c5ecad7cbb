// Command tally reads the events of `go test -json` from its standard input, prints each package as it ends, then what
// failed with its output and what was skipped with its reason, and closes with "N passed, N failed, N skipped". A test
// that has subtests does not count beside them. It exits with 1 when anything failed or nothing was run.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

// event is one line of test2json, see `go doc test2json`.
type event struct {
	Action      string
	Package     string
	ImportPath  string // of a build that failed
	Test        string
	Elapsed     float64
	Output      string
	FailedBuild string
}

// test names a test of a package; the empty name stands for the package itself.
type test struct{ pkg, name string }

// tally is what the events have told so far.
type tally struct {
	out     io.Writer
	output  map[test][]string
	results map[test]string // pass, fail or skip
	parents map[test]bool   // tests that have subtests
	failed  []test          // in the order they failed
}

func main() {
	t := &tally{out: os.Stdout, output: map[test][]string{}, results: map[test]string{}, parents: map[test]bool{}}
	if err := t.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if !t.report() {
		os.Exit(1)
	}
}

// read takes in all events; lines that are none are printed as they are.
func (t *tally) read(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			var e event
			if json.Unmarshal([]byte(line), &e) != nil || e.Action == "" {
				fmt.Fprint(t.out, line)
			} else {
				t.add(e)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// add takes in one event.
func (t *tally) add(e event) {
	key := test{e.Package, e.Test}
	switch e.Action {
	case "output":
		if strings.HasPrefix(e.Output, "=== ") { // RUN, PAUSE, CONT, NAME
			return
		}
		t.output[key] = append(t.output[key], e.Output)
	case "build-output":
		key = test{e.ImportPath, ""}
		t.output[key] = append(t.output[key], e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			t.endPackage(e)
			return
		}
		t.results[key] = e.Action
		if e.Action == "fail" {
			t.failed = append(t.failed, key)
		}
		for name, ok := parent(e.Test); ok; name, ok = parent(name) {
			t.parents[test{e.Package, name}] = true
		}
	}
}

// parent returns the name of the test that a subtest belongs to.
func parent(name string) (string, bool) {
	i := strings.LastIndexByte(name, '/')
	return name[:max(i, 0)], i > 0
}

// endPackage prints how a package ended. One that failed without a failing test, as when it does not compile or
// panics, is a failure of its own.
func (t *tally) endPackage(e event) {
	switch {
	case e.Action != "skip":
		fmt.Fprintf(t.out, "%s\t%s\t%.1fs\n", e.Action, e.Package, e.Elapsed)
	default:
		fmt.Fprintf(t.out, "none\t%s\n", e.Package)
	}
	ofPackage := func(key test) bool { return key.pkg == e.Package }
	if e.Action != "fail" || slices.ContainsFunc(t.failed, ofPackage) {
		return
	}
	key := test{e.Package, ""}
	if e.FailedBuild != "" {
		t.output[key] = append(t.output[test{e.FailedBuild, ""}], t.output[key]...)
	}
	for other, output := range t.output {
		if other.pkg == e.Package && other.name != "" && t.results[other] == "" {
			t.output[key] = append(t.output[key], output...)
		}
	}
	t.results[key] = "fail"
	t.failed = append(t.failed, key)
}

// report prints failures, skips and the closing line, and tells whether all is well.
func (t *tally) report() bool {
	counts := map[string]int{}
	skipped := map[string][]string{}
	for key, result := range t.results {
		if t.parents[key] && (result != "fail" || t.childFailed(key)) {
			continue
		}
		counts[result]++
		if result == "skip" {
			reason := t.reason(key)
			skipped[reason] = append(skipped[reason], key.name)
		}
	}
	for _, key := range t.failed {
		if !t.childFailed(key) {
			fmt.Fprintf(t.out, "FAIL %s %s\n%s", key.pkg, key.name, strings.Join(t.output[key], ""))
		}
	}
	for _, reason := range slices.Sorted(maps.Keys(skipped)) {
		slices.Sort(skipped[reason])
		fmt.Fprintf(t.out, "skipped %d: %s: %s\n", len(skipped[reason]), reason, strings.Join(skipped[reason], " "))
	}
	fmt.Fprintf(t.out, "%d passed, %d failed, %d skipped\n", counts["pass"], counts["fail"], counts["skip"])
	return counts["fail"] == 0 && counts["pass"] > 0
}

// childFailed tells whether the failure of a test is that of one of its subtests.
func (t *tally) childFailed(key test) bool {
	return t.parents[key] && slices.ContainsFunc(t.failed, func(f test) bool {
		return f.pkg == key.pkg && strings.HasPrefix(f.name, key.name+"/")
	})
}

// reason returns what a skipped test said.
func (t *tally) reason(key test) string {
	for _, line := range t.output[key] {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "---") {
			continue
		}
		if _, said, ok := strings.Cut(line, ": "); ok {
			return said
		}
	}
	return "no reason given"
}
