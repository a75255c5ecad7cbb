package log

import (
	"sync/atomic"
	"time"
)

// Clock caches the current second in the texts that logs and responses need
// (ngx_times.c). The event loop calls Update after each wait; until the first Update, Times asks
// the system clock. The zero Clock is ready to use.
type Clock struct {
	now  atomic.Pointer[Times]
	msec atomic.Int64
}

// Times is one second in each of its texts, in local time except HTTP.
type Times struct {
	Unix    int64
	Error   string // "2026/11/23 09:50:29", of the error log
	Common  string // "23/Nov/2026:09:50:29 +0000", $time_local
	ISO8601 string // "2026-11-23T09:50:29+00:00", $time_iso8601
	Syslog  string // "Nov 23 09:50:29", RFC 3164
	HTTP    string // "Mon, 23 Nov 2026 09:50:29 GMT", of Date
}

// Update sets the current time. It formats, and allocates, only when the
// second changed.
func (c *Clock) Update(now time.Time) {
	c.msec.Store(now.UnixMilli())
	if t := c.now.Load(); t != nil && t.Unix == now.Unix() {
		return
	}
	c.now.Store(formatTimes(now))
}

// UnixMilli is the time of the last Update in milliseconds since 1970.
func (c *Clock) UnixMilli() int64 {
	if n := c.msec.Load(); n != 0 {
		return n
	}
	return time.Now().UnixMilli()
}

// Times is the second of the last Update.
func (c *Clock) Times() *Times {
	if t := c.now.Load(); t != nil {
		return t
	}
	return formatTimes(time.Now())
}

func formatTimes(now time.Time) *Times {
	now = now.Local()
	return &Times{
		Unix:    now.Unix(),
		Error:   now.Format("2006/01/02 15:04:05"),
		Common:  now.Format("02/Jan/2006:15:04:05 -0700"),
		ISO8601: now.Format("2006-01-02T15:04:05-07:00"),
		Syslog:  now.Format("Jan _2 15:04:05"),
		HTTP:    now.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT"),
	}
}
