package api

import (
	"errors"
	"io"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	lua "github.com/yuin/gopher-lua"

	"moongate/core/event"
	"moongate/core/log"
	"moongate/lua/vm"
)

// pipeProc is a process started by ngx.pipe: lua-nginx-module's ngx_http_lua_pipe.c with lua-resty-core's ngx/pipe.lua.
// It belongs to the request or timer that started it and is killed with that.
type pipeProc struct {
	c   *Ctx
	pid int
	// stderr is nil when it is merged to stdout.
	stdin, stdout, stderr *pipeEnd
	wants                 pipeTimeouts

	// dead: the process has ended with status. closed: wait has said so, or the request is over.
	dead, closed bool
	status       unix.WaitStatus
	waiter       *event.Fiber
}

// pipeTimeouts are the limits of each kind of waiting, 0 for none.
type pipeTimeouts struct{ write, stdout, stderr, wait time.Duration }

// pipeEnd is the server's end of a pipe to or from a process.
type pipeEnd struct {
	fd   int         // until it is used first, then -1
	conn *event.Conn // from then on, until it is closed
	input
	size int // of the input buffer in bytes, 0 when writing
	eof  bool
	busy bool // some thread reads or writes
}

// Texts of errors that more than one method returns.
const (
	textAborted = "aborted"
	textExited  = "exited"
	textMerged  = "merged to stdout"
)

// open puts the pipe on the event loop; the reason is not empty when it cannot be used.
func (e *pipeEnd) open(c *Ctx) (reason string) {
	if e.conn != nil {
		return ""
	}
	if e.fd < 0 {
		return textClosed
	}
	conn, err := c.Loop.Adopt(e.fd)
	if err != nil {
		return "no connection"
	}
	e.conn, e.fd = conn, -1
	return ""
}

// close closes the pipe. A thread that waits for it wakes up.
func (e *pipeEnd) close() {
	switch {
	case e == nil:
	case e.fd >= 0:
		unix.Close(e.fd)
		e.fd = -1
	case e.conn != nil:
		e.conn.Close()
		e.conn = nil
	}
}

// drain reads what a process that has ended has left to a thread that waits for it.
func (e *pipeEnd) drain() {
	if e == nil || e.size == 0 || !e.busy || e.conn == nil {
		return
	}
	e.in = append([]byte(nil), e.in[e.rd:e.wr]...)
	for len(e.in) < maxPipeBuffer {
		e.in = slices.Grow(e.in, e.size)
		n, err := e.conn.TryRead(e.in[len(e.in):cap(e.in)])
		if err != nil {
			break
		}
		e.in = e.in[:len(e.in)+n]
	}
	e.rd, e.wr = 0, len(e.in)
}

// ChildEnded takes note of the processes that have ended, some of which may be orphans of requests that are over.
func (e *Engine) ChildEnded() {
	for pid, p := range e.procs {
		var status unix.WaitStatus
		if got, err := unix.Wait4(pid, &status, unix.WNOHANG, nil); got == 0 && err == nil || err == unix.EINTR {
			continue
		}
		delete(e.procs, pid)
		p.dead, p.status = true, status
		if p.waiter != nil {
			p.waiter.Ready()
		}
	}
}

// finish closes everything.
func (p *pipeProc) finish() {
	p.closed = true
	for _, e := range []*pipeEnd{p.stdin, p.stdout, p.stderr} {
		if p.dead {
			e.drain()
		}
		e.close()
	}
}

// end kills the process with its request.
func (p *pipeProc) end() {
	if !p.dead {
		if err := unix.Kill(p.pid, unix.SIGKILL); err != nil && err != unix.ESRCH {
			p.c.entryLog().Log(log.Error, err, "lua pipe failed to kill process pid:%d", p.pid)
		}
	}
	p.finish()
}

// pipeFuncs are the functions of ngx.pipe.
var pipeFuncs = []Func{{"spawn", anywhere &^ Init, pipeSpawn}}

// pipeMethods are the methods of processes.
var pipeMethods = []Func{
	{"pid", anywhere, procMethod(func(_ *Ctx, l *lua.LState, p *pipeProc) int { return ret(l, vm.Number(p.pid)) })},
	{"set_timeouts", anywhere, procMethod(pipeSetTimeouts)},
	{"write", yieldable, procMethod(pipeWrite)},
	{"shutdown", anywhere, procMethod(pipeShutdown)},
	{"wait", yieldable, procMethod(pipeWait)},
	{"kill", anywhere, procMethod(pipeKill)},
	{"stdout_read_all", yieldable, pipeReader(false, readsAll)},
	{"stdout_read_line", yieldable, pipeReader(false, readsLine)},
	{"stdout_read_bytes", yieldable, pipeReader(false, readsBytes)},
	{"stdout_read_any", yieldable, pipeReader(false, readsAny)},
	{"stderr_read_all", yieldable, pipeReader(true, readsAll)},
	{"stderr_read_line", yieldable, pipeReader(true, readsLine)},
	{"stderr_read_bytes", yieldable, pipeReader(true, readsBytes)},
	{"stderr_read_any", yieldable, pipeReader(true, readsAny)},
}

