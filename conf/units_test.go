package conf

import (
	"math"
	"testing"
	"time"
)

func TestSizes(t *testing.T) {
	for s, want := range map[string]int64{
		"0": 0, "1": 1, "010": 10, "1k": 1 << 10, "1K": 1 << 10, "3m": 3 << 20, "3M": 3 << 20,
		"9223372036854775807": math.MaxInt64, "9007199254740991k": math.MaxInt64 &^ 1023,
	} {
		if got, ok := ParseSize(s); !ok || got != want {
			t.Errorf("size %q: %d, %v", s, got, ok)
		}
		if got, ok := ParseOffset(s); !ok || got != want {
			t.Errorf("offset %q: %d, %v", s, got, ok)
		}
	}
	for _, s := range []string{"", "k", "-1", "+1", "1.5", "1 k", "1kk", " 1", "1t", "9223372036854775808", "9007199254740992k"} {
		if got, ok := ParseSize(s); ok {
			t.Errorf("size %q: %d", s, got)
		}
		if got, ok := ParseOffset(s); ok {
			t.Errorf("offset %q: %d", s, got)
		}
	}
	if _, ok := ParseSize("1g"); ok {
		t.Error("a size has gigabytes")
	}
	if got, ok := ParseOffset("2G"); !ok || got != 2<<30 {
		t.Errorf("offset 2G: %d, %v", got, ok)
	}
}

func TestFixed(t *testing.T) {
	for s, want := range map[string]int64{"1": 100, "1.5": 150, "1.55": 155, ".5": 50, "1.": 100, "0.01": 1} {
		if got, ok := ParseFixed(s, 2); !ok || got != want {
			t.Errorf("%q: %d, %v", s, got, ok)
		}
	}
	for _, s := range []string{"", "1.555", "1.5.5", "-1", "1e3", "99999999999999999999"} {
		if got, ok := ParseFixed(s, 2); ok {
			t.Errorf("%q: %d", s, got)
		}
	}
}

// never marks what does not parse.
const never = time.Duration(-1)

func TestTimes(t *testing.T) {
	const day = 24 * time.Hour
	for s, want := range map[string]struct{ msec, sec time.Duration }{
		"0":                   {0, 0},
		"10":                  {10 * time.Second, 10 * time.Second},
		"1s":                  {time.Second, time.Second},
		"500ms":               {500 * time.Millisecond, never},
		"1h30m":               {90 * time.Minute, 90 * time.Minute},
		"1h 30m":              {90 * time.Minute, 90 * time.Minute},
		"1m 30":               {90 * time.Second, 90 * time.Second},
		"1w1d1h1m1s":          {8*day + time.Hour + 61*time.Second, 8*day + time.Hour + 61*time.Second},
		"1w1d1h1m1s1ms":       {8*day + time.Hour + 61001*time.Millisecond, never},
		"1s1ms":               {1001 * time.Millisecond, never},
		"1 ":                  {time.Second, time.Second},
		"1 1":                 {2 * time.Second, 2 * time.Second},
		" 1":                  {time.Second, time.Second},
		"s1":                  {time.Second, time.Second},
		"1y":                  {never, 365 * day},
		"1M":                  {never, 30 * day},
		"1y1M1w":              {never, 402 * day},
		"1Ms":                 {never, 30 * day},
		"35000y":              {never, duration(math.MaxInt64, time.Second)},
		"106751991167d":       {duration(math.MaxInt64, time.Millisecond), duration(math.MaxInt64, time.Second)},
		"9223372036854775807": {never, duration(math.MaxInt64, time.Second)},
		"":                    {never, never},
		" ":                   {never, never},
		"ms":                  {never, never},
		"1m1m":                {never, never},
		"30m1h":               {never, never},
		"1ms1s":               {never, never},
		"1m1y":                {never, never},
		"2s3 ":                {never, never},
		"1 1 1":               {never, never},
		"-1":                  {never, never},
		"1.5":                 {never, never},
		"1S":                  {never, never},
		"1k":                  {never, never},
		"9223372036854775808": {never, never},
		"99999999999999w":     {never, never},
	} {
		for name, parse := range map[string]func(string) (time.Duration, bool){"msec": ParseMsec, "sec": ParseSec} {
			want := map[string]time.Duration{"msec": want.msec, "sec": want.sec}[name]
			got, ok := parse(s)
			if ok != (want != never) || ok && got != want {
				t.Errorf("%s %q: %v, %v; want %v", name, s, got, ok, want)
			}
		}
	}
}

func FuzzUnits(f *testing.F) {
	for _, s := range []string{"1h 30m", "1y1M", "10k", "1.25", "99999999999999999999w"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, parse := range []func(string) (time.Duration, bool){ParseMsec, ParseSec} {
			if d, ok := parse(s); ok && d < 0 {
				t.Errorf("%q: %v", s, d)
			}
		}
		for _, parse := range []func(string) (int64, bool){ParseSize, ParseOffset, ParseInt} {
			if n, ok := parse(s); ok && n < 0 {
				t.Errorf("%q: %d", s, n)
			}
		}
		if n, ok := ParseFixed(s, 3); ok && n < 0 {
			t.Errorf("%q: %d", s, n)
		}
	})
}

func TestUnitsDoNotAllocate(t *testing.T) {
	sum := int64(0)
	if n := testing.AllocsPerRun(100, func() {
		d, _ := ParseMsec("1h 30m")
		size, _ := ParseOffset("10g")
		sum += int64(d) + size
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
