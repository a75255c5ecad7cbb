package api

import (
	"strconv"

	lua "github.com/yuin/gopher-lua"

	"moongate/http"
	"moongate/lua/vm"
)

// respFuncs is the module ngx.resp.
var respFuncs = []Func{
	{"add_header", requests, respAddHeader},
	{"set_status", requests, func(c *Ctx, l *lua.LState) int {
		c.setStatus(vm.CheckInt(l, 1), vm.OptString(l, 2, ""))
		return 0
	}},
	{"bypass_if_checks", requests, func(c *Ctx, _ *lua.LState) int {
		c.R.DisableNotMod = true
		return 0
	}},
}

// respAddHeader is add_header(name, value): a string or a list of them.
func respAddHeader(c *Ctx, l *lua.LState) int {
	v := l.Get(2)
	if v == lua.LNil {
		vm.Errorf(l, "invalid header value")
	}
	if t, ok := v.(*lua.LTable); ok && t.Len() == 0 {
		return 0
	}
	if c.R.HeaderSent {
		c.Logf(logError, "attempt to set ngx.header.HEADER after sending out response headers")
		return 0
	}
	c.setOutput(l, c.outputName(l.Get(1), l), v, false)
	return 0
}

// setStatus sets the status of the response and, if there is one, its reason. A status has three digits.
func (c *Ctx) setStatus(status int, reason string) {
	r := c.R
	switch {
	case r.HeaderSent:
		c.Logf(logError, "attempt to set ngx.status after sending out response headers")
		return
	case status < 100 || status > 999:
		c.Logf(logError, "invalid HTTP status code %d", status)
		return
	case status == int(http.StatusSwitchingProtocols):
		reason = "Switching Protocols"
	}
	r.ErrStatus, r.Out.Status, r.Out.StatusLine = 0, status, ""
	if reason != "" {
		r.Out.StatusLine = strconv.Itoa(status) + " " + escapes[8].escape(reason)
	}
}

// respGetHeaders is ngx.resp.get_headers(max?, raw?).
func respGetHeaders(c *Ctx, l *lua.LState) int {
	h := newHeaderTable(c, l)
	r, o := c.R, &c.R.Out
	if o.ContentType != "" {
		h.add("content-type", o.ContentType)
	}
	if o.ContentLength >= 0 {
		h.add("content-length", strconv.FormatInt(o.ContentLength, 10))
	}
	switch {
	case o.Status == int(http.StatusSwitchingProtocols):
		h.add("connection", "upgrade")
	case r.KeepAlive:
		h.add("connection", "keep-alive")
	default:
		h.add("connection", "close")
	}
	if r.Chunked {
		h.add("transfer-encoding", "chunked")
	}
	for i := range o.List {
		if f := &o.List[i]; !f.Off {
			h.add(f.Name, f.Value)
		}
	}
	return h.ret("response")
}