// procClass is the name of the metatable of processes in the registry.
const procClass = "__pipe_proc_mt"

// openPipe makes the metatable of processes.
func openPipe(v *vm.VM) {
	methods, mt := vm.NewTable(0, len(pipeMethods)), vm.NewTable(0, 4)
	for i := range pipeMethods {
		methods.RawSetString(pipeMethods[i].Name, v.L.NewFunction(pipeMethods[i].function()))
	}
	mt.RawSetString("__index", methods)
	v.L.G.Registry.RawSetString(procClass, mt)
}

// procMethod is a method that gets the process it is called on.
func procMethod(f func(c *Ctx, l *lua.LState, p *pipeProc) int) func(c *Ctx, l *lua.LState) int {
	return func(c *Ctx, l *lua.LState) int { return f(c, l, checkProc(l)) }
}

func checkProc(l *lua.LState) *pipeProc {
	if u, ok := l.Get(1).(*lua.LUserData); ok {
		if p, ok := u.Value.(*pipeProc); ok {
			return p
		}
	}
	vm.Errorf(l, "not a process instance")
	return nil
}

// pipeSetTimeouts is proc:set_timeouts(write, stdout, stderr, wait), each in milliseconds; nil changes nothing.
func pipeSetTimeouts(_ *Ctx, l *lua.LState, p *pipeProc) int {
	p.setTimeouts(l, l.Get(2), l.Get(3), l.Get(4), l.Get(5))
	return 0
}

// maxPipeTimeout is the greatest timeout, in milliseconds.
const maxPipeTimeout = 1<<32 - 1

func (p *pipeProc) setTimeouts(l *lua.LState, values ...lua.LValue) {
	for i, to := range []*time.Duration{&p.wants.write, &p.wants.stdout, &p.wants.stderr, &p.wants.wait} {
		v := values[i]
		if !lua.LVAsBool(v) {
			continue
		}
		if ms, ok := v.(lua.LNumber); ok && ms >= 0 && ms <= maxPipeTimeout {
			*to = time.Duration(ms) * time.Millisecond
			continue
		}
		vm.Errorf(l, "bad %s option", timeoutOptions[i])
	}
}

var timeoutOptions = []string{"write_timeout", "stdout_read_timeout", "stderr_read_timeout", "wait_timeout"}

// A readerOf makes the reader of a call from its arguments; nil means that there is nothing to read.
type readerOf func(l *lua.LState) reader

func readsAll(*lua.LState) reader  { return allReader{} }
func readsLine(*lua.LState) reader { return lineReader{} }

func readsBytes(l *lua.LState) reader {
	n := vm.CheckInt(l, 2)
	switch {
	case n < 0:
		vm.Errorf(l, "bad len argument")
	case n == 0:
		return nil
	}
	return &sizeReader{left: n}
}

func readsAny(l *lua.LState) reader {
	n, ok := vm.ToNumber(l.Get(2))
	if !ok || n <= 0 {
		vm.Errorf(l, "bad max argument")
	}
	return anyReader{max: int(n)}
}

// pipeReader is proc:stdout_read_… or stderr_read_…: data, or nil, an error and what was read until then.
func pipeReader(stderr bool, of readerOf) func(c *Ctx, l *lua.LState) int {
	return procMethod(func(c *Ctx, l *lua.LState, p *pipeProc) int {
		r := of(l)
		if r == nil {
			return retString(l, "")
		}
		e, limit := p.stdout, p.wants.stdout
		if stderr {
			e, limit = p.stderr, p.wants.stderr
		}
		switch {
		case p.closed:
			return fail(l, textClosed)
		case e == nil:
			return fail(l, textMerged)
		}
		if reason := e.open(c); reason != "" {
			return fail(l, reason)
		}
		if e.busy {
			return fail(l, "pipe busy reading")
		}
		e.busy = true
		defer func() { e.busy = false }()
		e.acc = e.acc[:0]
		reason := p.read(c, l, e, r, limit)
		if reason == "" {
			return ret(l, e.result())
		}
		l.Push(lua.LNil)
		l.Push(lua.LString(reason))
		l.Push(e.result())
		return 3
	})
}

// read runs a reader until it has what it wants; the reason is why it does not get it.
func (p *pipeProc) read(c *Ctx, l *lua.LState, e *pipeEnd, r reader, limit time.Duration) (reason string) {
	conn := e.conn
	for {
		if e.rd < e.wr || e.eof {
			switch r.consume(&e.input, e.rd == e.wr) {
			case complete:
				return ""
			case broken:
				return textClosed
			}
			continue
		}
		if e.in == nil {
			e.in = make([]byte, e.size)
		}
		n, err := conn.TryRead(e.in)
		if err == nil {
			e.rd, e.wr = 0, n
			c.Loop.Spend(n)
			continue
		}
		if err == event.ErrAgain {
			c.wait(l, func() { err = conn.WaitReadable(limit) })
			if err == nil {
				continue
			}
		}
		switch err {
		case io.EOF:
			e.eof = true
		case event.ErrClosed:
			r.consume(&e.input, false) // what the process has left
			fallthrough
		default:
			return p.reason(err)
		}
	}
}

