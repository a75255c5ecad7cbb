package gzip

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"
	"testing"
)

// plain decompresses what appendWhole made.
func plain(t *testing.T, p []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(p))
	if err != nil {
		t.Fatal(err)
	}
	r.Multistream(false)
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// The lengths are those of zlib at its first level.
func TestAppendWhole(t *testing.T) {
	for body, zlib := range map[string]int{
		"":                        20,
		"SEE-THIS":                28,
		strings.Repeat("X", 20):   23,
		strings.Repeat("ab", 100): 25,
		"\xff\x90":                22,
	} {
		got := appendWhole(nil, []byte(body))
		if out := plain(t, got); string(out) != body {
			t.Errorf("%q became %q", body, out)
		}
		if len(got) > zlib {
			t.Errorf("%q takes %d bytes, zlib makes %d", body, len(got), zlib)
		}
	}
}

func FuzzAppendWhole(f *testing.F) {
	f.Add([]byte("hello hello hello"))
	f.Add(bytes.Repeat([]byte{0}, maxWhole))
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) > 60000 {
			return
		}
		got := appendWhole(nil, body)
		if out := plain(t, got); !bytes.Equal(out, body) {
			t.Errorf("%q became %q", body, out)
		}
		if len(got) > len(body)+23 {
			t.Errorf("%d bytes became %d", len(body), len(got))
		}
	})
}

func TestAppendWholeAllocates(t *testing.T) {
	dst, body := make([]byte, 0, 1024), []byte(strings.Repeat("hello, world ", 15))
	if n := testing.AllocsPerRun(100, func() { dst = appendWhole(dst[:0], body) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
