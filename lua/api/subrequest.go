package api

import (
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"golang.org/x/sys/unix"

	"moongate/core/buf"
	"moongate/http"
	"moongate/http/wire"
	"moongate/lua/vm"
)

var subrequestFuncs = []Func{
	{"location.capture", capturing, locationCapture},
	{"location.capture_multi", capturing, locationCaptureMulti},
}

// capture is a subrequest whose response a script waits for.
type capture struct {
	body   []byte
	status int
	whole  bool // the body came to its end
	sr     *http.Request
	ctx    *Ctx
}

// query is what a script wants of one subrequest.
type query struct {
	uri, args string
	method    wire.Method
	body      *http.Body
	forward   bool
	share     bool
	copyVars  bool
	vars      [][2]string
	headers   [][2]string
	ctx       *lua.LTable
}

// locationCapture is ngx.location.capture(uri, options?).
func locationCapture(c *Ctx, l *lua.LState) int {
	n := l.GetTop()
	if n != 1 && n != 2 {
		vm.Errorf(l, "expecting one or two arguments")
	}
	q := vm.NewTable(0, 4)
	for i := 1; i <= n; i++ {
		q.Append(l.Get(i))
	}
	list := vm.NewTable(4, 0)
	list.Append(q)
	return c.captureAll(l, list)
}

// locationCaptureMulti is ngx.location.capture_multi({{uri, options?}, …}).
func locationCaptureMulti(c *Ctx, l *lua.LState) int {
	if n := l.GetTop(); n != 1 {
		vm.Errorf(l, "only one argument is expected, but got %d", n)
	}
	list := vm.CheckTable(l, 1)
	if list.Len() == 0 {
		vm.Errorf(l, "at least one subrequest should be specified")
	}
	return c.captureAll(l, list)
}

// captureAll runs the subrequests of a list at once and returns their responses.
func (c *Ctx) captureAll(l *lua.LState, list *lua.LTable) int {
	n := list.Len()
	captures := make([]*capture, 0, n)
	for i := range n {
		q := c.readQuery(l, list.RawGetInt(i+1), i)
		captures = append(captures, c.start(l, q))
	}
	c.pending++
	lt := c.lights[vm.ThreadOf(l)]
	if lt != nil {
		lt.subs += n
	}
	c.wait(l, func() {
		for _, k := range captures {
			if k.sr.Wait() != nil {
				break // the client is gone, or the phase is left
			}
		}
		c.pending--
		if lt != nil {
			lt.subs -= n
		}
	})
	for _, k := range captures {
		l.Push(k.response(l))
	}
	return n
}

// readQuery reads one element of the list of capture_multi.
func (c *Ctx) readQuery(l *lua.LState, v lua.LValue, index int) *query {
	t, ok := v.(*lua.LTable)
	if !ok {
		vm.Errorf(l, "the query argument %d is not a table, but a %s", index, vm.TypeName(v))
	}
	n := t.Len()
	if n != 1 && n != 2 {
		vm.Errorf(l, "query argument %d expecting one or two arguments", index)
	}
	q := &query{method: wire.GET}
	extra := ""
	if n == 2 {
		o, ok := t.RawGetInt(2).(*lua.LTable)
		if !ok {
			vm.Errorf(l, "expecting table as the 2nd argument for subrequest %d, but got %s", index, vm.TypeName(t.RawGetInt(2)))
		}
		extra = q.readOptions(l, o)
	}
	uri, ok := vm.ToString(t.RawGetInt(1))
	if !ok {
		vm.Errorf(l, "bad argument #1 to '?' (string expected, got %s)", vm.TypeName(t.RawGetInt(1)))
	}
	if q.uri, q.args, ok = c.safeURI(uri); !ok {
		vm.Errorf(l, "unsafe uri in argument #1: %s", uri)
	}
	switch {
	case q.args == "":
		q.args = extra
	case extra != "":
		q.args += "&" + extra
	}
	return q
}

// readOptions reads the options of a subrequest and returns the query string among them.
func (q *query) readOptions(l *lua.LState, o *lua.LTable) (args string) {
	get := func(name string) lua.LValue { return l.GetField(o, name) }
	switch v := get("args").(type) {
	case *lua.LTable:
		args = encodeArgs(l, v)
	case lua.LString, lua.LNumber:
		args, _ = vm.ToString(v)
	case *lua.LNilType:
	default:
		vm.Errorf(l, "Bad args option value")
	}
	q.vars = pairs(l, get("vars"), "vars")
	q.headers = pairs(l, get("headers"), "headers")
	q.share = flag(l, get("share_all_vars"), "share_all_vars")
	q.copyVars = flag(l, get("copy_all_vars"), "copy_all_vars")
	q.forward = lua.LVAsBool(get("always_forward_body"))
	switch v := get("method").(type) {
	case *lua.LNilType:
	case lua.LNumber:
		q.method = wire.Method(v)
	default:
		vm.Errorf(l, "Bad http request method")
	}
	switch v := get("ctx").(type) {
	case *lua.LNilType:
	case *lua.LTable:
		q.ctx = v
	default:
		vm.Errorf(l, "Bad ctx option value type %s, expected a Lua table", vm.TypeName(v))
	}
	switch v := get("body").(type) {
	case *lua.LNilType:
	case lua.LString, lua.LNumber:
		s, _ := vm.ToString(v)
		q.body = &http.Body{Bytes: []byte(s), Size: int64(len(s))}
	default:
		vm.Errorf(l, "Bad http request body")
	}
	return args
}

