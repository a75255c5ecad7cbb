package api

import (
	"errors"

	lua "github.com/yuin/gopher-lua"

	"moongate/core/log"
	"moongate/http"
	"moongate/lua/vm"
)

// outcome is how the Lua code of a phase came to its end.
type outcome int

const (
	finished outcome = iota // the entry thread and all light threads have ended
	aborted                 // with an error, which is logged
	left                    // by ngx.exit, ngx.exec and the like
)

// errLeave ends the waits of the entry thread when another one calls ngx.exit.
var errLeave = errors.New("lua request left")

// Run executes the code of a phase that may wait and may answer, in the request's fiber, together with the light
// threads it spawns (ngx_http_lua_run_thread). It returns the verdict for the phase: OK when the code came to its end,
// Redirected after ngx.exec, a status.
func (c *Ctx) Run(p Phase, proto *lua.FunctionProto) http.Verdict {
	c.Phase = p
	c.exited, c.jumped, c.execURI = false, false, ""
	switch c.runEntry(proto) {
	case aborted:
		if c.headerGone() {
			return http.Error
		}
		return http.StatusInternalServerError
	case left:
		switch {
		case c.jumped:
			c.table = nil // a jump begins anew
			return http.OK
		case c.exited:
			return c.handleExit()
		case c.execURI != "":
			return c.handleExec()
		}
		return http.Error // the request was cancelled
	}
	if c.InContent {
		if v := c.sendLast(); failed(v) {
			return v
		}
	}
	return http.OK
}

// runEntry runs the entry thread and waits for the light threads.
func (c *Ctx) runEntry(proto *lua.FunctionProto) outcome {
	t := c.takeThread()
	c.entry, c.fiber = t, c.Loop.Current()
	unwatch := c.watchClient()
	err, gone := t.RunExit(proto, 0, 0)
	if err != nil {
		c.logAborted("entry", err)
		gone = true
	}
	gone = c.drain(t, gone)
	if unwatch != nil {
		unwatch()
	}
	switch {
	case err != nil:
		return aborted
	case gone:
		return left
	}
	return finished
}

// drain waits for the light threads of an entry thread that has come to its end, unless they are to go as well, and
// gives the thread back. It reports whether the phase was left.
func (c *Ctx) drain(t *vm.Thread, gone bool) bool {
	for !gone && c.threads > 0 {
		c.idle = true
		c.fiber.Park()
		c.idle = false
		gone = c.leaving() || c.fiber.Err() != nil
	}
	c.reap(t)
	c.entry = nil
	clear(c.lights)
	kept := c.VM.FreeThreads()
	if c.VM.PutThread(t); c.VM.FreeThreads() > kept {
		c.debugf("lua caching unused lua thread %p (ref 1)", t)
	}
	return gone
}

// takeThread is a thread for code that may wait.
func (c *Ctx) takeThread() *vm.Thread {
	pooled := c.VM.FreeThreads() > 0
	t := c.VM.GetThread()
	t.Data, t.Yield = c, yieldMain
	if pooled {
		c.debugf("lua reusing cached lua thread %p (ref 1)", t)
	} else {
		c.debugf("lua creating new thread")
	}
	return t
}

// leaving tells that some thread called ngx.exit or the like.
func (c *Ctx) leaving() bool { return c.exited || c.jumped || c.execURI != "" }

// reap ends the light threads and coroutines of a phase and waits until they have let go of the request.
func (c *Ctx) reap(t *vm.Thread) {
	f := c.fiber
	if f.Err() == errLeave {
		f.Uncancel()
	}
	if t.KillChildren() == 0 {
		c.threads = 0
		return
	}
	err := f.Err()
	f.Uncancel()
	for t.KillChildren() > 0 {
		c.Loop.Yield()
	}
	if err != nil {
		f.Cancel(err)
	}
	c.threads = 0
}

