package upstream

import (
	"math"
	"strings"

	"moongate/conf"
	"moongate/core/buf"
	"moongate/http"
	"moongate/http/upstream/cache"
	"moongate/http/wire"
)

// prepareKeeping decides whether the response is kept, and if so completes what
// precedes it in the file. It is false after an error.
func (e *Exchange) prepareKeeping() bool {
	n := e.entry
	if n == nil {
		return true
	}
	r := e.R
	if e.Conf.Cache.Refuse.V.Any(r) {
		e.Cacheable = false
	} else if e.cacheStatus == cacheBypass && !n.Create(r) {
		return false
	}
	if e.Cacheable {
		e.Cacheable = e.lifetime(e.In.Status) && e.rd <= cache.MaxStart
	}
	if !e.Cacheable {
		n.Free()
		return true
	}
	n.Date, n.BodyStart = e.Now(), e.rd
	n.LastModified, n.ETag = -1, ""
	if e.In.Status == int(http.StatusOK) || e.In.Status == int(http.StatusPartialContent) {
		n.LastModified = e.In.LastModified
		if f := e.In.Get(wire.HeaderETag); f != nil {
			n.ETag = f.Value
		}
	}
	return n.SetHeader(r, e.buf)
}

// lifetime completes the time that a response with a status is fresh; false if
// there is none.
func (e *Exchange) lifetime(status int) bool {
	n := e.entry
	if n.Valid == 0 {
		if valid := cache.Lifetime(e.Conf.Cache.Valid.V, status); valid != 0 {
			n.Valid = e.Now() + valid
		}
	}
	return n.Valid != 0
}

// keepStatus keeps the status of a response that error_page replaces.
func (e *Exchange) keepStatus(status http.Verdict) {
	if e.entry == nil {
		return
	}
	if e.In.noCache || e.In.expired {
		e.Cacheable = false
	}
	if e.Cacheable && e.lifetime(int(status)) {
		e.entry.Status = int(status)
	}
	e.entry.Free()
}

// freeEntry lets go of the entry at the end of an exchange. That no peer
// answered is kept if the location says so; a response that broke off is
// nothing to keep.
func (e *Exchange) freeEntry(v http.Verdict) {
	if e.entry == nil {
		return
	}
	if e.Cacheable && !e.started && (v == http.StatusBadGateway || v == http.StatusGatewayTimeOut) {
		if valid := cache.Lifetime(e.Conf.Cache.Valid.V, int(v)); valid != 0 {
			e.entry.Valid, e.entry.Status = e.Now()+valid, int(v)
		}
	}
	e.entry.Free()
}

// keepFile puts the file with a complete response into the cache.
func (p *pipe) keepFile() {
	e := p.e
	size := p.tempSize - int64(e.entry.BodyStart)
	if p.temp == nil || !p.done && e.In.ContentLength != -1 && e.In.ContentLength != size {
		e.entry.Free()
		return
	}
	e.entry.Update(e.R, p.temp)
}

// What follows draws the consequences for the cache of fields of a response.

func takeSetCookie(e *Exchange, _ *http.Header) Header {
	if !e.ignores(ignoreSetCookie) {
		e.Cacheable = false
	}
	return HeaderDone
}

func takeCacheControl(e *Exchange, f *http.Header) Header {
	n := e.entry
	if n == nil || e.ignores(ignoreCacheControl) {
		return HeaderDone
	}
	cc := wire.ParseCacheControl(buf.Bytes(f.Value), n.Valid != 0 && e.In.Get(wire.HeaderXAccelExpires) != nil)
	switch {
	case cc.NoCache:
		e.In.noCache = true
		return HeaderDone
	case cc.MaxAge != -1:
		n.Valid = later(e.Now(), cc.MaxAge)
		e.In.expired = false
	}
	if cc.StaleWhileRevalidate != -1 {
		n.Updating = cc.StaleWhileRevalidate
	}
	if cc.StaleIfError != -1 {
		n.StaleError = cc.StaleIfError
	}
	if cc.Invalid {
		e.Cacheable = false
	}
	return HeaderDone
}

// later is a time in seconds; the sum may be too great.
func later(now, seconds int64) int64 {
	if seconds > math.MaxInt64-now {
		return math.MaxInt64
	}
	return now + seconds
}

func takeExpires(e *Exchange, f *http.Header) Header {
	takeOnce(e, f)
	n := e.entry
	if f.Off || n == nil || e.ignores(ignoreExpires) || n.Valid != 0 {
		return HeaderDone
	}
	if at, ok := wire.ParseDate(buf.Bytes(f.Value)); ok && at >= e.Now() {
		n.Valid = at
	} else {
		e.In.expired = true
	}
	return HeaderDone
}

func takeAccelExpires(e *Exchange, f *http.Header) Header {
	takeOnce(e, f)
	n := e.entry
	if f.Off || n == nil || e.ignores(ignoreAccelExpires) {
		return HeaderDone
	}
	text, absolute := strings.CutPrefix(f.Value, "@")
	seconds, ok := conf.ParseInt(text)
	switch {
	case !ok:
		return HeaderDone
	case absolute:
		n.Valid = seconds
	case seconds == 0:
		e.Cacheable = false
		return HeaderDone
	default:
		n.Valid = later(e.Now(), seconds)
	}
	e.In.noCache, e.In.expired = false, false
	return HeaderDone
}

func takeVary(e *Exchange, f *http.Header) Header {
	n := e.entry
	if n == nil || !e.Cacheable || e.ignores(ignoreVary) {
		return HeaderDone
	}
	if f.Value == "*" {
		e.Cacheable = false
		return HeaderDone
	}
	n.Vary = f.Value
	if first := e.In.Get(wire.HeaderVary); first != nil {
		n.Vary = e.allVary(f.Value)
	}
	if len(n.Vary) > cache.MaxVary {
		e.Cacheable = false
	}
	return HeaderDone
}

// allVary joins the values of the fields Vary that were read before with the
// last one.
func (e *Exchange) allVary(last string) string {
	var parts []string
	for i := range e.In.List {
		if f := &e.In.List[i]; f.ID == wire.HeaderVary {
			parts = append(parts, f.Value, ", ")
		}
	}
	return e.R.Pool.Concat(append(parts, last)...)
}

// Variables of the cache.

func getCacheStatus(r *http.Request, _ any) http.Value {
	e := OfRequest(r)
	if e == nil || e.cacheStatus == cacheNone {
		return http.Value{}
	}
	return http.Val(cacheStatusNames[e.cacheStatus])
}

// revalidating is the exchange of a request that fetches a response anew which
// may be still good, else nil.
func revalidating(r *http.Request) *Exchange {
	e := OfRequest(r)
	if e == nil || e.cacheStatus != cacheExpired || !e.Conf.Cache.Revalidate.V {
		return nil
	}
	return e
}

func getCacheLastModified(r *http.Request, _ any) http.Value {
	e := revalidating(r)
	if e == nil || e.entry.LastModified == -1 {
		return http.Value{}
	}
	return http.Val(r.Pool.String(wire.AppendDate(nil, e.entry.LastModified)))
}

func getCacheETag(r *http.Request, _ any) http.Value {
	e := revalidating(r)
	if e == nil || e.entry.ETag == "" {
		return http.Value{}
	}
	return http.Val(e.entry.ETag)
}
