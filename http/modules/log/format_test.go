package log

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"moongate/conf"
	corelog "moongate/core/log"
	"moongate/http"
)

func TestVariableName(t *testing.T) {
	tests := []struct{ in, name, rest, err string }{
		{"$a_B1-", "a_B1", "-", ""},
		{"${a}b", "a", "b", ""},
		{"$a$b", "a", "$b", ""},
		{"$", "", "", `invalid parameter "$"`},
		{"$-", "", "", `invalid parameter "$-"`},
		{"${", "", "", `invalid parameter "${"`},
		{"${}", "", "", `invalid parameter "${}"`},
		{"${a", "", "", `the closing bracket in "a" variable is missing`},
		{"${a b}", "", "", `the closing bracket in "a" variable is missing`},
	}
	for _, tt := range tests {
		name, rest, err := variableName(&conf.Conf{}, tt.in)
		msg := ""
		if err != nil {
			msg = err.Error()
		}
		if diff := cmp.Diff([]string{tt.name, tt.rest, tt.err}, []string{name, rest, msg}); diff != "" {
			t.Errorf("%s: %s", tt.in, diff)
		}
	}
}

// request is one of which the ops that need no loop can be written.
func request() *http.Request {
	r := &http.Request{}
	r.Conn = &http.Conn{Worker: &http.Worker{Clock: &corelog.Clock{}}}
	r.Conn.Worker.Clock.Update(time.Unix(0, 0))
	r.Main, r.BytesSent, r.HeaderSize, r.RequestLength = r, 300, 100, 50
	r.Out.Status = 404
	return r
}

// ops makes a format of the ops of some direct variables, with commas between.
func ops(names ...string) *format {
	f := &format{}
	for _, name := range names {
		f.ops = append(f.ops, op{kind: opPipe + opKind(slices.Index(direct, name))}, op{literal: ","})
	}
	return f
}

func TestAppend(t *testing.T) {
	r := request()
	f := ops("pipe", "status", "bytes_sent", "body_bytes_sent", "request_length")
	if got := string(f.append(nil, r)); got != ".,404,300,200,50," {
		t.Error(got)
	}
	r.Pipelined, r.ErrStatus, r.HeaderSize = true, 5, 400
	if got := string(f.append(nil, r)); got != "p,005,300,0,50," {
		t.Error(got)
	}
	r.ErrStatus, r.Out.Status, r.Version = 0, 0, http.Version9
	if got := string(ops("status").append(nil, r)); got != "009," {
		t.Error(got)
	}
}

func TestAppendDoesNotAllocate(t *testing.T) {
	r := request()
	f := ops("pipe", "time_local", "time_iso8601", "status", "bytes_sent", "body_bytes_sent", "request_length")
	b := make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() { f.append(b, r) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestAppendSeconds(t *testing.T) {
	for ms, want := range map[int64]string{0: "0.000", 7: "0.007", 12345: "12.345", -5: "0.000"} {
		if got := string(appendSeconds(nil, ms)); got != want {
			t.Errorf("%d: %s", ms, got)
		}
	}
}
