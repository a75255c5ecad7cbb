package wire

import (
	"slices"
	"strings"
	"testing"
)

// readHeader parses lines until the end or an error, and returns them as
// "name|value", with "!" before an invalid name.
func readHeader(h *HeaderLine, in []byte) (lines []string, end bool, err error) {
	for {
		got, err := h.Parse(in)
		if err != nil || got != HeaderField {
			return lines, got == HeaderEnd, err
		}
		line := string(in[h.NameStart:h.NameEnd]) + "|" + string(in[h.ValueStart:h.ValueEnd])
		if h.Invalid {
			line = "!" + line
		}
		lines = append(lines, line)
	}
}

func TestHeaderLine(t *testing.T) {
	tests := []struct {
		in   string
		want string
	}{
		{"Host: a\r\nB:b\r\n\r\n", "Host|a B|b end"},
		{"Host:   a b  \n\n", "Host|a b end"},
		{"A:\r\nB: \r\nC\r\nD\n\n", "A| B| C| D| end"},
		{"A:\tx\t\r\n\r\n", "A|\tx\t end"},
		{"A: x\ry\r\n", "error"},
		{"A: x\r\r\nB: \x01\r\n\r\n", "A|x B|\x01 end"},
		{"A: b \r\r\n\r\n", "A|b end"},
		{"a_b: c\r\n_d: e\r\nx@y: z\r\n\x80: f\r\n\r\n", "!a_b|c !_d|e !x@y|z !\x80|f end"},
		{"A B: c\r\n", "error"},
		{"A : c\r\n", "error"},
		{" A: c\r\n", "error"},
		{"A: b\r\n c\r\n", "A|b error"},
		{": c\r\n", "error"},
		{"A\x7f: b\r\n", "error"},
		{"A: b\x00c\r\n", "error"},
		{"A: b \x00\r\n", "error"},
		{"A: \x00\r\n", "error"},
		{"\rA: b\r\n", "error"},
		{"HTTP/1.1: x\r\n\r\n", "!HTTP/1.1|x end"},
		{"A: b\r\nC: d", "A|b"},
	}
	for _, tt := range tests {
		var h HeaderLine
		if got := headerText(&h, tt.in); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.in, got, tt.want)
		}
	}
	h := HeaderLine{Underscores: true, Upstream: true}
	if got, want := headerText(&h, "_a_b: c\r\nHTTP/1.1 200 OK\r\nD: e\r\n\r\n"), "_a_b|c D|e end"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func headerText(h *HeaderLine, in string) string {
	lines, end, err := readHeader(h, []byte(in))
	if err != nil {
		lines = append(lines, "error")
	}
	if end {
		lines = append(lines, "end")
		if h.Len() != len(in) {
			lines = append(lines, "early")
		}
	}
	return strings.Join(lines, " ")
}

func TestHeaderLineError(t *testing.T) {
	in := []byte("Host: a\r\nBad name: x\r\n")
	var h HeaderLine
	if _, _, err := readHeader(&h, in); err != ErrHeader {
		t.Fatal(err)
	}
	if got := string(in[h.NameStart:h.ValueEnd]); got != "Bad" || in[h.ValueEnd] != ' ' {
		t.Errorf("%q", got)
	}
}

func TestHeaderLineMoved(t *testing.T) {
	var h HeaderLine
	old := []byte("GET / HTTP/1.1\r\nHost: exam")
	h.SetPos(16)
	if got, err := h.Parse(old); got != HeaderAgain || err != nil {
		t.Fatal(got, err)
	}
	// As a server does when the buffer is full: only the line moves.
	moved := append(append([]byte(nil), old[h.NameStart:]...), "ple\r\n\r\n"...)
	h.Rebase(h.NameStart)
	if got := headerText(&h, string(moved)); got != "Host|example end" {
		t.Errorf("%q", got)
	}
}

func FuzzHeaderLine(f *testing.F) {
	f.Add([]byte("Host: a b \r\nC_d:e\n\r\n"), true, false)
	f.Add([]byte("HTTP/1.1 200 OK\r\nA: \x00"), false, true)
	f.Fuzz(func(t *testing.T, in []byte, underscores, upstream bool) {
		whole := HeaderLine{Underscores: underscores, Upstream: upstream}
		want, wantEnd, wantErr := readHeader(&whole, in)

		step := HeaderLine{Underscores: underscores, Upstream: upstream}
		var got []string
		var end bool
		var err error
		for i := 1; i <= len(in) && !end && err == nil; i++ {
			var lines []string
			lines, end, err = readHeader(&step, append([]byte(nil), in[:i]...))
			got = append(got, lines...)
		}
		if !slices.Equal(got, want) || end != wantEnd || err != wantErr {
			t.Fatalf("byte by byte %q %v %v, whole %q %v %v", got, end, err, want, wantEnd, wantErr)
		}
		if err == nil && step.Len() != whole.Len() {
			t.Fatalf("length %d, %d", step.Len(), whole.Len())
		}
		if err != nil && (step.NameStart > step.ValueEnd || step.ValueEnd >= len(in)) {
			t.Fatalf("error at %d-%d", step.NameStart, step.ValueEnd)
		}
	})
}

func TestLookupHeader(t *testing.T) {
	for id := HeaderID(1); id < NumHeaders; id++ {
		name := id.String()
		for _, s := range []string{name, strings.ToLower(name), strings.ToUpper(name)} {
			if got := LookupHeader(s); got != id {
				t.Errorf("%q: %d, want %d", s, got, id)
			}
			if got := LookupHeader([]byte(s)); got != id {
				t.Errorf("%q: %d, want %d", s, got, id)
			}
		}
		if got := LookupHeader(name + "x"); got != 0 {
			t.Errorf("%q: %d", name+"x", got)
		}
	}
	for _, s := range []string{"", "a", "zz", "x-custom", "hos", "\x00\x00"} {
		if got := LookupHeader(s); got != 0 {
			t.Errorf("%q: %d", s, got)
		}
	}
}

func TestLookupMethod(t *testing.T) {
	for _, name := range methodNames {
		if m := LookupMethod([]byte(name)); m == 0 || m.String() != name {
			t.Errorf("%q: %v", name, m)
		}
	}
	if LookupMethod([]byte("get")) != 0 || Method(0).String() != "" || CONNECT != 0x10000 {
		t.Error("unknown methods")
	}
}

func TestHeaderAllocations(t *testing.T) {
	in := []byte("Host: example.com\r\nUser-Agent: x\r\nAccept-Encoding: gzip, br\r\n\r\n")
	if n := testing.AllocsPerRun(100, func() {
		var h HeaderLine
		for {
			got, err := h.Parse(in)
			if err != nil {
				t.Fatal(err)
			}
			if got == HeaderEnd {
				break
			}
			LookupHeader(in[h.NameStart:h.NameEnd])
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkHeaders(b *testing.B) {
	in := []byte("Host: example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0\r\n" +
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nAccept-Language: en-US,en;q=0.5\r\n" +
		"Accept-Encoding: gzip, deflate, br\r\nConnection: keep-alive\r\nCookie: session=0123456789abcdef\r\n\r\n")
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		var h HeaderLine
		for {
			if got, _ := h.Parse(in); got == HeaderEnd {
				break
			}
			LookupHeader(in[h.NameStart:h.NameEnd])
		}
	}
}
