package autoindex

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAppendName(t *testing.T) {
	long := strings.Repeat("é", 51)
	tests := []struct {
		name string
		e    entry
		utf  bool
		want string
	}{
		{"file", entry{name: "a"}, false, "a</a>" + strings.Repeat(" ", 49)},
		{"folder", entry{name: "a", dir: true}, false, "a/</a>" + strings.Repeat(" ", 48)},
		{"escaped", entry{name: "<"}, false, "&lt;</a>" + strings.Repeat(" ", 49)},
		{"bytes", entry{name: "é"}, false, "é</a>" + strings.Repeat(" ", 48)},
		{"characters", entry{name: "é"}, true, "é</a>" + strings.Repeat(" ", 49)},
		{"invalid", entry{name: "\xff"}, true, "\xff</a>" + strings.Repeat(" ", 49)},
		{"full", entry{name: strings.Repeat("a", 50), dir: true}, false, strings.Repeat("a", 50) + "</a>"},
		{"long", entry{name: strings.Repeat("a", 51)}, false, strings.Repeat("a", 47) + "..&gt;</a>"},
		{"long in characters", entry{name: long}, true, strings.Repeat("é", 47) + "..&gt;</a>"},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, string(tt.e.appendName(nil, tt.utf))); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

func TestAppendSize(t *testing.T) {
	for _, tt := range []struct {
		size  int64
		exact bool
		want  string
	}{
		{5, true, "                  5"}, {9999, false, "   9999"}, {10000, false, "    10K"}, {1<<20 - 1, false, "  1024K"},
		{1 << 20, false, "     1M"}, {3 << 19, false, "     2M"}, {3<<19 - 1, false, "     1M"}, {5 << 30, false, "     5G"},
	} {
		e := entry{size: tt.size, file: true}
		want := tt.want
		if tt.size <= 9999 && !tt.exact {
			want = " " + want[1:]
		}
		if diff := cmp.Diff(want, string(e.appendSize(nil, tt.exact))); diff != "" {
			t.Errorf("%d: %s", tt.size, diff)
		}
	}
}
