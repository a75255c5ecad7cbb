package headers

import (
	"testing"
	"time"
)

func TestParseExpires(t *testing.T) {
	const m = expiresModified
	tests := []struct {
		in   string
		kind expiresKind
		want expires
		err  error
	}{
		{"epoch", 0, expires{kind: expiresEpoch}, nil},
		{"max", 0, expires{kind: expiresMax}, nil},
		{"off", 0, expires{kind: expiresOff}, nil},
		{"1h", 0, expires{kind: expiresAccess, time: time.Hour}, nil},
		{"+1d", 0, expires{kind: expiresAccess, time: 24 * time.Hour}, nil},
		{"-1", 0, expires{kind: expiresAccess, time: -time.Second}, nil},
		{"@12h30m", 0, expires{kind: expiresDaily, time: 12*time.Hour + 30*time.Minute}, nil},
		{"@24h", 0, expires{kind: expiresDaily, time: 24 * time.Hour}, nil},
		{"@25h", 0, expires{}, errDailyTime},
		{"@1h", m, expires{}, errModifiedDaily},
		{"-1w", m, expires{kind: m, time: -7 * 24 * time.Hour}, nil},
	}
	for _, tt := range tests {
		e := expires{kind: expiresAccess}
		if tt.kind != 0 {
			e.kind = tt.kind
		}
		err := e.parse(tt.in)
		if err != tt.err || err == nil && e != tt.want {
			t.Errorf("%q: %v, %v", tt.in, e, err)
		}
	}
	for _, bad := range []string{"", "+", "max ", "1x", "--1"} {
		if e := (expires{kind: expiresAccess}); e.parse(bad) == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestNextTime(t *testing.T) {
	now := time.Date(2024, 5, 6, 12, 0, 0, 0, time.Local)
	for _, tt := range []struct {
		at, want time.Duration // from midnight
	}{{13 * time.Hour, 13 * time.Hour}, {12 * time.Hour, 36 * time.Hour}, {0, 24 * time.Hour}} {
		want := time.Date(2024, 5, 6, 0, 0, int(tt.want/time.Second), 0, time.Local).Unix()
		if got := nextTime(now, tt.at); got != want {
			t.Errorf("%v: %v, want %v", tt.at, time.Unix(got, 0), time.Unix(want, 0))
		}
	}
}
