package http

import "moongate/http/wire"

// Run takes a request from the client through its phases to the end: the
// response is sent and the log written when it returns. The protocol calls it
// in the request's fiber and then decides about the connection.
func (r *Request) Run() {
	r.count(stateWriting)
	switch {
	case r.In.ConnectionClose:
	case r.In.ConnectionKeepAlive:
		r.KeepAlive = true
	default:
		r.KeepAlive = r.Version > Version10
	}
	r.LingeringClose = r.HasBody()
	if v := r.admit(); v != OK {
		r.drive(v)
	} else {
		r.drive(r.runPhases())
	}
	r.waitSubrequests()
	r.Complete = !r.Conn.Failed && !r.PostAction
	if uri := r.Core.PostAction.V; uri != "" && !r.PostAction {
		r.runPostAction(uri)
	}
	r.finishLog()
}

// Finish ends a request that never got as far as its phases, with a verdict
// such as StatusBadRequest.
func (r *Request) Finish(v Verdict) {
	r.drive(v)
	r.waitSubrequests()
	r.finishLog()
}

// FinishUnread ends a request whose client went away before it was complete:
// it is only logged.
func (r *Request) FinishUnread() { r.finishLog() }

// SetPartialLine keeps what there is of a request line that cannot be used,
// for the logs.
func (r *Request) SetPartialLine(s string) { r.partialLine = s }

// drive finalizes the verdicts of the phases until none starts them again.
func (r *Request) drive(v Verdict) {
	for r.finalize(v) {
		v = r.runPhases()
	}
}

// finalize ends the request with a verdict, or reports that the phases are to
// go on, from r.phase: nginx's ngx_http_finalize_request.
func (r *Request) finalize(v Verdict) (again bool) {
	// Who waits for a subrequest of HTTP/2 goes on although the client is gone
	// (OpenResty's patch of ngx_http_finalize_request).
	survives := r.sub.done != nil && r.Background && r.Version >= Version20
	for {
		if r.Debug() {
			r.Debugf(`http finalize request: %d, "%s?%s"`, int(v), r.URI, r.Args)
		}
		switch {
		case v == Redirected:
			return true
		case v == Done:
			return false
		case v == Declined:
			r.Content = nil
			return true
		case v == OK && r.FilterFinalize:
			r.Conn.Failed = true
		}
		if r.sub.done != nil {
			v = r.sub.done(r, v)
			r.sub.done = nil
		}
		if !survives && (v == Error || v == StatusRequestTimeOut || v == StatusClientClosed || r.Conn.Failed) {
			r.terminate(v)
			return false
		}
		if v < StatusSpecialResponse && v != StatusCreated && v != StatusNoContent {
			return false
		}
		if v == StatusClose {
			r.Conn.TimedOut = true
			r.terminate(v)
			return false
		}
		v = r.specialResponse(v)
	}
}

// terminate gives up on the client: nothing more is sent for this request or
// its subrequests.
func (r *Request) terminate(v Verdict) {
	m := r.Main
	if v > 0 && (m.Out.Status == 0 || m.BytesSent == 0) {
		m.Out.Status = int(v)
	}
	m.KeepAlive = false
	m.LingeringClose = false
	r.Conn.Failed = true
	m.cancelSubrequests()
}

// runPostAction runs the request again at the URI of post_action, without a
// client to answer to.
func (r *Request) runPostAction(uri string) {
	r.PostAction = true
	r.HeaderOnly = true
	r.Conn.Failed = false
	r.Out.Status = 0
	r.URIChanges = maxURIChanges + 1 // it runs even if the request has used them up
	r.HTTPProtocol, r.Version = "", Version9
	r.Method, r.MethodName = wire.GET, "GET"
	if uri[0] == '/' {
		r.drive(r.InternalRedirect(uri, ""))
	} else {
		r.drive(r.NamedLocation(uri))
	}
	r.waitSubrequests()
}

// finishLog runs the log phase, once.
func (r *Request) finishLog() {
	if r.logged {
		return
	}
	r.logged = true
	if r.Debug() {
		r.Debugf("http log handler")
	}
	for _, h := range r.plan.log {
		h(r)
	}
}

// SetArgs replaces the query string, also by an empty one, which is not as none.
func (r *Request) SetArgs(args string) {
	r.Args, r.EmptyArgs = args, args == ""
	r.ValidUnparsed = false
}

// InternalRedirect points the request at another URI of the same server. The
// handler that calls it returns its verdict.
func (r *Request) InternalRedirect(uri, args string) Verdict {
	if r.URIChanges--; r.URIChanges <= 0 {
		r.Error(`rewrite or internal redirection cycle while internally redirecting to "%s"`, uri)
		return StatusInternalServerError
	}
	r.URI, r.Args, r.EmptyArgs = uri, args, false
	if r.Debug() {
		r.Debugf(`internal redirect: "%s?%s"`, uri, args)
	}
	r.Conn.Action = ""
	r.SetExten()
	r.forgetOthers(nil)
	r.SetScope(r.Server.scope)
	r.updateLocation()
	r.Internal = true
	r.ValidUnparsed, r.AddURIToAlias = false, false
	r.ValidLocation = true
	r.GzipTested, r.GzipAllowed, r.GzipVary = false, false, false
	r.phase = r.mainConf().engine.serverRewrite
	return Redirected
}

// enterNamed starts the phases at a named location's rewrite phase.
func (r *Request) enterNamed() Verdict {
	r.phase = r.mainConf().engine.locationRewrite
	return Redirected
}

// SplitArgs separates the query string from a URI that a configuration gave.
func SplitArgs(uri string) (path, args string) {
	for i := range len(uri) {
		if uri[i] == '?' {
			return uri[:i], uri[i+1:]
		}
	}
	return uri, ""
}
