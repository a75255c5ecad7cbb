package wire

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
)

// readChunked decodes in, given in pieces of at most step bytes, and returns
// the data, the number of bytes taken and whether the body was complete.
func readChunked(c *Chunked, in []byte, step int) (data []byte, n int, done bool, err error) {
	for n < len(in) {
		piece := in[n:min(n+step, len(in))]
		for len(piece) > 0 {
			k, status, err := c.Parse(piece)
			n += k
			piece = piece[k:]
			if err != nil || status == ChunkDone {
				return data, n, err == nil, err
			}
			if status == ChunkData {
				k = int(min(int64(len(piece)), c.Size))
				data = append(data, piece[:k]...)
				c.Consume(k)
				n += k
				piece = piece[k:]
			}
		}
	}
	return data, n, false, nil
}

func TestChunked(t *testing.T) {
	tests := []struct {
		in, data string
		rest     int // bytes after the body, -1: not complete, -2: error
	}{
		{"5\r\nhello\r\n0\r\n\r\nGET", "hello", 3},
		{"A ; x=y\r\n0123456789\r\n1\t\r\nx\r\n00;z\r\n\r\n", "0123456789x", 0},
		{"0\r\nA: b\r\nC: d\r\n\r\n", "", 0},
		{"3\r\nab", "ab", -1},
		{"0\r\nA: b\r\n", "", -1},
		{"", "", -1},
		{"\r\n", "", -2},
		{"x\r\n", "", -2},
		{"-1\r\n", "", -2},
		{"5\nhello", "", -2},
		{"5;a\nhello", "", -2},
		{"5\rhello", "", -2},
		{"5\r\nhello0\r\n", "hello", -2},
		{"5\r\nhello\n", "hello", -2},
		{"0\r\n\n", "", -2},
		{"0\r\nA: b\n", "", -2},
		{"0x5\r\n", "", -2},
		{"8000000000000000\r\n", "", -2},
		{"7fffffffffffffff\r\n", "", -2},
		{"10000000000000000\r\n", "", -2},
		{"000000000000000000001\r\nx", "x", -1},
	}
	for _, tt := range tests {
		for _, step := range []int{1, 3, 1000} {
			var c Chunked
			data, n, done, err := readChunked(&c, []byte(tt.in), step)
			rest := len(tt.in) - n
			switch {
			case err != nil:
				rest = -2
			case !done:
				rest = -1
			}
			if string(data) != tt.data || rest != tt.rest {
				t.Errorf("%q by %d: %q, %d, %v", tt.in, step, data, rest, err)
			}
		}
	}
}

func TestChunkedTrailers(t *testing.T) {
	c := Chunked{KeepTrailers: true}
	in := []byte("1\r\nx\r\n0\r\nA: b\r\n\r\n")
	_, n, done, err := readChunked(&c, in, 100)
	if !done || err != nil || string(in[n:]) != "A: b\r\n\r\n" {
		t.Errorf("%q, %v, %v", in[n:], done, err)
	}
}

func TestChunkedLeft(t *testing.T) {
	whole := "3;x\r\nabc\r\n0;y\r\nA: b\r\n\r\n"
	var c Chunked
	for i := range len(whole) {
		if left := c.Left(); left < 1 || left > int64(len(whole)-i) {
			t.Errorf("%d bytes left before %q", left, whole[i:])
		}
		k, status, err := c.Parse([]byte(whole[i : i+1]))
		if err != nil {
			t.Fatal(err)
		}
		if status == ChunkData && k == 0 {
			c.Consume(1)
		}
	}
}

func TestAppendChunkSize(t *testing.T) {
	b := AppendChunkSize(nil, 4096)
	b = AppendChunkSize(b, math.MaxInt64)
	if got, want := string(b)+LastChunk, "1000\r\n7fffffffffffffff\r\n0\r\n\r\n"; got != want {
		t.Errorf("%q", got)
	}
}

