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

// unit is one suffix of a time value. Units may only get smaller within one
// value, which rank orders.
type unit struct {
	suffix  string
	rank    int
	seconds int64 // 0: the unit is a millisecond
}

// A blank is a suffix too: it ends a number of seconds, after which none but
// seconds without a suffix may follow.
var units = []unit{
	{"y", 1, 365 * 86400}, {"M", rankMonth, 30 * 86400}, {"w", 3, 7 * 86400}, {"d", 4, 86400}, {"h", 5, 3600},
	{"ms", 8, 0}, {"m", 6, 60}, {"s", rankSecond, 1}, {" ", rankSecond, 1},
}

const (
	rankMonth  = 2
	rankSecond = 7
	rankLast   = 9
)

// ParseMsec reads a time such as "1h 30m" or "500ms". A number without a suffix
// is seconds; weeks down to milliseconds may be combined in falling order, with
// blanks between them. What exceeds a time.Duration, 292 years, is cut to it.
func ParseMsec(s string) (time.Duration, bool) {
	n, ok := parseTime(s, rankMonth, 1000)
	return duration(n, time.Millisecond), ok
}

// ParseSec reads a time in whole seconds: as ParseMsec, with years and months
// and without milliseconds.
func ParseSec(s string) (time.Duration, bool) {
	n, ok := parseTime(s, 0, 1)
	return duration(n, time.Second), ok
}

func duration(n int64, of time.Duration) time.Duration {
	return time.Duration(min(n, math.MaxInt64/int64(of))) * of
}

// parseTime is ngx_parse_time. Units of a rank up to rank are refused; the
// result is in fractions of a second, so many of which make one.
func parseTime(s string, rank int, fractions int64) (total int64, ok bool) {
	var n int64
	digits := false
	for s != "" {
		if c := s[0] - '0'; c <= 9 {
			if n > (math.MaxInt64-int64(c))/10 {
				return 0, false
			}
			n, s, digits = n*10+int64(c), s[1:], true
			continue
		}
		u := unitOf(s)
		if u == nil || u.rank <= rank || u.seconds == 0 && fractions == 1 {
			return 0, false
		}
		scale := max(u.seconds*fractions, 1)
		if n > math.MaxInt64/scale || total > math.MaxInt64-n*scale {
			return 0, false
		}
		total += n * scale
		n = 0
		rank = u.rank
		if u.suffix == " " {
			rank = rankLast
		}
		for s = s[len(u.suffix):]; s != "" && s[0] == ' '; {
			s = s[1:]
		}
	}
	if !digits || n > math.MaxInt64/fractions || total > math.MaxInt64-n*fractions {
		return 0, false
	}
	return total + n*fractions, true
}

// unitOf returns the unit that s begins with.
func unitOf(s string) *unit {
	for i := range units {
		if u := &units[i]; len(s) >= len(u.suffix) && s[:len(u.suffix)] == u.suffix {
			return u
		}
	}
	return nil
}
