package api

import (
	"fmt"

	lua "github.com/yuin/gopher-lua"

	"moongate/core/log"
	"moongate/http"
	"moongate/lua/vm"
)

var controlFuncs = []Func{
	{"exit", handlers | Timer | HeaderFilter | Balancer | handshakes | proxyHandshakes, ngxExit},
	{"exec", handlers, ngxExec},
	{"redirect", handlers, ngxRedirect},
}

// ngxExit is ngx.exit(status).
func ngxExit(c *Ctx, l *lua.LState) int {
	status := vm.CheckInt(l, 1)
	v := http.Verdict(status)
	if status == codeAgain || v == http.Done {
		vm.Errorf(l, "bad argument to 'ngx.exit': does not accept NGX_AGAIN or NGX_DONE")
	}
	switch {
	case c.Phase&(handshakes|proxyHandshakes) != 0:
		c.debugf("lua exit with code %d", status)
		c.exited, c.exitCode = true, status
		if c.Phase == SSLSessionStore {
			return 0
		}
		c.leave(l)
	case c.R == nil:
		c.exited = true
		c.leave(l)
	}
	gone := v == http.StatusRequestTimeOut || v == http.StatusClientClosed || v == http.StatusClose
	if c.pending > 0 && v != http.Error && !gone {
		vm.Errorf(l, "attempt to abort with pending subrequests")
	}
	if r := c.R; c.headerGone() && v >= http.StatusSpecialResponse && !gone {
		if status != r.Out.Status {
			c.Logf(log.Error, "attempt to set status %d via ngx.exit after sending out the response status %d", status, r.Out.Status)
		}
		status = int(http.StatusOK)
	}
	if c.Phase&(HeaderFilter|Balancer) != 0 {
		c.filterCode = status // the code goes on; the filter acts on it when it is over
		return 0
	}
	c.exited, c.exitCode = true, status
	c.leave(l)
	return 0
}

// FilterCode is the status that ngx.exit gave in a header filter, 0 for none.
func (c *Ctx) FilterCode() int { return c.filterCode }

// ExitCode is the status given to ngx.exit that the request is ending with, 0 for none.
func (c *Ctx) ExitCode() int {
	if c.exited {
		return c.exitCode
	}
	return 0
}

// abortable raises an error when subrequests are on their way.
func (c *Ctx) abortable(l *lua.LState) {
	if c.pending > 0 {
		vm.Errorf(l, "attempt to abort with pending subrequests")
	}
}

// ngxExec is ngx.exec(uri, args?).
func ngxExec(c *Ctx, l *lua.LState) int {
	n := l.GetTop()
	if n != 1 && n != 2 {
		vm.Errorf(l, "expecting one or two arguments, but got %d", n)
	}
	uri := vm.CheckString(l, 1)
	if uri == "" {
		vm.Errorf(l, "The uri argument is empty")
	}
	c.abortable(l)
	uri, args, ok := c.safeURI(uri)
	if !ok {
		vm.Errorf(l, "unsafe uri")
	}
	if n == 2 {
		args = c.joinArgs(l, args, 2)
	}
	if c.headerGone() {
		vm.Errorf(l, "attempt to call ngx.exec after sending out response headers")
	}
	c.execURI, c.execArgs = c.R.Pool.Clone(uri), c.R.Pool.Clone(args)
	c.leave(l)
	return 0
}

// joinArgs appends argument n, a query string or a table of arguments, to a query string.
func (c *Ctx) joinArgs(l *lua.LState, args string, n int) string {
	var more string
	switch v := l.Get(n).(type) {
	case lua.LString, lua.LNumber:
		more, _ = vm.ToString(v)
	case *lua.LTable:
		more = encodeArgs(l, v)
	case *lua.LNilType:
	default:
		vm.ArgError(l, n, "string, number, or table expected, but got "+vm.TypeName(v))
	}
	switch {
	case more == "":
		return args
	case args == "":
		return more
	}
	return args + "&" + more
}

// redirectStatuses are those that ngx.redirect takes.
func redirectStatus(v http.Verdict) bool {
	switch v {
	case http.StatusMovedPermanently, http.StatusMovedTemporarily, http.StatusSeeOther, http.StatusTemporaryRedirect,
		http.StatusPermanentRedirect:
		return true
	}
	return false
}

// ngxRedirect is ngx.redirect(uri, status?).
func ngxRedirect(c *Ctx, l *lua.LState) int {
	n := l.GetTop()
	if n != 1 && n != 2 {
		vm.Errorf(l, "expecting one or two arguments")
	}
	uri := vm.CheckString(l, 1)
	status := int(http.StatusMovedTemporarily)
	if n == 2 {
		if status = vm.CheckInt(l, 2); !redirectStatus(http.Verdict(status)) {
			vm.Errorf(l, "only ngx.HTTP_MOVED_TEMPORARILY, ngx.HTTP_MOVED_PERMANENTLY, ngx.HTTP_PERMANENT_REDIRECT, "+
				"ngx.HTTP_SEE_OTHER, and ngx.HTTP_TEMPORARY_REDIRECT are allowed")
		}
	}
	c.abortable(l)
	r := c.R
	if c.headerGone() {
		vm.Errorf(l, "attempt to call ngx.redirect after sending out the headers")
	}
	if b, ok := unsafeByte(uri); ok {
		vm.Errorf(l, "%s", fmt.Sprintf(`unsafe byte "0x%02x" in redirect uri "%s"`, b, escapeLog(uri)))
	}
	r.Out.Add("Location", r.Pool.Clone(uri))
	r.Out.RawLocation = true
	r.Out.Status = status
	c.exited, c.exitCode = true, status
	c.leave(l)
	return 0
}
