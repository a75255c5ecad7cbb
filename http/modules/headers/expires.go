package headers

import (
	"errors"
	"strconv"
	"time"

	"moongate/conf"
	"moongate/core/buf"
	"moongate/http"
	"moongate/http/wire"
)

// expiresKind is how the time of expiry is computed.
type expiresKind uint8

const (
	expiresOff      expiresKind = iota
	expiresEpoch                // long ago
	expiresMax                  // in 2037
	expiresAccess               // some time from now
	expiresModified             // some time from Last-Modified
	expiresDaily                // at a time of the day
)

// expires is the directive of that name. With a value that has variables, kind
// is expiresAccess or expiresModified until it is evaluated.
type expires struct {
	kind  expiresKind
	time  time.Duration
	value *http.Complex
}

// parseExpires reads "expires [modified] time" and "expires epoch | max | off".
func parseExpires(cf *conf.Conf) (expires, error) {
	e := expires{kind: expiresAccess}
	arg := cf.Args[0]
	if len(cf.Args) == 2 {
		if arg != "modified" {
			return e, conf.ErrInvalidValue
		}
		e.kind, arg = expiresModified, cf.Args[1]
	}
	value, err := http.CompileArg(cf, arg)
	if err != nil {
		return e, err
	}
	if !value.Static() {
		e.value = value
		return e, nil
	}
	return e, e.parse(arg)
}

var (
	errModifiedDaily = errors.New(`daily time cannot be used with "modified" parameter`)
	errDailyTime     = errors.New("daily time value must be less than 24 hours")
)

const day = 24 * time.Hour

// parse reads the time.
func (e *expires) parse(s string) error {
	if e.kind != expiresModified {
		switch s {
		case "epoch":
			e.kind = expiresEpoch
			return nil
		case "max":
			e.kind = expiresMax
			return nil
		case "off":
			e.kind = expiresOff
			return nil
		}
	}
	minus := false
	if s != "" {
		switch s[0] {
		case '@':
			if e.kind == expiresModified {
				return errModifiedDaily
			}
			e.kind = expiresDaily
			s = s[1:]
		case '+', '-':
			minus = s[0] == '-'
			s = s[1:]
		}
	}
	t, ok := conf.ParseSec(s)
	switch {
	case !ok:
		return conf.ErrInvalidValue
	case e.kind == expiresDaily && t > day:
		return errDailyTime
	case minus:
		t = -t
	}
	e.time = t
	return nil
}

// apply sets Expires and Cache-Control: ngx_http_set_expires.
func (c *expires) apply(r *http.Request) {
	e := *c
	if e.value != nil && e.parse(e.value.Eval(r)) != nil {
		return
	}
	date, control := "", ""
	switch {
	case e.kind == expiresOff:
		return
	case e.kind == expiresEpoch:
		date, control = "Thu, 01 Jan 1970 00:00:01 GMT", "no-cache"
	case e.kind == expiresMax:
		date, control = "Thu, 31 Dec 2037 23:55:55 GMT", "max-age=315360000"
	case e.time == 0 && e.kind != expiresDaily:
		date, control = r.Conn.Worker.Clock.Times().HTTP, "max-age=0"
	default:
		at, age := e.at(r)
		date = buf.String(wire.AppendDate(r.Pool.Alloc(dateLen)[:0], at))
		if c.time < 0 || age < 0 {
			control = "no-cache"
			break
		}
		control = buf.String(strconv.AppendInt(append(r.Pool.Alloc(maxAgeLen)[:0], "max-age="...), age, 10))
	}
	r.Out.Set("Expires", date)
	r.Out.Set("Cache-Control", control)
}

const (
	dateLen   = len("Mon, 28 Sep 1970 06:00:00 GMT")
	maxAgeLen = len("max-age=") + 20
)

// at computes the time of expiry and how far away it is, in seconds.
func (e *expires) at(r *http.Request) (at, age int64) {
	now, seconds := r.Loop().Now().Unix(), int64(e.time/time.Second)
	switch {
	case e.kind == expiresDaily:
		at = nextTime(r.Loop().Now(), e.time)
		return at, at - now
	case e.kind == expiresAccess || r.Out.LastModified == -1:
		return now + seconds, seconds
	}
	at = r.Out.LastModified + seconds
	return at, at - now
}

// nextTime is when it is next that time of the day: ngx_next_time.
func nextTime(now time.Time, t time.Duration) int64 {
	y, m, d := now.Local().Date()
	at := time.Date(y, m, d, 0, 0, int(t/time.Second), 0, time.Local)
	if !at.After(now) {
		at = time.Date(y, m, d+1, 0, 0, int(t/time.Second), 0, time.Local)
	}
	return at.Unix()
}
