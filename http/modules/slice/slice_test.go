package slice

import "testing"

func TestParseContentRange(t *testing.T) {
	tests := []struct {
		in   string
		want contentRange
		ok   bool
	}{
		{"bytes 0-99/1000", contentRange{0, 100, 1000}, true},
		{"bytes  5 - 6 / 7 ", contentRange{5, 7, 7}, true},
		{"bytes 0-0/*", contentRange{0, 1, -1}, true},
		{"bytes */10", contentRange{}, false},
		{"bytes 0-*/10", contentRange{}, false},
		{"bytes 0-1/10x", contentRange{}, false},
		{"bytes 0-1", contentRange{}, false},
		{"bytes 0-99999999999999999999/1", contentRange{}, false},
		{"octets 0-1/2", contentRange{}, false},
		{"", contentRange{}, false},
	}
	for _, tt := range tests {
		got, ok := parseContentRange(tt.in)
		if ok != tt.ok || ok && got != tt.want {
			t.Errorf("%q: %v, %v", tt.in, got, ok)
		}
	}
}

func FuzzParseContentRange(f *testing.F) {
	f.Add("bytes 0-99/1000")
	f.Fuzz(func(t *testing.T, s string) {
		if cr, ok := parseContentRange(s); ok && (cr.start < 0 || cr.length < -1) {
			t.Errorf("%q: %v", s, cr)
		}
	})
}