// leave ends the running thread because the whole phase is to end.
func (c *Ctx) leave(l *lua.LState) {
	t := vm.ThreadOf(l)
	if c.entry != nil {
		c.entry.Abandon()
		switch f := c.fiber; {
		case f == c.Loop.Current():
		case c.idle:
			f.Ready()
		case c.waiting:
			f.Cancel(errLeave)
		}
	}
	t.Exit()
}

// yieldMain is coroutine.yield in the entry thread or a light thread: the others run first.
func yieldMain(l *lua.LState) int {
	c := ctxOf(l)
	c.Loop.YieldPosted()
	vm.ThreadOf(l).Check()
	return 0
}

// logAborted logs an error that ended a thread.
func (c *Ctx) logAborted(kind string, err *vm.Error) {
	c.Logf(log.Error, "lua %s thread aborted: runtime error: %s\n%s", kind, errorText(err), err.Traceback)
}

// errorText is the message of an error.
func errorText(err *vm.Error) string {
	if s, ok := vm.ToString(err.Value); ok {
		return s
	}
	return "unknown reason"
}

// handleExit finishes the request as ngx.exit asked (ngx_http_lua_handle_exit).
func (c *Ctx) handleExit() http.Verdict {
	r, code := c.R, http.Verdict(c.exitCode)
	if !c.headerGone() && r.Out.Status == 0 && code >= http.StatusOK {
		r.Out.Status = c.exitCode
	}
	gone := code == http.StatusRequestTimeOut || code == http.StatusClientClosed || code == http.StatusClose
	if c.buffering && r.Out.Status != 0 && code != http.Error && !gone {
		if v := c.sendLast(); failed(v) {
			return v
		}
		return min(code, http.StatusOK)
	}
	if code == http.OK && c.InContent ||
		code >= http.StatusOK && code < http.StatusSpecialResponse && code != http.StatusNoContent {
		if v := c.sendLast(); failed(v) {
			return v
		}
	}
	if c.headerGone() && code > http.OK && !gone {
		if c.InContent {
			return http.OK
		}
		return http.StatusOK
	}
	return code
}

// handleExec redirects the request as ngx.exec asked.
func (c *Ctx) handleExec() http.Verdict {
	uri, args := c.execURI, c.execArgs
	if uri[0] != '@' {
		return c.R.InternalRedirect(uri, args)
	}
	if args != "" {
		c.Logf(log.Warn, "query strings %s ignored when exec'ing named location %s", args, uri)
	}
	return c.R.NamedLocation(uri)
}

// Finish ends a response that code of an early phase has sent.
func (c *Ctx) Finish() http.Verdict { return c.sendLast() }

// Buffered tells whether a response is held back for a HTTP/1.0 client.
func (c *Ctx) Buffered() bool { return c.buffering && c.R.Out.Status != 0 }

// RunMain executes code for the process itself, with the globals of all requests. The error has a traceback.
func (c *Ctx) RunMain(p Phase, proto *lua.FunctionProto) error {
	outer := c.Phase
	c.Phase = p
	err, _ := vm.ThreadOf(c.VM.L).RunExit(proto, 0, 0)
	c.Phase = outer
	c.table = nil
	c.owned.endAll()
	if err == nil {
		return nil
	}
	return errors.New(FilterError(err))
}

// FilterError is the text of an error outside of the entry thread.
func FilterError(err *vm.Error) string { return errorText(err) + "\n" + err.Traceback }

// RunShort executes code that must not wait: filters, log_by_lua, set_by_lua and what runs without a request. nret
// values stay on the stack of the thread, which use sees. It reports the error, if any.
func (c *Ctx) RunShort(p Phase, proto *lua.FunctionProto, nret int, use func(l *lua.LState)) *vm.Error {
	outer := c.Phase
	c.Phase = p
	t := c.VM.GetThread()
	t.Data = c
	err, _ := t.RunExit(proto, 0, nret)
	c.Phase = outer
	if err == nil && use != nil {
		use(t.L)
		t.L.SetTop(0)
	}
	c.VM.PutThread(t)
	return err
}
