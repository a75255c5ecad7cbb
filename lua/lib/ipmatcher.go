package lib

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"moongate/lua/lib/native"
	"moongate/lua/vm"
)

// ipMatcher is an object of resty.ipmatcher: networks with a value each. The longest network that holds an address wins.
type ipMatcher struct {
	values map[netip.Prefix]lua.LValue
	bits   [2][]int // the lengths of those of IPv4 and of IPv6, longest first
}

// openIPMatcher makes resty.ipmatcher (https://github.com/api7/lua-resty-ipmatcher).
func openIPMatcher(l *lua.LState) int {
	var class native.Class
	class.Init(native.Module(l, "0.3", map[string]lua.LGFunction{
		"new":            func(l *lua.LState) int { return newIPMatcher(l, &class, false) },
		"new_with_value": func(l *lua.LState) int { return newIPMatcher(l, &class, true) },
		"match": func(l *lua.LState) int {
			text, _ := vm.ToString(l.Get(2))
			addr, ok := parseIP(text)
			return native.Self[*ipMatcher](l).ret(l, addr, ok)
		},
		"match_bin": func(l *lua.LState) int {
			text, _ := vm.ToString(l.Get(2))
			addr, ok := netip.AddrFromSlice([]byte(text))
			return native.Self[*ipMatcher](l).ret(l, addr, ok)
		},
		"parse_ipv4": func(l *lua.LState) int {
			text, _ := vm.ToString(l.Get(1))
			addr, ok := parseIP(text)
			if !ok || !addr.Is4() {
				return native.Return(l, lua.LFalse)
			}
			b := addr.As4()
			return native.Return(l, vm.Number(binary.BigEndian.Uint32(b[:])))
		},
		"parse_ipv6": func(l *lua.LState) int {
			text, _ := vm.ToString(l.Get(1))
			addr, ok := parseIP(text)
			if !ok || !addr.Is6() {
				return native.Return(l, lua.LFalse)
			}
			t, b := vm.NewTable(4, 0), addr.As16()
			for part := range slices.Chunk(b[:], 4) {
				t.Append(vm.Number(binary.BigEndian.Uint32(part)))
			}
			return native.Return(l, t)
		},
		"split_ip": func(l *lua.LState) int {
			addr, bits, has := strings.Cut(vm.CheckString(l, 1), "/")
			l.Push(lua.LString(addr))
			if n, err := strconv.Atoi(bits); has && err == nil {
				l.Push(vm.Number(n))
				return 2
			}
			return 1
		},
	}))
	return native.Return(l, class.Methods)
}

// parseIP reads an address, of IPv6 also in brackets.
func parseIP(text string) (netip.Addr, bool) {
	if inner, ok := strings.CutPrefix(text, "["); ok {
		if inner, ok = strings.CutSuffix(inner, "]"); ok && strings.Contains(inner, ":") {
			text = inner
		}
	}
	addr, err := netip.ParseAddr(text)
	return addr, err == nil && addr.Zone() == ""
}

// newIPMatcher is new({network, …}) and new_with_value({[network] = value, …}).
func newIPMatcher(l *lua.LState, class *native.Class, withValue bool) int {
	list, ok := l.Get(1).(*lua.LTable)
	if !ok {
		vm.Errorf(l, "missing valid ip argument")
	}
	m := &ipMatcher{values: map[netip.Prefix]lua.LValue{}}
	for k, v := range vm.Pairs(list) {
		network, value := v, lua.LValue(lua.LTrue)
		if withValue {
			network, value = k, v
		}
		text, _ := vm.ToString(network)
		if !m.add(text, value) {
			text, _, _ = strings.Cut(text, "/")
			return native.Fail(l, "invalid ip address: "+text)
		}
	}
	for i := range m.bits {
		slices.Sort(m.bits[i])
		m.bits[i] = slices.Compact(m.bits[i])
		slices.Reverse(m.bits[i])
	}
	return native.Return(l, class.New(m))
}

// add adds a network or an address; false if it is neither.
func (m *ipMatcher) add(text string, value lua.LValue) bool {
	host, mask, has := strings.Cut(text, "/")
	addr, ok := parseIP(host)
	if !ok {
		return false
	}
	bits := addr.BitLen()
	if has {
		if n, err := strconv.Atoi(mask); err == nil {
			bits = n
		}
	}
	prefix, err := addr.Prefix(bits)
	if err != nil {
		return false
	}
	m.values[prefix] = value
	i := family(addr)
	m.bits[i] = append(m.bits[i], bits)
	return true
}

// family is the index in bits.
func family(addr netip.Addr) int {
	if addr.Is4() {
		return 0
	}
	return 1
}

// ret returns the value of the network that holds an address, or false.
func (m *ipMatcher) ret(l *lua.LState, addr netip.Addr, ok bool) int {
	if !ok {
		l.Push(lua.LFalse)
		l.Push(lua.LString("invalid ip address, not ipv4 and ipv6"))
		return 2
	}
	for _, bits := range m.bits[family(addr)] {
		prefix, _ := addr.Prefix(bits) // the length was one before
		if value, ok := m.values[prefix]; ok {
			return native.Return(l, value)
		}
	}
	return native.Return(l, lua.LFalse)
}
