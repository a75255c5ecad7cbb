package http

import (
	"moongate/conf"
	"moongate/core/buf"
	"moongate/core/log"
	"moongate/http/wire"
)

// routed is what searching the locations of a request came to.
type routed int

const (
	// routeOpen: a regular expression may still decide otherwise; meanwhile the
	// location with the longest prefix, if any, is in effect.
	routeOpen     routed = iota
	routeFinal           // the location in effect stays
	routeRedirect        // it does, and the client is to add a slash to the URI
	routeError           // a regular expression failed, which is logged
)

// findLocation puts the configuration for the URI into effect: nginx's
// ngx_http_core_find_config_phase. OK lets the request go on.
func (r *Request) findLocation() Verdict {
	how := r.search(&r.Server.locations)
	switch {
	case how == routeError:
		return StatusInternalServerError
	case !r.Internal && r.Core.Internal.V:
		return StatusNotFound
	}
	redirect := r.Core.Name
	r.updateLocation()
	if r.Debug() {
		r.Debugf(`using configuration "%s"`, redirect)
	}

	length, limit := r.In.ContentLength, r.Core.ClientMaxBodySize.V
	if length != -1 && !r.BodyDiscarded && limit != 0 && limit < length {
		r.Error("client intended to send too large body: %d bytes", length)
		r.ExpectTested = true
		r.DiscardBody()
		return StatusEntityTooLarge
	}
	if how == routeRedirect {
		r.addSlash(redirect)
		return StatusMovedPermanently
	}
	return OK
}

// addSlash sets the Location of a redirect to the name of a location.
func (r *Request) addSlash(name string) {
	n := wire.CountEscaped(name, wire.EscapeURI)
	if n > 0 {
		name = buf.String(wire.AppendEscaped(r.Pool.Alloc(len(name) + 2*n)[:0], name, wire.EscapeURI))
	}
	if r.Args != "" {
		name = r.Pool.Concat(name, "?", r.Args)
	}
	r.Out.Set("Location", name)
}

// search looks for the location of the URI in a set, and inside what it found:
// nginx's ngx_http_core_find_location. Regular expressions of an inner level
// are tried before those of the outer ones.
func (r *Request) search(s *locationSet) routed {
	l, m := s.static.find(r.URI)
	if l != nil {
		r.SetScope(l.scope)
	}
	switch m {
	case matchExact:
		return routeFinal
	case matchRedirect:
		return routeRedirect
	case matchPrefix:
		if how := r.search(&l.locations); how != routeOpen {
			return how
		}
		if l.NoRegex {
			return routeOpen
		}
	}
	return r.searchRegexes(s.regexes)
}

// searchRegexes tries locations with regular expressions in their order.
func (r *Request) searchRegexes(list []*LocConf) routed {
	for _, l := range list {
		ok, err := l.Regex.Exec(r, r.URI)
		switch {
		case err != nil:
			r.Logf(log.Alert, nil, "%s", err)
			return routeError
		case !ok:
			continue
		}
		r.SetScope(l.scope)
		if r.search(&l.locations) == routeError {
			return routeError
		}
		return routeFinal
	}
	return routeOpen
}

// EnterScope puts the configuration of an "if" block into effect.
func (r *Request) EnterScope(sc *conf.Scope) {
	r.SetScope(sc)
	r.updateLocation()
}

// updateLocation takes over what the location in effect decides for the
// request: nginx's ngx_http_update_location_config.
func (r *Request) updateLocation() {
	// A method without a bit of its own cannot be excepted.
	if l := r.Core; l.LimitExcept != 0 && (r.Method == 0 || r.Method&l.LimitExcept != 0) {
		r.SetScope(l.LimitExceptScope)
	}
	r.updateLog()
	if r.KeepAlive && !r.mayKeepAlive() {
		r.KeepAlive = false
	}
	if h := r.Core.Handler; h != nil {
		r.Content = h
	}
}

// mayKeepAlive decides whether the location lets the connection serve another
// request.
func (r *Request) mayKeepAlive() bool {
	l, c := r.Core, r.Conn
	switch {
	case l.Keepalive.V.Timeout == 0,
		c.Requests >= l.KeepaliveRequests.V,
		r.Loop().NowMsec()-c.Start > l.KeepaliveTime.V.Milliseconds():
		return false
	case r.In.MSIE6 && r.Method == wire.POST && l.KeepaliveDisable.V&KeepaliveDisableMSIE6 != 0:
		// It may wait for the end of a response to POST for long.
		return false
	case r.In.Safari && l.KeepaliveDisable.V&KeepaliveDisableSafari != 0:
		// It may send a POST over a connection that is closed already.
		return false
	}
	return true
}

// NamedLocation lets the phases start again in a named location of the server:
// nginx's ngx_http_named_location. It returns Redirected, or a status when that
// is not possible.
func (r *Request) NamedLocation(name string) Verdict {
	r.URIChanges--
	switch {
	case r.URIChanges <= 0:
		r.Error("rewrite or internal redirection cycle while redirect to named location \"%s\"", name)
		return StatusInternalServerError
	case r.URI == "":
		r.Error("empty URI in redirect to named location \"%s\"", name)
		return StatusInternalServerError
	}
	sc := r.Server.named[name]
	if sc == nil {
		r.Error("could not find named location \"%s\"", name)
		return StatusInternalServerError
	}
	r.Internal = true
	r.Content = nil
	r.URIChanged = false
	r.SetScope(sc)
	r.forgetOthers(nil)
	r.updateLocation()
	return r.enterNamed()
}
