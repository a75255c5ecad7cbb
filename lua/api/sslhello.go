package api

import (
	"encoding/binary"

	lua "github.com/yuin/gopher-lua"

	"moongate/core/tls"
	"moongate/lua/vm"
)

// helloFuncs are the functions of ngx.ssl.clienthello.
var helloFuncs = []Func{
	{"get_client_hello_server_name", SSLClientHello, hello(func(l *lua.LState, h *tls.ClientHello) int {
		name, found, ok := h.ServerName()
		switch {
		case !found:
			return ret(l, lua.LNil)
		case !ok:
			return fail(l, "Bad SSL Client Hello Extension")
		}
		return ret(l, lua.LString(name))
	})},
	{"get_client_hello_ext_present", SSLClientHello, hello(func(l *lua.LState, h *tls.ClientHello) int {
		t := vm.NewTable(0, 0)
		for _, e := range h.Extensions {
			if tls.KnownExtension(e.Type) {
				t.Append(lua.LNumber(e.Type))
			}
		}
		if t.Len() == 0 {
			return ret(l, lua.LNil)
		}
		return ret(l, t)
	})},
	{"get_client_hello_ciphers", SSLClientHello, hello(func(l *lua.LState, h *tls.ClientHello) int {
		const most = 128 // what lua-resty-core has room for
		t := vm.NewTable(0, 0)
		for b := h.Ciphers[:min(len(h.Ciphers), 2*most)]; len(b) >= 2; b = b[2:] {
			if id := binary.BigEndian.Uint16(b); !tls.IsGREASE(id) {
				t.Append(lua.LNumber(id))
			}
		}
		return ret(l, t)
	})},
	{"get_client_hello_ext", SSLClientHello, hello(func(l *lua.LState, h *tls.ClientHello) int {
		data, ok := h.Extension(uint16(vm.CheckInt(l, 1)))
		if !ok {
			return ret(l, lua.LNil)
		}
		return ret(l, lua.LString(data))
	})},
	{"get_supported_versions", SSLClientHello, hello(supportedVersions)},
	{"set_protocols", SSLClientHello, connected(setProtocols)},
}

// hello makes a function of one that is about the ClientHello.
func hello(call func(l *lua.LState, h *tls.ClientHello) int) func(c *Ctx, l *lua.LState) int {
	return connected(func(_ *Ctx, l *lua.LState, t *tls.Conn) int {
		h := t.ClientHello()
		if h == nil {
			return fail(l, errBadRequest)
		}
		return call(l, h)
	})
}

// protocolNames are the versions that get_supported_versions and set_protocols know.
var protocolNames = []struct {
	id   uint16
	name string
	set  tls.Protocols
}{
	{0x0002, "SSLv2", tls.SSLv2}, {0x0300, "SSLv3", tls.SSLv3}, {0x0301, "TLSv1", tls.TLSv1}, {0x0302, "TLSv1.1", tls.TLSv11},
	{0x0303, "TLSv1.2", tls.TLSv12}, {0x0304, "TLSv1.3", tls.TLSv13},
}

// supportedVersions is get_supported_versions(): the known ones, the client's last one first.
func supportedVersions(l *lua.LState, h *tls.ClientHello) int {
	data, ok := h.Extension(tls.ExtSupportedVersions)
	if !ok || len(data) == 0 || len(data)-1 != int(data[0]) {
		return ret(l, lua.LNil)
	}
	t := vm.NewTable(0, 0)
	for data = data[1:]; len(data) >= 2; data = data[:len(data)-2] {
		id := binary.BigEndian.Uint16(data[len(data)-2:])
		for _, p := range protocolNames {
			if p.id == id {
				t.Append(lua.LString(p.name))
			}
		}
	}
	return ret(l, t)
}

// setProtocols is set_protocols({"TLSv1.2", …}).
func setProtocols(_ *Ctx, l *lua.LState, t *tls.Conn) int {
	var set tls.Protocols
	list := vm.CheckTable(l, 1)
next:
	for i := 1; list.RawGetInt(i) != lua.LNil; i++ {
		for _, p := range protocolNames {
			if list.RawGetInt(i) == lua.LString(p.name) {
				set |= p.set
				continue next
			}
		}
		return fail(l, "invalid protocols failed")
	}
	t.SetProtocols(set)
	return ret(l, lua.LTrue)
}
