package openssl

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"moongate/lua/lib/native"
	"moongate/lua/vm"
)

// distinguishedName is an object of resty.openssl.x509.name: what it is made of, in order.
type distinguishedName struct{ list []nameEntry }

// nameEntry is an attribute of a name.
type nameEntry struct {
	id    asn1.ObjectIdentifier
	value string
}

// stack has the methods that all objects of several parts have: all(), each(), count() and index(i).
func stack[T any](count func(T) int, at func(l *lua.LState, o T, i int) []lua.LValue) map[string]lua.LGFunction {
	push := func(l *lua.LState, o T, i int) int {
		if i < 0 || i >= count(o) {
			return native.Return(l, lua.LNil)
		}
		values := at(l, o, i)
		for _, v := range values {
			l.Push(v)
		}
		return len(values)
	}
	return map[string]lua.LGFunction{
		"istype": istype[T],
		"count":  func(l *lua.LState) int { return native.Return(l, vm.Number(count(native.Self[T](l)))) },
		"index":  func(l *lua.LState) int { return push(l, native.Self[T](l), vm.CheckInt(l, 2)-1) },
		"each": func(l *lua.LState) int {
			o, i := native.Self[T](l), 0
			return native.Return(l, l.NewFunction(func(l *lua.LState) int {
				i++
				return push(l, o, i-1)
			}))
		},
		"all": func(l *lua.LState) int {
			o, t := native.Self[T](l), vm.NewTable(4, 4)
			for i := range count(o) {
				if values := at(l, o, i); len(values) == 2 {
					t.RawSet(values[0], values[1])
				} else {
					t.Append(values[0])
				}
			}
			return native.Return(l, t)
		},
	}
}

// addLength makes #object the number of its parts.
func addLength[T any](l *lua.LState, c *native.Class, count func(T) int) {
	c.Meta(l, "__len", func(l *lua.LState) int { return native.Return(l, vm.Number(count(native.Self[T](l)))) })
}

func (n *distinguishedName) count() int { return len(n.list) }

// openName makes resty.openssl.x509.name.
func openName(_ *library, l *lua.LState, c *native.Class) {
	funcs := stack((*distinguishedName).count, func(_ *lua.LState, n *distinguishedName, i int) []lua.LValue {
		t := n.list[i].table()
		return []lua.LValue{t.RawGetString("sn"), t}
	})
	funcs["new"] = func(l *lua.LState) int { return native.Return(l, c.New(&distinguishedName{})) }
	funcs["add"] = func(l *lua.LState) int {
		n, name, value := native.Self[*distinguishedName](l), vm.CheckString(l, 2), vm.CheckString(l, 3)
		id := oidOf(name)
		if id == nil {
			return fail(l, "x509.name:add: invalid NID text %s", name)
		}
		n.list = append(n.list, nameEntry{id, value})
		return native.Return(l, l.Get(1))
	}
	funcs["find"] = func(l *lua.LState) int {
		n, name := native.Self[*distinguishedName](l), vm.CheckString(l, 2)
		id := oidOf(name)
		if id == nil {
			l.Push(lua.LNil)
			return 1 + fail(l, "x509.name:find: invalid NID text %s", name)
		}
		for i := max(vm.OptInt(l, 3, 0), 0); i < len(n.list); i++ {
			if n.list[i].id.Equal(id) {
				l.Push(n.list[i].table())
				l.Push(vm.Number(i + 1))
				return 2
			}
		}
		return native.Return(l, lua.LNil)
	}
	funcs["tostring"] = func(l *lua.LState) int {
		return native.Return(l, lua.LString(native.Self[*distinguishedName](l).String()))
	}
	define(l, c, funcs)
	addLength(l, c, (*distinguishedName).count)
	c.Meta(l, "__tostring", funcs["tostring"])
}

// oidOf is the identifier of an attribute by its name or in numbers, nil if it is neither.
func oidOf(name string) asn1.ObjectIdentifier {
	if o := objectOf(0, name); o != nil {
		return o.oid()
	}
	o := object{id: name}
	if id := o.oid(); len(id) > 1 && id.String() == name {
		return id
	}
	return nil
}

// table is an attribute as name:find shows it.
func (e nameEntry) table() *lua.LTable {
	o := objectOf(0, e.id.String())
	if o == nil {
		o = &object{short: e.id.String(), long: e.id.String(), id: e.id.String()}
	}
	t := o.table()
	t.RawSetString("blob", lua.LString(e.value))
	return t
}

// String is the name as OpenSSL's one-line form, without the slash in front: CN=a/O=b.
func (n *distinguishedName) String() string {
	parts := make([]string, len(n.list))
	for i, e := range n.list {
		name := e.id.String()
		if o := objectOf(0, name); o != nil {
			name = o.short
		}
		parts[i] = name + "=" + e.value
	}
	return strings.Join(parts, "/")
}

// der writes a name.
func (n *distinguishedName) der() ([]byte, error) {
	seq := make(pkix.RDNSequence, len(n.list))
	for i, e := range n.list {
		seq[i] = pkix.RelativeDistinguishedNameSET{{Type: e.id, Value: e.value}}
	}
	return asn1.Marshal(seq)
}

// parseName reads a name.
func parseName(der []byte) (*distinguishedName, error) {
	var seq pkix.RDNSequence
	if _, err := asn1.Unmarshal(der, &seq); err != nil {
		return nil, err
	}
	n := &distinguishedName{}
	for _, set := range seq {
		for _, a := range set {
			value, _ := a.Value.(string)
			n.list = append(n.list, nameEntry{a.Type, value})
		}
	}
	return n, nil
}
