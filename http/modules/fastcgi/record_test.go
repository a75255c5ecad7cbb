package fastcgi

import (
	"bytes"
	"testing"
)

// FuzzRecord: the head of a record reads the same however its bytes come, and
// what is read is written alike.
func FuzzRecord(f *testing.F) {
	f.Add(appendHeader(nil, typeStdout, 300, 4), 3)
	f.Add(appendHeader(nil, typeEndRequest, 8, 0), 8)
	f.Add([]byte{1, typeStderr, 0, 2, 0, 0, 0, 0}, 1)
	f.Add([]byte{2}, 0)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		var whole, parts record
		n, err := whole.header(b)
		if n > len(b) || n > headerSize {
			t.Fatalf("%d bytes of %d", n, len(b))
		}
		cut = min(max(cut, 0), len(b))
		m, perr := parts.header(b[:cut])
		if perr == nil && m == cut {
			var more int
			more, perr = parts.header(b[cut:])
			m += more
		}
		if m != n || whole != parts || (err == nil) != (perr == nil) {
			t.Fatalf("%d %+v %v, in parts %d %+v %v", n, whole, err, m, parts, perr)
		}
		if err != nil || whole.inHeader() {
			return
		}
		if got := appendHeader(nil, whole.kind, whole.left, whole.padding); !bytes.Equal(got[:7], b[:7]) {
			t.Fatalf("%x became %x", b[:8], got)
		}
	})
}
