package strftime

import (
	"testing"
	"time"
)

func TestAppend(t *testing.T) {
	at := time.Date(2024, time.January, 7, 4, 5, 9, 0, time.UTC) // a Sunday
	late := time.Date(2021, time.December, 31, 23, 59, 58, 0, time.FixedZone("EST", -5*3600))
	for _, c := range []struct {
		format, want string
		time         time.Time
	}{
		{"%Y-%m-%d %H:%M:%S", "2024-01-07 04:05:09", at},
		{"%a %A %b %B %h", "Sun Sunday Jan January Jan", at},
		{"%c|%D|%F|%r|%R|%T|%x|%X", "Sun Jan  7 04:05:09 2024|01/07/24|2024-01-07|04:05:09 AM|04:05|04:05:09|01/07/24|04:05:09", at},
		{"%e|%k|%l|%j|%C|%y|%g|%G", " 7| 4| 4|007|20|24|24|2024", at},
		{"%u %w %U %V %W", "7 0 01 01 01", at},
		{"%I %p %P %Z %z %s", "11 PM pm EST -0500 1641013198", late},
		{"%Z %z", "GMT +0000", at},
		{"%u %w %U %V %W %j", "5 5 52 52 52 365", late},
		{"%%|%n|%t|%Ey|%Od|%Q|%", "%|\n|\t|24|07|%Q|%", at},
		{"", "", at},
	} {
		if got := string(Append(nil, c.format, c.time)); got != c.want {
			t.Errorf("%q: %q, want %q", c.format, got, c.want)
		}
	}
}

func FuzzAppend(f *testing.F) {
	f.Add("%Y %E", int64(0))
	f.Fuzz(func(_ *testing.T, format string, unix int64) {
		Append(nil, format, time.Unix(unix%(1<<40), 0))
	})
}
