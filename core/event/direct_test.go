package event

import (
	"io"
	"os"
	"path/filepath"
	"testing"
)

// TestPread: what is asked for comes whole, or what there is of it with an error.
func TestPread(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, c := range []struct {
		off  int64
		size int
		want string
		err  error
	}{
		{0, 10, "0123456789", nil}, {3, 4, "3456", nil}, {3, 0, "", nil},
		{8, 4, "89", io.ErrUnexpectedEOF}, {10, 1, "", io.ErrUnexpectedEOF},
	} {
		p := make([]byte, c.size)
		if n, err := Pread(int(f.Fd()), p, c.off); string(p[:n]) != c.want || err != c.err {
			t.Errorf("%d bytes at %d are %q, %v", c.size, c.off, p[:n], err)
		}
	}
	if n, err := Pread(-1, make([]byte, 1), 0); n != 0 || err == nil {
		t.Errorf("%d bytes of no file, %v", n, err)
	}
}
