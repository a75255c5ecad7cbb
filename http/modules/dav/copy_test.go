package dav

import (
	"testing"

	"moongate/http"
)

func TestMergeSlashes(t *testing.T) {
	for _, tt := range [][2]string{{"/a/b", "/a/b"}, {"//a///b//", "/a/b/"}, {"", ""}, {"/", "/"}} {
		if got := mergeSlashes(tt[0]); got != tt[1] {
			t.Errorf("%q: %q", tt[0], got)
		}
	}
}

func TestValid(t *testing.T) {
	tests := []struct {
		src, dst string
		slash    bool
		want     bool
	}{
		{"/r/a", "/r/b", false, true},
		{"/r/a", "/r/a", false, false},
		{"/r/a", "/r/a/b", true, false},
		{"/r/a/b", "/r/a", true, false},
		{"/r/a", "/r/ab", true, true},
		{"/r/ab", "/r/a", true, true},
		{"/r/a", "/r/a/b", false, true},
	}
	for _, tt := range tests {
		x := transfer{r: &http.Request{}, src: tt.src, dst: tt.dst, slash: tt.slash}
		if got := x.valid(); got != tt.want {
			t.Errorf("%s to %s: %v", tt.src, tt.dst, got)
		}
	}
}

func TestDirAccess(t *testing.T) {
	for access, want := range map[uint32]uint32{0o600: 0o700, 0o644: 0o755, 0o660: 0o770, 0o200: 0o200} {
		if got := dirAccess(access); got != want {
			t.Errorf("%o: %o", access, got)
		}
	}
}