// pairs reads an option that is a table of strings.
func pairs(l *lua.LState, v lua.LValue, option string) (list [][2]string) {
	t, ok := v.(*lua.LTable)
	if !ok {
		if v != lua.LNil {
			vm.Errorf(l, "Bad %s option value", option)
		}
		return nil
	}
	for k, v := range vm.Pairs(t) {
		key, ok := k.(lua.LString)
		if !ok {
			vm.Errorf(l, `attempt to use a non-string key in the "vars" option table`)
		}
		value, ok := vm.ToString(v)
		if !ok {
			vm.Errorf(l, "attempt to use bad variable value type %s", vm.TypeName(v))
		}
		list = append(list, [2]string{string(key), value})
	}
	return list
}

func flag(l *lua.LState, v lua.LValue, option string) bool {
	b, ok := v.(lua.LBool)
	if !ok && v != lua.LNil {
		vm.Errorf(l, "Bad %s option value", option)
	}
	return bool(b)
}

// start begins the subrequest of a query.
func (c *Ctx) start(l *lua.LState, q *query) *capture {
	if q.method&settable == 0 || q.method&(q.method-1) != 0 {
		c.Logf(logError, "unsupported HTTP method: %d", int(q.method))
		vm.Errorf(l, "failed to adjust the subrequest: %d", codeError)
	}
	if bad := c.badVariable(q); bad != "" {
		c.Logf(logError, "%s", bad)
		vm.Errorf(l, "failed to adjust the subrequest: %d", codeError)
	}
	if c.R.Depth == 0 {
		c.Logf(logError, `lua subrequests cycle while processing "%s"`, q.uri)
		vm.Errorf(l, "failed to issue subrequest: %d", codeError)
	}
	k := &capture{}
	c.debugf(`lua http subrequest "%s?%s"`, q.uri, q.args)
	pool := c.R.Pool
	sr := c.R.Subrequest(pool.Clone(q.uri), pool.Clone(q.args), http.SubrequestOptions{
		Background: true,
		Prepare:    func(sr *http.Request) { c.prepareSub(sr, k, q) },
		Done:       k.done,
	})
	if sr == nil {
		vm.Errorf(l, "failed to issue subrequest: %d", codeError)
	}
	return k
}

// badVariable is the complaint about a variable of a query that cannot be set.
func (c *Ctx) badVariable(q *query) string {
	for _, v := range q.vars {
		name := strings.ToLower(v[0])
		target := c.R.LookupVariable(name)
		switch {
		case target == nil || target.Changeable && target.Set == nil && !c.R.Indexed(target):
			return `variable "` + name + `" cannot be assigned a value (maybe you forgot to define it first?) `
		case !target.Changeable:
			return `variable "` + name + `" not changeable`
		}
	}
	return ""
}

// prepareSub makes a subrequest what a query wants (ngx_http_lua_adjust_subrequest).
func (c *Ctx) prepareSub(sr *http.Request, k *capture, q *query) {
	sc := c.newCtx()
	sc.R, sc.capture, sc.table, sc.VM = sr, k, q.ctx, c.VM
	sc.borrowed = true
	k.sr, k.ctx = sr, sc
	RequestCtx.Set(sr, sc)
	c.captures[sr] = k
	sr.NeedInMemory = true
	sr.Method, sr.MethodName = q.method, q.method.String()
	sc.inheritBody(q)
	for _, h := range q.headers {
		sc.setInput(h[0], []string{h[1]})
	}
	if !q.share {
		sr.OwnVariables(q.copyVars)
	}
	for _, v := range q.vars {
		sr.LookupVariable(strings.ToLower(v[0])).Assign(sr, http.Val(sr.Pool.Clone(v[1])))
	}
}

