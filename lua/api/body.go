package api

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	lua "github.com/yuin/gopher-lua"

	"moongate/http"
	"moongate/lua/vm"
)

// bodyPhases are those in which the request body can be read or replaced.
const bodyPhases = handlers

var bodyFuncs = []Func{
	{"req.read_body", bodyPhases, reqReadBody},
	{"req.discard_body", requests, reqDiscardBody},
	{"req.get_body_data", requests, reqGetBodyData},
	{"req.get_body_file", requests, reqGetBodyFile},
	{"req.set_body_data", requests, reqSetBodyData},
	{"req.set_body_file", requests, reqSetBodyFile},
	{"req.init_body", requests, reqInitBody},
	{"req.append_body", requests, reqAppendBody},
	{"req.finish_body", requests, reqFinishBody},
}

// checkCount raises an error unless there are n arguments.
func checkCount(l *lua.LState, n int) {
	if got := l.GetTop(); got != n {
		vm.Errorf(l, "expecting %d arguments but seen %d", n, got)
	}
}

func reqReadBody(c *Ctx, l *lua.LState) int {
	checkCount(l, 0)
	c.readingBody = true
	v := http.OK
	c.wait(l, func() { v = c.readBody() })
	c.readingBody = false
	if v == http.Error || v >= http.StatusSpecialResponse {
		c.exited, c.exitCode = true, int(v)
		c.leave(l)
	}
	return 0
}

// readBody reads the request body. A file with it keeps its name as long as the request lasts, for get_body_file.
func (c *Ctx) readBody() http.Verdict {
	c.R.Main.PersistentBody = true
	return c.R.ReadBody()
}

func reqDiscardBody(c *Ctx, l *lua.LState) int {
	checkCount(l, 0)
	if v := c.R.DiscardBody(); v == http.Error || v >= http.StatusSpecialResponse {
		vm.Errorf(l, "failed to discard request body")
	}
	return 0
}

// reqGetBodyData is ngx.req.get_body_data(max?).
func reqGetBodyData(c *Ctx, l *lua.LState) int {
	n := l.GetTop()
	if n > 1 {
		vm.Errorf(l, "expecting 0 or 1 arguments but seen %d", n)
	}
	limit := 0
	if n == 1 {
		limit = vm.CheckInt(l, 1)
	}
	b := c.R.Body
	if b == nil || b.File != nil || len(b.Bytes) == 0 {
		return ret(l, lua.LNil)
	}
	data := b.Bytes
	if limit > 0 && limit < len(data) {
		data = data[:limit]
	}
	return retString(l, string(data))
}

func reqGetBodyFile(c *Ctx, l *lua.LState) int {
	checkCount(l, 0)
	if b := c.R.Body; b != nil && b.File != nil {
		return retString(l, strings.Clone(b.Path))
	}
	return ret(l, lua.LNil)
}

// replaceable checks that the request has a body that can be replaced.
func (c *Ctx) replaceable(l *lua.LState) {
	switch {
	case c.R.DiscardingBody():
		vm.Errorf(l, "request body already discarded asynchronously")
	case c.R.Body == nil:
		vm.Errorf(l, "request body not read yet")
	}
}

// setBody gives the request another body.
func (c *Ctx) setBody(b *http.Body) {
	c.R.Body = b
	c.setInput("Content-Length", []string{strconv.FormatInt(b.Size, 10)})
	c.R.In.Chunked = false
}

func reqSetBodyData(c *Ctx, l *lua.LState) int {
	checkCount(l, 1)
	data := vm.CheckString(l, 1)
	c.replaceable(l)
	c.setBody(&http.Body{Bytes: []byte(data), Size: int64(len(data))})
	return 0
}

// reqSetBodyFile is ngx.req.set_body_file(name, remove?).
func reqSetBodyFile(c *Ctx, l *lua.LState) int {
	n := l.GetTop()
	if n != 1 && n != 2 {
		vm.Errorf(l, "expecting 1 or 2 arguments but seen %d", n)
	}
	name := vm.CheckString(l, 1)
	c.replaceable(l)
	remove := n == 2 && boolean(l, 2)
	if b := c.R.Body; b.File != nil && b.Path == name {
		return 0
	}
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		vm.Errorf(l, "%s", `stat() "`+name+`" failed`)
	}
	f := &http.TempFile{Name: strings.Clone(name), FD: fd}
	c.R.Cleanup(func() {
		f.Close()
		if remove {
			unix.Unlink(f.Name)
		}
	})
	var st unix.Stat_t
	switch err := unix.Fstat(fd, &st); {
	case err != nil:
		vm.Errorf(l, "%s", `fstat() "`+name+`" failed`)
	case st.Size == 0: // a device has no size either
		c.setBody(&http.Body{})
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		vm.Errorf(l, "%s", `"`+name+`" is not a regular file`)
	default:
		c.setBody(&http.Body{File: f, Path: f.Name, Size: st.Size})
	}
	return 0
}

// newBody is a body that a script makes piece by piece: in memory up to room bytes, in a temporary file beyond.
type newBody struct {
	*http.Body
	room int
}

// reqInitBody is ngx.req.init_body(size?).
func reqInitBody(c *Ctx, l *lua.LState) int {
	n := l.GetTop()
	if n > 1 {
		vm.Errorf(l, "expecting 0 or 1 argument but seen %d", n)
	}
	c.replaceable(l)
	room := int(c.R.Core.ClientBodyBufferSize.V)
	if n == 1 {
		if room = vm.CheckInt(l, 1); room < 0 {
			vm.Errorf(l, "bad size argument: %d", room)
		}
	}
	c.newBody = &newBody{Body: &http.Body{}, room: room}
	return 0
}

// pendingBody is the body that init_body began.
func (c *Ctx) pendingBody(l *lua.LState) *newBody {
	if c.newBody == nil {
		vm.Errorf(l, "request_body not initialized")
	}
	return c.newBody
}

func reqAppendBody(c *Ctx, l *lua.LState) int {
	checkCount(l, 1)
	data := vm.CheckString(l, 1)
	b := c.pendingBody(l)
	b.Bytes = append(b.Bytes, data...)
	if len(b.Bytes) > b.room && !b.spill(c) {
		vm.Errorf(l, "fail to write file")
	}
	return 0
}

// spill writes what is in memory to the temporary file.
func (b *newBody) spill(c *Ctx) bool {
	if b.File == nil {
		f, err := c.R.Core.ClientBodyTempPath.V.Create(http.TempClean)
		if err != nil {
			return false
		}
		b.File, b.Path = f, f.Name
		c.R.Cleanup(f.Close)
	}
	for p := b.Bytes; len(p) > 0; {
		n, err := unix.Pwrite(b.File.FD, p, b.Size)
		if err != nil {
			return false
		}
		p, b.Size = p[n:], b.Size+int64(n)
	}
	b.Bytes = b.Bytes[:0]
	return true
}

func reqFinishBody(c *Ctx, l *lua.LState) int {
	checkCount(l, 0)
	b := c.pendingBody(l)
	c.newBody = nil
	if b.File == nil {
		b.Size = int64(len(b.Bytes))
	} else if !b.spill(c) {
		vm.Errorf(l, "fail to write file")
	}
	c.setBody(b.Body)
	return 0
}