func FuzzChunked(f *testing.F) {
	f.Add([]byte("5;x\r\nhello\r\n0\r\nA: b\r\n\r\n"), false)
	f.Add([]byte("fF\t\r\n"), true)
	f.Fuzz(func(t *testing.T, in []byte, keep bool) {
		a, b := Chunked{KeepTrailers: keep}, Chunked{KeepTrailers: keep}
		data1, n1, done1, err1 := readChunked(&a, in, len(in)+1)
		data2, n2, done2, err2 := readChunked(&b, in, 1)
		if string(data1) != string(data2) || n1 != n2 || done1 != done2 || err1 != err2 {
			t.Fatalf("whole: %q %d %v %v; by bytes: %q %d %v %v", data1, n1, done1, err1, data2, n2, done2, err2)
		}
		if err1 == nil && !done1 && a.Left() < 1 {
			t.Fatalf("%d bytes left", a.Left())
		}
	})
}

func TestStatusLine(t *testing.T) {
	tests := []struct {
		in, line      string
		version, code int
	}{
		{"HTTP/1.1 200 OK\r\n", "200 OK", 1001, 200},
		{"HTTP/1.0 404\n", "404", 1000, 404},
		{"HTTP/2.12   403.1 Forbidden\xff\r\n", "403.1 Forbidden\xff", 2012, 403},
		{"HTTP/1.1 000 \r\n", "000 ", 1001, 0},
		{"HTTP/1.1 2 04\r\n", " 04", 1001, 204}, // blanks between the digits, as in nginx
		{"http/1.1 200\r\n", "", 0, 0},
		{"HTTP/0.9 200\r\n", "", 0, 0},
		{"HTTP/1 200\r\n", "", 0, 0},
		{"HTTP/1.1\r\n", "", 0, 0},
		{"HTTP/1.1 20x\r\n", "", 0, 0},
		{"HTTP/1.1 2000\r\n", "", 0, 0},
		{"HTTP/1.1 200 OK\rx", "", 0, 0},
		{"HTTP/1000.1 200\r\n", "", 0, 0},
	}
	for _, tt := range tests {
		var s StatusLine
		done, err := s.Parse([]byte(tt.in))
		if tt.line == "" {
			if done || err != ErrStatusLine {
				t.Errorf("%q: %v, %v", tt.in, done, err)
			}
			continue
		}
		if !done || err != nil || s.Version != tt.version || s.Code != tt.code || tt.in[s.Start:s.End] != tt.line || s.Len() != len(tt.in) {
			t.Errorf("%q: %+v, %v, %v", tt.in, s, done, err)
		}
	}
}

func FuzzStatusLine(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		var whole, step StatusLine
		done, err := whole.Parse(in)
		for i := 1; i <= len(in); i++ {
			d, e := step.Parse(in[:i])
			if d || e != nil {
				if d != done || e != err {
					t.Fatalf("%v %v, whole %v %v", d, e, done, err)
				}
				break
			}
		}
		if done && step != whole {
			t.Fatalf("%+v, whole %+v", step, whole)
		}
		if done && (whole.Code > 999 || whole.Start > whole.End) {
			t.Fatalf("%+v", whole)
		}
	})
}