// reason is an error in the words of ngx.pipe.
func (p *pipeProc) reason(err error) string {
	switch {
	case err == event.ErrTimeout:
		return textTimeout
	case err == event.ErrClosed && p.dead, err == io.EOF:
		return textClosed
	case err == event.ErrClosed:
		return textAborted
	}
	var errno unix.Errno
	switch {
	case !errors.As(err, &errno):
		return "error"
	case errno == unix.EPIPE:
		return textClosed
	}
	return log.Strerror(errno)
}

// pipeWrite is proc:write(data): the number of bytes, all of them, or nil and an error.
func pipeWrite(c *Ctx, l *lua.LState, p *pipeProc) int {
	var data []byte
	switch v := l.Get(2).(type) {
	case lua.LString, lua.LNumber:
		data, _ = appendScalar(nil, v)
	case *lua.LTable:
		for i := 1; i <= v.Len(); i++ {
			var ok bool
			if data, ok = appendScalar(data, v.RawGetInt(i)); !ok {
				vm.Errorf(l, "invalid value (%s) at index %d in table for 'concat'", vm.TypeName(v.RawGetInt(i)), i)
			}
		}
	default:
		vm.Errorf(l, "bad data arg: string, number, or table expected, got %s", vm.TypeName(v))
	}
	if p.closed {
		return fail(l, textClosed)
	}
	e := p.stdin
	if reason := e.open(c); reason != "" {
		return fail(l, reason)
	}
	if e.busy {
		return fail(l, "pipe busy writing")
	}
	e.busy = true
	defer func() { e.busy = false }()
	conn, done := e.conn, 0
	for {
		n, err := conn.TryWrite(data[done:])
		done += n
		c.Loop.Spend(n)
		if err == event.ErrAgain {
			c.wait(l, func() { err = conn.WaitWritable(p.wants.write) })
			if err == nil {
				continue
			}
		}
		if err != nil {
			return fail(l, p.reason(err))
		}
		return ret(l, vm.Number(len(data)))
	}
}

// pipeShutdown is proc:shutdown("stdin", "stdout" or "stderr"); who waits for that pipe gets "aborted".
func pipeShutdown(_ *Ctx, l *lua.LState, p *pipeProc) int {
	var e *pipeEnd
	switch v := l.Get(2); v {
	case lua.LString("stdin"):
		e = p.stdin
	case lua.LString("stdout"):
		e = p.stdout
	case lua.LString("stderr"):
		e = p.stderr
	default:
		vm.Errorf(l, "bad shutdown arg: %s", vm.ThreadOf(l).VM().Display(l, v))
	}
	switch {
	case p.closed:
		return fail(l, textClosed)
	case e == nil:
		return fail(l, textMerged)
	}
	e.close()
	return ret(l, lua.LTrue)
}

// pipeWait is proc:wait(): true or false, "exit" or "signal" and the status or signal.
func pipeWait(c *Ctx, l *lua.LState, p *pipeProc) int {
	if p.closed {
		return fail(l, textExited)
	}
	if p.waiter != nil {
		return fail(l, "pipe busy waiting")
	}
	if !p.dead && !p.await(c, l) {
		return fail(l, textTimeout)
	}
	p.finish()
	p.c.owned.drop(p)
	reason, status := "exit", p.status.ExitStatus()
	if p.status.Signaled() {
		reason, status = "signal", int(p.status.Signal())
	}
	l.Push(lua.LBool(status == 0))
	l.Push(lua.LString(reason))
	l.Push(vm.Number(status))
	return 3
}

// await parks the thread until the process has ended; false says that it takes too long.
func (p *pipeProc) await(c *Ctx, l *lua.LState) bool {
	f := c.Loop.Current()
	p.waiter = f
	defer func() { p.waiter = nil }()
	for !p.dead {
		wake := event.Ready
		c.wait(l, func() { wake = f.ParkFor(p.wants.wait) })
		if wake == event.Timeout {
			return false
		}
	}
	return true
}

// pipeKill is proc:kill(signal).
func pipeKill(_ *Ctx, l *lua.LState, p *pipeProc) int {
	sig, ok := l.Get(2).(lua.LNumber)
	if !ok {
		vm.Errorf(l, "bad signal arg: number expected, got %s", vm.ThreadOf(l).VM().Display(l, l.Get(2)))
	}
	if p.dead || p.closed {
		return fail(l, textExited)
	}
	switch err := unix.Kill(p.pid, unix.Signal(sig)); err {
	case nil:
		return ret(l, lua.LTrue)
	case unix.EINVAL:
		return fail(l, "invalid signal")
	case unix.ESRCH:
		return fail(l, textExited)
	default:
		return fail(l, log.Strerror(err.(unix.Errno)))
	}
}
