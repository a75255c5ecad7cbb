package echo

import (
	"strings"

	"moongate/core/buf"
	"moongate/core/log"
	"moongate/http"
	"moongate/http/wire"
)

// target is a request that a command makes, of itself or another.
type target struct {
	uri, args string
	method    string
	body      *http.Body
}

// parse splits the arguments off a URI; what was given as the arguments comes
// first. It reports false for a URI that no client may send.
func (t *target) parse(r *http.Request, uri, args string, given bool) bool {
	if uri == "" {
		return false
	}
	path, rest, ok := wire.ParseUnsafeURI(r.Pool.Alloc(len(uri)), buf.Bytes(uri))
	t.uri, t.args = buf.String(path), args
	if !given {
		t.args = buf.String(rest)
	}
	return ok
}

// location is "echo_location uri [args]".
func (x *exec) location(c *command) http.Verdict { return x.locate(c, true) }

// locationAsync is "echo_location_async uri [args]".
func (x *exec) locationAsync(c *command) http.Verdict { return x.locate(c, false) }

func (x *exec) locate(c *command, wait bool) http.Verdict {
	if v := x.needBody(); v != http.OK {
		return v
	}
	t := target{method: "GET"}
	if !t.parse(x.r, c.arg(x.r, 0), c.arg(x.r, 1), len(c.args) > 1) {
		return http.Error
	}
	return x.start(&t, wait)
}

// subrequest is "echo_subrequest method uri [-q args] [-b body] [-f file]".
func (x *exec) subrequest(c *command) http.Verdict { return x.subrequests(c, true) }

// subrequestAsync is "echo_subrequest_async …".
func (x *exec) subrequestAsync(c *command) http.Verdict { return x.subrequests(c, false) }

func (x *exec) subrequests(c *command, wait bool) http.Verdict {
	if v := x.needBody(); v != http.OK {
		return v
	}
	r := x.r
	t := target{method: c.arg(r, 0)}
	var args, body, file string
	given := false
	for i := 2; i < len(c.args); i += 2 {
		value := c.arg(r, i+1)
		switch option := c.arg(r, i); option {
		case "-q":
			args, given = value, i+1 < len(c.args)
		case "-b":
			body = value
		case "-f":
			file = value
		default:
			r.Error("unknown option for echo_subrequest*: %s", option)
			return http.Error
		}
	}
	switch {
	case body != "":
		t.body = &http.Body{Bytes: buf.Bytes(body), Size: int64(len(body))}
	case file != "":
		if t.body = openBody(r, file); t.body == nil {
			return http.Error
		}
	}
	if !t.parse(r, c.arg(r, 1), args, given) {
		return http.Error
	}
	return x.start(&t, wait)
}

// openBody takes a file, relative to the prefix, for a body.
func openBody(r *http.Request, name string) *http.Body {
	if !strings.HasPrefix(name, "/") {
		name = r.Pool.Concat(r.Conn.Worker.Cycle.Conf.Prefix, name)
	}
	f, err := r.OpenFile(name, http.FileOptions{})
	if err != nil {
		r.Logf(log.Error, err.Errno, `%s "%s" failed`, err.Call, name)
		return nil
	}
	return &http.Body{File: &http.TempFile{Name: name, FD: f.FD}, Path: name, Size: f.Size}
}

// needBody reads the body of the request, which subrequests share.
func (x *exec) needBody() http.Verdict {
	if x.r.Body != nil {
		return http.OK
	}
	return x.r.ReadBody()
}

// start makes a subrequest, whose output is a part of the request's.
func (x *exec) start(t *target, wait bool) http.Verdict {
	if v := x.header(); v != http.OK || x.r.HeaderOnly {
		return v
	}
	sr := x.r.Subrequest(t.uri, t.args, http.SubrequestOptions{Prepare: t.prepare})
	if sr == nil || wait && sr.Wait() != nil {
		return http.Error
	}
	return http.OK
}

// prepare gives the subrequest its method and body.
func (t *target) prepare(sr *http.Request) {
	sr.OwnVariables(false)
	sr.MethodName, sr.Method = t.method, wire.LookupMethod(buf.Bytes(t.method))
	sr.HeaderOnly = sr.Method == wire.HEAD
	if t.body == nil {
		return
	}
	sr.Body = t.body
	sr.In.ContentLength, sr.In.Chunked = t.body.Size, false
	sr.In.Set("Content-Length", "content-length", sr.Pool.Int(t.body.Size))
}

// redirect is "echo_exec uri [args]" and "echo_exec @name".
func (x *exec) redirect(c *command) http.Verdict {
	r := x.r
	uri := c.arg(r, 0)
	if uri == "" {
		return http.StatusBadRequest
	}
	var t target
	if !t.parse(r, uri, c.arg(r, 1), len(c.args) > 1) {
		return http.Error
	}
	if t.uri[0] != '@' {
		return r.InternalRedirect(t.uri, t.args)
	}
	if t.args != "" {
		r.Logf(log.Warn, nil, "querystring %s ignored when exec'ing named location %s", t.args, t.uri)
	}
	return r.NamedLocation(t.uri)
}
