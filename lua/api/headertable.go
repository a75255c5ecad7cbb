package api

import (
	"strings"

	lua "github.com/yuin/gopher-lua"

	"moongate/http/wire"
	"moongate/lua/vm"
)

// headersMeta lets a table of headers be indexed by names in any case and with underscores.
func (c *Ctx) headersMeta(l *lua.LState) *lua.LTable {
	mt := vm.NewTable(0, 4)
	mt.RawSetString("__index", l.NewFunction(func(l *lua.LState) int {
		t := vm.CheckTable(l, 1)
		s, ok := l.Get(2).(lua.LString)
		if !ok {
			return ret(l, lua.LNil)
		}
		return ret(l, t.RawGetString(strings.ReplaceAll(strings.ToLower(string(s)), "_", "-")))
	}))
	return mt
}

// headerTable makes the table of get_headers, with what limit and raw say.
type headerTable struct {
	l     *lua.LState
	t     *lua.LTable
	limit int
	raw   bool
	n     int
}

func newHeaderTable(c *Ctx, l *lua.LState) *headerTable {
	h := &headerTable{l: l, t: vm.NewTable(0, 4), limit: optLimit(l), raw: lua.LVAsBool(l.Get(2))}
	if !h.raw {
		h.t.Metatable = c.headersMeta(l)
	}
	return h
}

func (h *headerTable) add(name, value string) {
	if h.n++; h.limit > 0 && h.n > h.limit {
		return
	}
	if h.raw {
		name = strings.Clone(name)
	} else {
		name = string(wire.AppendLower(nil, name))
	}
	addValue(h.l, h.t, name, lua.LString(strings.Clone(value)))
}

func (h *headerTable) ret(kind string) int {
	h.l.Push(h.t)
	if h.limit > 0 && h.n > h.limit {
		ctxOf(h.l).debugf("lua exceeding %s header limit %d > %d", kind, h.n, h.limit)
		h.l.Push(lua.LString("truncated"))
		return 2
	}
	return 1
}