func TestParseRanges(t *testing.T) {
	tests := []struct {
		in     string
		length int64
		max    int
		want   []Range
		status RangeStatus
	}{
		{"bytes=0-9", 100, UnlimitedRanges, []Range{{0, 10}}, RangeOK},
		{"BYTES=90-", 100, 1, []Range{{90, 100}}, RangeOK},
		{"bytes=-10", 100, 1, []Range{{90, 100}}, RangeOK},
		{"bytes=-200", 100, 1, []Range{{0, 100}}, RangeOK},
		{"bytes= 1 - 200 ", 100, 1, []Range{{1, 100}}, RangeOK},
		{"bytes=5-6,0-1 ,  -1", 10000, 3, []Range{{5, 7}, {0, 2}, {9999, 10000}}, RangeOK},
		{"bytes=200-,0-1", 100, 5, []Range{{0, 2}}, RangeOK},
		{"bytes=200-", 100, 5, nil, RangeUnsatisfiable},
		{"bytes=-0", 100, 5, nil, RangeUnsatisfiable},
		{"bytes=9-1", 100, 5, nil, RangeUnsatisfiable},
		{"bytes=x-1", 100, 5, nil, RangeUnsatisfiable},
		{"bytes=1", 100, 5, nil, RangeUnsatisfiable},
		{"bytes=1-2,", 100, 5, []Range{{1, 3}}, RangeUnsatisfiable},
		{"bytes=1-2x", 100, 5, nil, RangeUnsatisfiable},
		{"bytes=9223372036854775808-", 100, 5, nil, RangeUnsatisfiable},
		{"bytes=0-9223372036854775807", 100, 5, []Range{{0, 100}}, RangeOK},
		{"bytes=0-", 0, 5, nil, RangeIgnored},
		{"bytes=0-1,2-3", 100, 1, []Range{{0, 2}}, RangeIgnored},
		{"bytes=0-60,40-99", 100, 5, []Range{{0, 61}, {40, 100}}, RangeIgnored},
		{"bytes=0-1,2-3", 100, UnlimitedRanges, []Range{{0, 2}, {2, 4}}, RangeOK},
		{"bytes=" + ranges(20), 100, UnlimitedRanges, nil, RangeIgnored},
		{"bytes=" + ranges(20), 100, 100, nil, RangeOK},
		{"bytes=0-1", 100, 0, nil, RangeIgnored},
		{"lines=0-1", 100, 5, nil, RangeIgnored},
		{"bytes=", 100, 5, nil, RangeIgnored},
	}
	for _, tt := range tests {
		got, status := ParseRanges(nil, []byte(tt.in), tt.length, tt.max)
		if status != tt.status || tt.want != nil && !slices.Equal(got, tt.want) {
			t.Errorf("%q of %d: %v, %v", tt.in, tt.length, got, status)
		}
	}
}

// ranges is a list of n ranges of one byte.
func ranges(n int) (s string) {
	for i := range n {
		s += fmt.Sprintf("%d-%[1]d,", i)
	}
	return s[:len(s)-1]
}

func TestRangeText(t *testing.T) {
	b := AppendPartHeader(nil, 42, []byte("text/plain"), []byte("utf-8"))
	b = AppendPartRange(b, Range{0, 5}, 10)
	b = AppendPartHeader(b, 42, nil, nil)
	b = AppendLastBoundary(b, 42)
	want := "\r\n--00000000000000000042\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes 0-4/10\r\n\r\n" +
		"\r\n--00000000000000000042\r\nContent-Range: bytes \r\n--00000000000000000042--\r\n"
	if string(b) != want {
		t.Errorf("%q", b)
	}
	b = AppendContentRange(nil, Range{5, 10}, 10)
	b = AppendUnsatisfiedRange(append(b, ' '), 10)
	if string(b) != "bytes 5-9/10 bytes */10" {
		t.Errorf("%q", b)
	}
	if b = AppendBoundary(nil, math.MaxUint64); len(b) != BoundaryLen {
		t.Errorf("%q", b)
	}
}

func FuzzParseRanges(f *testing.F) {
	f.Add([]byte("bytes=0-1, 2-,-3"), int64(100), 5)
	f.Fuzz(func(t *testing.T, in []byte, length int64, limit int) {
		if length < 0 {
			return
		}
		got, status := ParseRanges(nil, in, length, limit)
		if limit > 0 && len(got) > limit || status == RangeOK && len(got) == 0 {
			t.Fatalf("%v %v", got, status)
		}
		for _, r := range got {
			if r.Start < 0 || r.Start >= r.End || r.End > length {
				t.Fatalf("%v of %d", r, length)
			}
		}
	})
}

func TestBodyAllocations(t *testing.T) {
	body := []byte("5\r\nhello\r\n0\r\n\r\n")
	status := []byte("HTTP/1.1 200 OK\r\n")
	list := []byte("bytes=0-1,2-3,-1")
	dst := make([]Range, 0, 4)
	out := make([]byte, 0, 200)
	if n := testing.AllocsPerRun(100, func() {
		var c Chunked
		n, _, err := c.Parse(body)
		var s StatusLine
		_, err2 := s.Parse(status)
		ParseRanges(dst, list, 1000, 5)
		out = AppendPartRange(AppendPartHeader(AppendChunkSize(out[:0], 77), 1, body, nil), Range{1, 2}, 3)
		if n != 3 || errors.Join(err, err2) != nil {
			t.Fatal(n, err, err2)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
