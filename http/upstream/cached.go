package upstream

import (
	"math"
	"strings"

	"moongate/conf"
	"moongate/core/log"
	"moongate/http"
	"moongate/http/upstream/cache"
	"moongate/http/wire"
)

// Keyer is a Protocol whose responses have a key where PREFIX_cache_key gives
// none.
type Keyer interface {
	AppendKey(e *Exchange, key []byte) []byte
}

// cacheStatus is what $upstream_cache_status says.
type cacheStatus uint8

const (
	cacheNone cacheStatus = iota
	cacheMiss
	cacheBypass
	cacheExpired
	cacheStale
	cacheUpdating
	cacheRevalidated
	cacheHit
)

var cacheStatusNames = [...]string{
	cacheMiss: "MISS", cacheBypass: "BYPASS", cacheExpired: "EXPIRED", cacheStale: "STALE",
	cacheUpdating: "UPDATING", cacheRevalidated: "REVALIDATED", cacheHit: "HIT",
}

// caching is what an exchange has to do with a cache.
type caching struct {
	// entry is the response's place in the cache, nil without.
	entry *cache.Entry
	own   cache.Entry
	// cacheStatus is what came of looking there.
	cacheStatus cacheStatus
	// kept: the response that is being sent comes from the cache.
	kept    bool
	keptBuf [1]http.Buf
}

// minHeader is how much of a buffer must be left for a response's header.
const minHeader = 256

// lookUp answers from the cache. done is false when the peers have to be asked
// (ngx_http_upstream_cache).
func (e *Exchange) lookUp() (v http.Verdict, done bool) {
	r, c := e.R, &e.Conf.Cache
	if int(r.Method)&c.Methods.V == 0 {
		return http.OK, false
	}
	zone, ok := e.chooseCache()
	switch {
	case !ok:
		return http.StatusInternalServerError, true
	case zone == nil:
		return http.OK, false
	}
	if r.Method == wire.HEAD && c.ConvertHead.V {
		e.Method = "GET"
	}
	if !e.beginEntry(zone) {
		return http.OK, false
	}
	if c.Bypass.V.Any(r) {
		e.cacheStatus = cacheBypass
		return http.OK, false
	}
	e.cacheStatus = cacheMiss
	e.makeBuf()
	switch e.judge(e.entry.Open(r, e.buf)) {
	case cache.Failed:
		return http.StatusInternalServerError, true
	case cache.Hit:
		switch e.readKept() {
		case HeaderDone:
			return e.sendKept(), true
		case HeaderFailed:
			return http.StatusInternalServerError, true
		}
		e.cacheStatus, e.kept = cacheMiss, false
		e.forget()
		e.restart()
	case cache.Stale:
		e.forget()
		e.cacheStatus = cacheExpired
	case cache.Scarce:
		e.Cacheable = false
	case cache.Status:
		e.cacheStatus = cacheHit
		return http.Verdict(e.entry.Status), true
	}
	if !e.rangeCacheable() {
		e.Cacheable = false
	}
	return http.OK, false
}

// beginEntry makes the entry of the request; false if its key is too long.
func (e *Exchange) beginEntry(zone *cache.Cache) bool {
	c := &e.Conf.Cache
	n := &e.own
	n.Begin(zone)
	key := n.Key()
	if c.Key.V != nil {
		key = append(key, c.Key.V.Eval(e.R)...)
	} else if k, ok := e.Protocol.(Keyer); ok {
		key = k.AppendKey(e, key)
	}
	n.SetKey(key)
	if size := int64(n.HeaderStart + minHeader); size > e.Conf.BufferSize.V || n.HeaderStart > cache.MaxStart {
		const unit = 1024
		e.R.Error("%s_buffer_size %d is not enough for cache key, it should be increased to at least %d",
			e.Traits.Module, e.Conf.BufferSize.V, (size+unit-1)/unit*unit)
		return false
	}
	e.entry, e.Cacheable = n, true
	n.MinUses = c.MinUses.V
	n.Lock, n.LockTimeout, n.LockAge = c.Lock.V, c.LockTimeout.V, c.LockAge.V
	e.rd, e.wr = n.HeaderStart, n.HeaderStart
	return true
}

// Caching reports whether the request has to do with a cache.
func (e *Exchange) Caching() bool { return e.entry != nil }

// headerStart is where in the buffer the header of a response goes: behind what
// precedes it in the file.
func (e *Exchange) headerStart() int {
	if e.entry == nil {
		return 0
	}
	return e.entry.HeaderStart
}

// judge decides whether a response that is not fresh any more is sent all the
// same.
func (e *Exchange) judge(o cache.Outcome) cache.Outcome {
	r, c := e.R, &e.Conf.Cache
	while := (c.UseStale.V&FailUpdating != 0 || e.entry.MayUpdate) && !r.Background
	switch {
	case o == cache.Hit:
		e.cacheStatus = cacheHit
	case o == cache.Stale && while && c.BackgroundUpdate.V:
		if !e.updateInBackground() {
			return cache.Failed
		}
		e.entry.Background = true
		e.cacheStatus = cacheStale
		return cache.Hit
	case o == cache.Updating && while:
		e.cacheStatus = cacheUpdating
		return cache.Hit
	case o == cache.Updating:
		return cache.Stale
	}
	return o
}

// updateInBackground has a subrequest fetch the response anew.
func (e *Exchange) updateInBackground() bool {
	return e.R.Subrequest(e.R.URI, e.R.Args, http.SubrequestOptions{
		Background: true, Clone: true,
		Prepare: func(sr *http.Request) { sr.HeaderOnly = true },
	}) != nil
}

