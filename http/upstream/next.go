package upstream

import (
	"moongate/core/log"
	"moongate/http"
	"moongate/http/wire"
)

// nonIdempotent are the methods that must not be repeated unless allowed.
const nonIdempotent = wire.POST | wire.LOCK | wire.PATCH

var statusFails = [...]struct{ status, fail int }{
	{500, Fail500}, {502, Fail502}, {503, Fail503}, {504, Fail504}, {403, Fail403}, {404, Fail404}, {429, Fail429},
}

// statusFails returns the reason to ask another peer because of the response's
// status, 0 if there is none or no other may be asked.
func (e *Exchange) statusFails() int {
	for _, s := range statusFails {
		if s.status != e.In.Status {
			continue
		}
		if e.Tries > 1 && e.mayRepeat(s.fail) {
			return s.fail
		}
		return 0
	}
	return 0
}

// mayRepeat reports whether another peer may be asked after a failure.
func (e *Exchange) mayRepeat(fail int) bool {
	if e.sent && e.R.Method&nonIdempotent != 0 {
		fail |= FailNonIdempotent
	}
	timeout := e.Conf.NextTimeout.V.Milliseconds()
	return e.Conf.NextUpstream.V&fail == fail && !(e.sent && e.body == BodyStreamed) &&
		!(timeout > 0 && e.Msec()-e.began >= timeout)
}

// next gives a failed peer up and tells whether another one can be asked.
func (e *Exchange) next(fail int) (v http.Verdict, again bool) {
	e.sender.stop()
	if l := e.R.Log; l.Enabled(log.DebugHTTP) {
		l.Log(log.DebugHTTP, nil, "http next upstream, %x", fail)
	}
	if e.Peer != nil {
		how := PeerFailed
		if fail == Fail403 || fail == Fail404 {
			how = PeerNext
		}
		e.freePeer(how)
	}
	if fail == FailTimeout {
		e.R.Logf(log.Error, errTimedOut, "upstream timed out")
	}
	if e.cached && fail == FailError && !e.CountCached {
		e.Tries++ // the connection may just have been closed for its age
	}
	status := failStatus(fail)
	if e.R.Conn.Failed {
		return http.StatusClientClosed, false
	}
	e.state.Status = int(status)
	if e.Tries == 0 || !e.mayRepeat(fail) {
		if e.staleFor(fail) || e.cacheStatus == cacheExpired && e.entry.MayFail {
			return e.sendStale(), false
		}
		return status, false
	}
	e.closeLink()
	return http.OK, true
}

// failStatus is what the client gets when there is no other peer.
func failStatus(fail int) http.Verdict {
	switch fail {
	case FailTimeout, Fail504:
		return http.StatusGatewayTimeOut
	case Fail500:
		return http.StatusInternalServerError
	case Fail503:
		return http.StatusServiceUnavailable
	case Fail403:
		return http.StatusForbidden
	case Fail404:
		return http.StatusNotFound
	case Fail429:
		return http.StatusTooManyRequests
	}
	return http.StatusBadGateway
}

// intercept replaces an error response by the location's own.
func (e *Exchange) intercept() http.Verdict {
	status := http.Verdict(e.In.Status)
	if status == http.StatusNotFound && e.Traits.Intercept404 {
		return status
	}
	if !e.Conf.InterceptErrors.V {
		return http.OK
	}
	for i := range e.R.Core.ErrorPages {
		if e.R.Core.ErrorPages[i].Status != e.In.Status {
			continue
		}
		if status == http.StatusUnauthorized {
			for i := range e.In.List {
				if f := &e.In.List[i]; f.ID == wire.HeaderWWWAuthenticate {
					e.R.Out.List = append(e.R.Out.List, *f)
				}
			}
		}
		return status
	}
	return http.OK
}
