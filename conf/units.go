package conf

import (
	"math"
	"time"
)

// The readers of values. All of them accept exactly what nginx's ngx_parse.c
// and ngx_string.c accept, and none allocates.

// ParseSize reads a size in bytes with an optional suffix k or m, in either
// case. It reports false for anything else and for overflow.
func ParseSize(s string) (int64, bool) { return parseScaled(s, false) }

// ParseOffset is ParseSize with the suffix g as well.
func ParseOffset(s string) (int64, bool) { return parseScaled(s, true) }

func parseScaled(s string, giga bool) (int64, bool) {
	if s == "" {
		return 0, false
	}
	scale := int64(1)
	switch s[len(s)-1] {
	case 'k', 'K':
		scale = 1 << 10
	case 'm', 'M':
		scale = 1 << 20
	case 'g', 'G':
		if giga {
			scale = 1 << 30
		}
	}
	if scale != 1 {
		s = s[:len(s)-1]
	}
	n, ok := ParseInt(s)
	if !ok || n > math.MaxInt64/scale {
		return 0, false
	}
	return n * scale, true
}

// ParseInt reads a non-negative decimal number without sign or blanks.
func ParseInt(s string) (int64, bool) {
	if s == "" {
		return 0, false
	}
	var n int64
	for i := range len(s) {
		c := s[i] - '0'
		if c > 9 || n > (math.MaxInt64-int64(c))/10 {
			return 0, false
		}
		n = n*10 + int64(c)
	}
	return n, true
}

// ParseFixed reads a decimal number with up to point digits after the dot and
// returns it scaled by 10^point, as nginx's ngx_atofp does.
func ParseFixed(s string, point int) (int64, bool) {
	if s == "" {
		return 0, false
	}
	var n int64
	dot := false
	for i := range len(s) {
		if s[i] == '.' && !dot {
			dot = true
			continue
		}
		c := s[i] - '0'
		if c > 9 || n > (math.MaxInt64-9)/10 || dot && point == 0 {
			return 0, false
		}
		n = n*10 + int64(c)
		if dot {
			point--
		}
	}
	for ; point > 0; point-- {
		if n > math.MaxInt64/10 {
			return 0, false
		}
		n *= 10
	}
	return n, true
}

// unit is one suffix of a time value; units may only get smaller within one
// value, which rank orders.
type unit struct {
	suffix string
	rank   int
	ms     int64
}

var units = []unit{
	{"y", 1, 365 * 86400_000}, {"M", 2, 30 * 86400_000}, {"w", 3, 7 * 86400_000}, {"d", 4, 86400_000},
	{"h", 5, 3600_000}, {"ms", 8, 1}, {"m", 6, 60_000}, {"s", 7, 1000},
}

// ParseMsec reads a time such as "1h 30m" or "500ms". A number without a suffix
// is seconds; weeks down to milliseconds may be combined in falling order, with
// blanks between them.
func ParseMsec(s string) (time.Duration, bool) {
	ms, ok := parseTime(s, true)
	if !ok || ms > math.MaxInt64/int64(time.Millisecond) {
		return 0, false
	}
	return time.Duration(ms) * time.Millisecond, true
}

// ParseSec reads a time in whole seconds: as ParseMsec, with years and months
// and without milliseconds.
func ParseSec(s string) (time.Duration, bool) {
	ms, ok := parseTime(s, false)
	if !ok || ms > math.MaxInt64/int64(time.Millisecond) {
		return 0, false
	}
	return time.Duration(ms) * time.Millisecond, true
}

func parseTime(s string, msec bool) (total int64, ok bool) {
	rank, seen := 0, false
	for s != "" {
		n := 0
		for n < len(s) && s[n]-'0' <= 9 {
			n++
		}
		v, isNum := ParseInt(s[:n])
		if !isNum {
			return 0, false
		}
		s = s[n:]
		u := unit{"", 9, 1000}
		if s == "" {
			u.rank = 10
		}
		for _, c := range units {
			if len(s) >= len(c.suffix) && s[:len(c.suffix)] == c.suffix {
				u = c
				break
			}
		}
		if u.rank <= rank || u.suffix == "ms" && !msec || u.suffix != "" && u.rank <= 2 && msec || v > (math.MaxInt64-total)/u.ms {
			return 0, false
		}
		if u.suffix == "" && s != "" && s[0] != ' ' {
			return 0, false
		}
		rank, seen = u.rank, true
		total += v * u.ms
		for s = s[len(u.suffix):]; s != "" && s[0] == ' '; {
			s = s[1:]
		}
	}
	return total, seen
}