// inheritBody decides which request body a subrequest has, and the Content-Length that goes with it.
func (c *Ctx) inheritBody(q *query) {
	sr := c.R
	parent := sr.Parent
	own := true
	switch {
	case q.body != nil:
		sr.Body = q.body
	case !q.forward && q.method != wire.PUT && q.method != wire.POST && parent.In.ContentLength > 0:
		sr.Body = &http.Body{}
	default:
		own = parent.In.Chunked
	}
	switch {
	case !own: // it comes with the parent's body
	case sr.Body == nil || sr.Body.Size == 0 && q.body == nil:
		c.setInput("Content-Length", nil)
	default:
		c.setInput("Content-Length", []string{strconv.FormatInt(sr.Body.Size, 10)})
	}
}

// done takes note of the verdict of a captured subrequest. Its response is not replaced by an error page: the script
// sees the status (ngx_http_lua_post_subrequest).
func (k *capture) done(sr *http.Request, v http.Verdict) http.Verdict {
	k.status = sr.Out.Status
	if k.status == 0 {
		switch {
		case v == http.OK:
			k.status = int(http.StatusOK)
		case v == http.Error:
			k.status = int(http.StatusInternalServerError)
		case v >= http.StatusContinue:
			k.status = int(v)
		}
	}
	c := k.ctx
	delete(c.captures, sr)
	if c.headersSet && !sr.HeaderSent {
		c.setContentType()
	}
	switch v {
	case http.StatusClose, http.StatusRequestTimeOut, http.StatusClientClosed:
		return v
	}
	if v != http.Error && v != http.StatusCreated && v != http.StatusNoContent && v < http.StatusSpecialResponse {
		return v
	}
	if v > http.OK {
		sr.ErrStatus, sr.ExpectTested = int(v), true
		sr.Out.ContentType, sr.Out.ContentLength = "", 0
		sr.ClearAcceptRanges()
		sr.Out.ClearLastModified()
		if !sr.HeaderSent {
			sr.Out.Status = int(v)
			sr.SendHeader()
		}
	}
	return http.OK
}

// Captured tells whether the response of the request is kept for a script. The Ctx of a subrequest that was redirected
// is another one than before.
func Captured(r *http.Request) *Ctx {
	if r.IsMain() {
		return nil
	}
	c := RequestCtx.Of(r)
	if c != nil && c.capture != nil {
		return c
	}
	e := Main.Of(r.Scope).Engine
	k := e.captures[r]
	if k == nil {
		return nil
	}
	if c == nil {
		c = k.ctx
		RequestCtx.Set(r, c)
	}
	k.body = nil
	c.capture, k.ctx = k, c
	return c
}

// CaptureHeader takes the header of a captured subrequest: it goes no further.
func (c *Ctx) CaptureHeader() {
	r := c.R
	r.NeedInMemory, r.HeaderSent = true, true
	if r.Method == wire.HEAD {
		r.HeaderOnly = true
	}
}

// CaptureBody keeps pieces of the body of a captured subrequest.
func (c *Ctx) CaptureBody(in []http.Buf) error {
	k := c.capture
	for i := range in {
		b := &in[i]
		k.whole = k.whole || b.Last || b.LastInChain
		if !b.InFile {
			k.body = append(k.body, b.B...)
			continue
		}
		start := len(k.body)
		k.body = append(k.body, make([]byte, b.Len())...)
		for at := start; at < len(k.body); {
			n, err := unix.Pread(b.File, k.body[at:], b.Off+int64(at-start))
			if err != nil {
				return err
			}
			if n == 0 {
				k.body = k.body[:at]
			}
			at += n
		}
	}
	return nil
}

// response is the table that a script gets.
func (k *capture) response(l *lua.LState) *lua.LTable {
	t := vm.NewTable(0, 4)
	t.RawSetString("status", lua.LNumber(k.status))
	t.RawSetString("truncated", lua.LBool(!k.whole))
	t.RawSetString("body", lua.LString(buf.String(k.body)))
	h := vm.NewTable(0, 4)
	o := &k.sr.Out
	for i := range o.List {
		if f := &o.List[i]; !f.Off {
			addValue(l, h, strings.Clone(f.Name), lua.LString(strings.Clone(f.Value)))
		}
	}
	if o.ContentType != "" {
		h.RawSetString("Content-Type", lua.LString(strings.Clone(o.ContentType)))
	}
	if o.ContentLength >= 0 {
		h.RawSetString("Content-Length", lua.LNumber(o.ContentLength))
	}
	if o.LastModified != -1 && o.Find("Last-Modified") == nil && hasLastModified(o.Status) {
		h.RawSetString("Last-Modified", lua.LString(wire.AppendDate(nil, o.LastModified)))
	}
	t.RawSetString("header", h)
	return t
}

// hasLastModified tells the statuses with which Last-Modified goes out.
func hasLastModified(status int) bool {
	switch http.Verdict(status) {
	case http.StatusOK, http.StatusPartialContent, http.StatusNotModified, http.StatusNoContent:
		return true
	}
	return false
}
