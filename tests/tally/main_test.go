package main

import (
	"strings"
	"testing"
)

func TestCount(t *testing.T) {
	const events = `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA/x","Output":"    a_test.go:1: wrong\n"}
{"Action":"fail","Package":"p","Test":"TestA/x"}
{"Action":"pass","Package":"p","Test":"TestA/y"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestB","Output":"    a_test.go:9: needs root\n"}
{"Action":"skip","Package":"p","Test":"TestB"}
{"Action":"fail","Package":"p","Elapsed":1.5}
{"Action":"build-output","ImportPath":"q [q.test]","Output":"q.go:1: syntax error\n"}
{"Action":"build-fail","ImportPath":"q [q.test]"}
{"Action":"fail","Package":"q","FailedBuild":"q [q.test]"}
{"Action":"skip","Package":"r"}
`
	const want = `fail	p	1.5s
fail	q	0.0s
none	r
FAIL p TestA/x
    a_test.go:1: wrong
FAIL q 
q.go:1: syntax error
skipped 1: needs root: TestB
1 passed, 2 failed, 1 skipped
`
	var out strings.Builder
	c := &tally{out: &out, output: map[test][]string{}, results: map[test]string{}, parents: map[test]bool{}}
	if err := c.read(strings.NewReader(events)); err != nil {
		t.Fatal(err)
	}
	if c.report() {
		t.Error("reported as well")
	}
	if out.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", out.String(), want)
	}
}
