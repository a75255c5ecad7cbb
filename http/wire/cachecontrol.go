package wire

import "math"

// CacheControl is what a Cache-Control line of an upstream says about keeping
// the response (ngx_http_upstream_process_cache_control).
type CacheControl struct {
	NoCache bool // no-cache, no-store, private or an age of 0
	Invalid bool // an age that is not a number: the response is not cacheable

	// Ages in seconds, -1 when absent.
	MaxAge               int64 // s-maxage or, without it, max-age
	StaleWhileRevalidate int64 // also counts as StaleIfError when that is absent
	StaleIfError         int64
}

// ParseCacheControl reads one line. As in nginx the words are found anywhere
// in it. With extensionsOnly (X-Accel-Expires has decided about the age) only
// the stale ages are read.
func ParseCacheControl(line []byte, extensionsOnly bool) CacheControl {
	cc := CacheControl{MaxAge: -1, StaleWhileRevalidate: -1, StaleIfError: -1}
	if !extensionsOnly {
		if HasToken(line, "no-cache") || HasToken(line, "no-store") || HasToken(line, "private") {
			cc.NoCache = true
			return cc
		}
		age, found, ok := deltaSeconds(line, "s-maxage=")
		if !found {
			age, found, ok = deltaSeconds(line, "max-age=")
		}
		switch {
		case !found:
		case !ok:
			cc.Invalid = true
			return cc
		case age == 0:
			cc.NoCache = true
			return cc
		default:
			cc.MaxAge = age
		}
	}
	if age, found, ok := deltaSeconds(line, "stale-while-revalidate="); found {
		if !ok {
			cc.Invalid = true
			return cc
		}
		cc.StaleWhileRevalidate, cc.StaleIfError = age, age
	}
	if age, found, ok := deltaSeconds(line, "stale-if-error="); found {
		if !ok {
			cc.Invalid = true
			return cc
		}
		cc.StaleIfError = age
	}
	return cc
}

// deltaSeconds reads the digits after name, wherever that is in the line, up
// to a comma, semicolon or blank. Too great a number is the greatest; no
// digits are 0.
func deltaSeconds(line []byte, name string) (n int64, found, ok bool) {
	i := indexFold(line, name)
	if i < 0 {
		return 0, false, true
	}
	for _, c := range line[i+len(name):] {
		if c == ',' || c == ';' || c == ' ' {
			break
		}
		if !isDigit(c) {
			return 0, true, false
		}
		d := int64(c - '0')
		if n > (math.MaxInt64-d)/10 {
			return math.MaxInt64, true, true
		}
		n = n*10 + d
	}
	return n, true, true
}