// forget drops the lifetime of a response that is going to be replaced.
func (e *Exchange) forget() {
	n := e.entry
	n.Valid, n.Updating, n.StaleError = 0, 0, 0
}

// rangeCacheable reports whether a whole response is to be fetched for the
// Range that the client asks for (ngx_http_upstream_cache_check_range).
func (e *Exchange) rangeCacheable() bool {
	limit := e.Conf.Cache.MaxRangeOffset.V
	value, ok := e.R.In.Get(wire.HeaderRange)
	switch {
	case !ok || !e.Cacheable || limit == math.MaxInt64:
		return true
	case limit == 0:
		return false
	}
	const unit = "bytes="
	if len(value) <= len(unit) || !strings.EqualFold(value[:len(unit)], unit) {
		return true
	}
	value = strings.TrimLeft(value[len(unit):], " ")
	if strings.HasPrefix(value, "-") {
		return false
	}
	n := 0
	for n < len(value) && value[n] >= '0' && value[n] <= '9' {
		n++
	}
	offset, ok := conf.ParseInt(value[:n])
	return !ok || offset < limit
}

// readKept reads the header of the response that is kept: the first part of
// ngx_http_upstream_cache_send. HeaderInvalid is for a file that is damaged.
func (e *Exchange) readKept() Header {
	n := e.entry
	e.kept = true
	head := n.Head()
	if len(head) > len(e.buf) {
		e.buf = head
	}
	e.rd, e.wr = n.HeaderStart, min(len(head), n.BodyStart)
	e.In.reset()
	if n.HeaderStart == n.BodyStart {
		e.R.Version = http.Version9
		return HeaderDone
	}
	h := HeaderInvalid
	if e.wr == n.BodyStart && n.Length >= int64(n.BodyStart) {
		h = e.Protocol.Header(e)
	}
	if body := n.Length - int64(n.BodyStart); h == HeaderDone && body > 0 && e.In.ContentLength > body {
		h = HeaderInvalid // the file was cut
	}
	if h == HeaderAgain || h == HeaderEarlyHints || h == HeaderInvalid {
		e.R.Logf(log.Crit, nil, `cache file "%s" contains invalid header`, n.Path())
		return HeaderInvalid
	}
	return h
}

// sendKept sends the response that is kept: the second part of
// ngx_http_upstream_cache_send, and ngx_http_cache_send.
func (e *Exchange) sendKept() http.Verdict {
	r, n := e.R, e.entry
	if n.HeaderStart != n.BodyStart {
		if v, done := e.passHeader(); done {
			return v
		}
	}
	if v := r.SendHeader(); v != http.OK || r.HeaderOnly {
		return v
	}
	b := &e.keptBuf[0]
	*b = http.Buf{Last: r.IsMain(), LastInChain: true}
	switch head := n.Head(); {
	case n.Length <= int64(n.BodyStart):
		b.Sync = !b.Last
	case int64(len(head)) == n.Length:
		b.B = head[n.BodyStart:]
	default:
		b.InFile, b.File, b.Off, b.End = true, n.FD, int64(n.BodyStart), n.Length
	}
	return r.Output(e.keptBuf[:])
}

// staleFor reports whether what is kept is sent when the peers fail.
func (e *Exchange) staleFor(fail int) bool {
	return e.cacheStatus == cacheExpired && e.Conf.Cache.UseStale.V&fail != 0
}

// sendStale sends what is kept instead of what the peers say.
func (e *Exchange) sendStale() http.Verdict {
	e.cacheStatus = cacheStale
	if v, ok := e.reopenKept(); !ok {
		return e.finish(v)
	}
	e.entry.Free()
	return e.finish(e.sendKept())
}

// reopenKept goes back to what is kept after a peer has been asked.
func (e *Exchange) reopenKept() (v http.Verdict, ok bool) {
	e.leavePeer()
	e.restart()
	if !e.entry.Reread(e.R, e.buf) || e.readKept() != HeaderDone {
		return http.StatusInternalServerError, false
	}
	return http.OK, true
}

// instead answers a response with what is kept, if the status of the response
// asks for it (ngx_http_upstream_test_next).
func (e *Exchange) instead() (v http.Verdict, done bool) {
	if e.cacheStatus != cacheExpired {
		return http.OK, false
	}
	for _, s := range statusFails {
		if s.status == e.In.Status && e.staleFor(s.fail) {
			return e.sendStale(), true
		}
	}
	if e.In.Status == int(http.StatusNotModified) && e.Conf.Cache.Revalidate.V {
		return e.revalidated(), true
	}
	return http.OK, false
}

// revalidated sends what is kept, which the peer says is still good.
func (e *Exchange) revalidated() http.Verdict {
	n := e.entry
	now := e.Now()
	valid, updating, stale := n.Valid, n.Updating, n.StaleError
	e.cacheStatus = cacheRevalidated
	if v, ok := e.reopenKept(); !ok {
		return e.finish(v)
	}
	if valid == 0 {
		valid, updating, stale = n.Valid, n.Updating, n.StaleError
	}
	if valid == 0 {
		if valid = cache.Lifetime(e.Conf.Cache.Valid.V, e.In.Status); valid != 0 {
			valid += now
		}
	}
	if valid != 0 {
		n.Valid, n.Updating, n.StaleError, n.Date = valid, updating, stale, now
		n.UpdateHeader(e.R)
	}
	n.Free()
	return e.finish(e.sendKept())
}
