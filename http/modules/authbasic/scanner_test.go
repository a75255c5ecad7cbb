package authbasic

import (
	"strings"
	"testing"
)

// find looks a user up in a file that comes in pieces of a size.
func find(file, user string, size int) (string, bool) {
	s := scanner{user: user}
	for len(file) > 0 {
		n := copy(s.buf[:size], file)
		file = file[n:]
		if s.scan(n) {
			break
		}
	}
	return s.result()
}

// lookup does the same line by line.
func lookup(file, user string) (string, bool) {
	for _, line := range strings.Split(file, "\n") {
		if line == "" || line[0] == '#' || line[0] == '\r' {
			continue
		}
		if rest, ok := strings.CutPrefix(line, user+":"); ok {
			if i := strings.IndexAny(rest, ":\r"); i >= 0 {
				rest = rest[:i]
			}
			return rest[:min(len(rest), maxHash)], true
		}
	}
	return "", false
}

func FuzzScanner(f *testing.F) {
	f.Add("# comment\nuser:hash:rest\r\nother:x", "user", 3)
	f.Add("use\nuser:hash", "user", 1)
	f.Add("\r\nuser:h\nuser:i", "user", 2)
	f.Add("user", "user", 7)
	f.Fuzz(func(t *testing.T, file, user string, size int) {
		if user == "" || strings.ContainsAny(user, ":\n\x00") {
			return // never a user of Basic credentials, or of a file
		}
		got, ok := find(file, user, 1+(size&0x7fff)%100)
		want, wantOK := lookup(file, user)
		if got != want || ok != wantOK {
			t.Errorf("%q in %q: %q %v, want %q %v", user, file, got, ok, want, wantOK)
		}
	})
}
