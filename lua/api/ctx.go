package api

import (
	"crypto/x509"

	lua "github.com/yuin/gopher-lua"

	"moongate/core/event"
	"moongate/core/log"
	"moongate/core/tls"
	"moongate/http"
	"moongate/lua/vm"
)

// Ctx is what Lua keeps of a request, or of a timer or another piece of code that runs without one:
// ngx_http_lua_ctx_t. It belongs to the worker's loop.
type Ctx struct {
	*Engine
	// R is the request, nil where there is none.
	R *http.Request
	// Phase is the one that runs now.
	Phase Phase
	// VM is the engine's, or the request's own with lua_code_cache off.
	VM *vm.VM

	// entry is the thread that the current phase runs, fiber the one it runs in.
	entry *vm.Thread
	fiber *event.Fiber
	// waiting: the entry thread waits in an API function that may be cut short.
	waiting bool
	// threads counts the light threads that have not ended; idle: the fiber waits for them.
	threads int
	owned   owned
	// raw: ngx.req.socket(true) has taken the connection over. readingBody: some thread reads the request body.
	raw, readingBody bool
	// downstream counts the threads that wait in sockets of the client's connection.
	downstream int
	lights     map[*vm.Thread]*lightThread
	timer      *luaTimer
	// handshake is that with a client which the code takes part in, proxied the connection whose handshake with a
	// server does; nil elsewhere.
	handshake *Handshake
	proxied   *tls.Conn
	// upstreamCerts are the certificates to be verified in proxy_ssl_verify_by_lua.
	upstreamCerts []*x509.Certificate
	// aborting: the client is gone and on_abort runs.
	aborting bool
	idle     bool

	// exited: ngx.exit or ngx.redirect was called, with this status.
	exited   bool
	exitCode int
	// filterCode is the status given to ngx.exit in a header filter.
	filterCode int
	// broken: the header could not be sent.
	broken bool
	// headerPassed: the code has sent the header, which a filter may hold back still.
	headerPassed bool
	// execURI and execArgs are where ngx.exec wants to go.
	execURI, execArgs string
	// jumped: ngx.req.set_uri asked for a new location.
	jumped bool
	// pending counts the subrequests that ngx.location.capture waits for.
	pending int

	// What was said of the response.
	eof, buffering, seenBody bool
	mimeSet, headersSet      bool
	// InContent: the content phase was entered.
	InContent bool
	// BodyRead: lua_need_request_body was obeyed.
	BodyRead bool
	// Balancing is what the running balancer_by_lua* decides about, nil elsewhere.
	Balancing *Balancing
	// Arg is ngx.arg of the running body filter or set_by_lua.
	Arg     []lua.LValue
	ArgLast bool
	ArgSet  bool
	// FilteredLast: a body filter ended the response.
	FilteredLast bool
	// out is the output held back for a HTTP/1.0 client.
	out []byte
	buf []byte

	// table is ngx.ctx.
	table    *lua.LTable
	newBody  *newBody
	capture  *capture
	onAbort  *lua.LFunction
	borrowed bool   // VM is the parent request's
	peer     string // of a timer: the client of the request that made it
	log      log.Entry
	release  func()
}

// RequestCtx is where requests keep their Ctx.
var RequestCtx http.Ctx[Ctx]

// maxFree bounds the Ctx that are kept for reuse.
const maxFree = 512

// Of is the Ctx of a request, which is made at the first call. It is nil when the request's own VM cannot be started.
func Of(r *http.Request) *Ctx {
	if c := RequestCtx.Of(r); c != nil {
		return c
	}
	e := Main.Of(r.Scope).Engine
	c := e.newCtx()
	c.R, c.log = r, r.Log
	RequestCtx.Set(r, c)
	r.Cleanup(c.release)
	if !Loc.Of(r.Scope).CodeCache.V {
		if c.VM = e.privateVM(c); c.VM == nil {
			return nil
		}
	}
	return c
}

func (e *Engine) newCtx() *Ctx {
	if n := len(e.free); n > 0 {
		c := e.free[n-1]
		e.free = e.free[:n-1]
		return c
	}
	c := &Ctx{Engine: e, VM: e.VM}
	c.release = c.put
	return c
}

// put takes back the Ctx of a request that has ended.
func (c *Ctx) put() {
	e := c.Engine
	c.owned.endAll()
	if c.table != nil {
		c.entryLog().Log(log.DebugHTTP, nil, "lua release ngx.ctx at ref %d", 1)
	}
	if c.VM != nil && !c.borrowed {
		e.unref(c.VM, c.entryLog())
	}
	*c = Ctx{Engine: e, VM: e.VM, owned: c.owned, out: c.out[:0], buf: c.buf[:0], release: c.release}
	if len(e.free) < maxFree && cap(c.out) < keptBuffer && cap(c.buf) < keptBuffer {
		e.free = append(e.free, c)
	}
}

// keptBuffer is the size of output buffers that are not kept.
const keptBuffer = 64 << 10

// ctxOf is the Ctx that the running code belongs to.
func ctxOf(l *lua.LState) *Ctx { return vm.ThreadOf(l).Data.(*Ctx) }

// Loc is the configuration in effect.
func (c *Ctx) loc() *LocConf { return Loc.Of(c.R.Scope) }

// Logf writes to the error log of the request, or of the worker.
func (c *Ctx) Logf(level log.Level, format string, args ...any) {
	c.entryLog().Log(level, nil, format, args...)
}

// headerGone tells that there is nothing to be changed in the response header any more.
func (c *Ctx) headerGone() bool { return c.R.HeaderSent || c.headerPassed }

// debugf writes a line of nginx's debug log, which tools and tests look for. Where debug messages are not taken it is a
// comparison in its caller.
func (c *Ctx) debugf(format string, args ...any) {
	if c.debugging() {
		c.entryLog().Log(log.DebugHTTP, nil, format, args...)
	}
}

// debugging tells whether debug messages are taken; functions that are called often ask before they make one.
func (c *Ctx) debugging() bool {
	if c.R != nil {
		return c.R.Log.Enabled(log.DebugHTTP)
	}
	return c.debuggingElsewhere()
}

// debuggingElsewhere is debugging where there is no request.
func (c *Ctx) debuggingElsewhere() bool { return c.entryLog().Enabled(log.DebugHTTP) }

func (c *Ctx) entryLog() log.Entry {
	if c.R != nil {
		return c.R.Log
	}
	if c.log.Logger() != nil {
		return c.log
	}
	return c.Cycle.Log().With(nil, 0)
}
