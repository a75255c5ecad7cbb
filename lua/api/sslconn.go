package api

import (
	"encoding/hex"
	"slices"

	lua "github.com/yuin/gopher-lua"

	"moongate/core/event"
	"moongate/core/tls"
	"moongate/lua/vm"
)

// sslVersionFields are the numbers of versions.
var sslVersionFields = map[string]lua.LValue{
	"SSL3_VERSION": lua.LNumber(0x0300), "TLS1_VERSION": lua.LNumber(0x0301), "TLS1_1_VERSION": lua.LNumber(0x0302),
	"TLS1_2_VERSION": lua.LNumber(0x0303), "TLS1_3_VERSION": lua.LNumber(0x0304),
}

// sslFuncs are the functions of ngx.ssl.
var sslFuncs = slices.Concat(certFuncs(downstreamPairs), parseFuncs, []Func{
	{"raw_server_addr", anywhere, func(c *Ctx, l *lua.LState) int {
		if c.secured() == nil {
			return retErr(l, errBadRequest)
		}
		return rawAddr(l, c.clientConn().LocalAddr())
	}},
	{"raw_client_addr", anywhere, func(c *Ctx, l *lua.LState) int {
		if c.secured() == nil {
			return retErr(l, errBadRequest)
		}
		return rawAddr(l, c.clientConn().RemoteAddr())
	}},
	{"server_port", anywhere, connected(func(c *Ctx, l *lua.LState, _ *tls.Conn) int {
		a := c.clientConn().LocalAddr()
		if a.Unix {
			return fail(l, "unix domain has no port")
		}
		return ret(l, vm.Number(a.Port()))
	})},
	{"server_name", anywhere, connected(func(_ *Ctx, l *lua.LState, t *tls.Conn) int {
		name := t.ServerName()
		if name == "" {
			return ret(l, lua.LNil)
		}
		return retString(l, name)
	})},
	{"get_tls1_version", anywhere, connected(func(_ *Ctx, l *lua.LState, t *tls.Conn) int {
		return ret(l, vm.Number(t.Version()))
	})},
	{"get_tls1_version_str", anywhere, connected(func(_ *Ctx, l *lua.LState, t *tls.Conn) int { return versionText(l, t) })},
	{"get_client_random", anywhere, connected(func(_ *Ctx, l *lua.LState, t *tls.Conn) int { return secretBytes(l, t.ClientRandom()) })},
	{"get_server_random", anywhere, connected(func(_ *Ctx, l *lua.LState, t *tls.Conn) int { return secretBytes(l, t.ServerRandom()) })},
	{"get_session_master_key", anywhere, connected(func(_ *Ctx, l *lua.LState, t *tls.Conn) int { return secretBytes(l, t.MasterSecret()) })},
	{"get_req_shared_ssl_ciphers", anywhere, connected(sharedCiphers)},
	{"verify_client", anywhere, func(c *Ctx, l *lua.LState) int {
		if c.Phase&(SSLCert|Init) == 0 {
			return fail(l, disabledHere)
		}
		return connected(verifyClient)(c, l)
	}},
	{"export_keying_material", anywhere, connected(exportKeyingMaterial)},
	{"export_keying_material_early", anywhere, connected(func(_ *Ctx, l *lua.LState, _ *tls.Conn) int {
		return fail(l, "SSL_export_keying_material_early() failed") // there is no early data
	})},
	{"get_req_ssl_pointer", anywhere, connected(func(_ *Ctx, l *lua.LState, t *tls.Conn) int {
		return ret(l, vm.NewCData(sslPointer{t}))
	})},
	{"get_upstream_ssl_pointer", anywhere, func(c *Ctx, l *lua.LState) int {
		switch {
		case c.R == nil:
			return fail(l, errBadRequest)
		case c.proxied == nil:
			return fail(l, "bad upstream")
		}
		return ret(l, vm.NewCData(sslPointer{c.proxied}))
	}},
	{"ssl_session_reused", anywhere, func(_ *Ctx, l *lua.LState) int {
		t, ok := cdata[sslPointer](l, 1)
		if !ok {
			return fail(l, "bad ssl")
		}
		return ret(l, lua.LBool(t.State().DidResume))
	}},
})

// clientConn is the connection with the client, of a request or of a handshake.
func (c *Ctx) clientConn() interface {
	LocalAddr() event.Addr
	RemoteAddr() event.Addr
} {
	if c.handshake != nil {
		return c.handshake.conn
	}
	return c.R.Conn
}

// versionText returns "TLSv1.3".
func versionText(l *lua.LState, t *tls.Conn) int {
	name := tls.ProtocolName(t.Version())
	if name == "unknown" {
		return fail(l, "unknown version")
	}
	return retString(l, name)
}

// secretBytes is ssl.get_client_random(length?) and the like: at most as many bytes as there are, or how many there are
// for a length of 0. Connections of servers without code for handshakes keep none.
func secretBytes(l *lua.LState, b []byte) int {
	n := vm.OptInt(l, 1, len(b))
	if n == 0 && l.GetTop() > 0 {
		return ret(l, lua.LNumber(len(b)))
	}
	return ret(l, lua.LString(b[:max(min(n, len(b)), 0)]))
}

// sharedCiphers is ssl.get_req_shared_ssl_ciphers(filter_grease?): the server's ciphers that the client has as well.
// There are none among GREASE's.
func sharedCiphers(_ *Ctx, l *lua.LState, t *tls.Conn) int {
	list := vm.NewTable(0, 0)
	for _, id := range t.SharedCiphers() {
		list.Append(lua.LNumber(id))
	}
	return ret(l, list)
}

// maxKeyingMaterial is more than any hash lets be exported.
const maxKeyingMaterial = 255 * 64

// exportKeyingMaterial is ssl.export_keying_material(length, label, context?).
func exportKeyingMaterial(_ *Ctx, l *lua.LState, t *tls.Conn) int {
	n, label := vm.CheckInt(l, 1), vm.CheckString(l, 2)
	var context []byte
	if s, ok := l.Get(3).(lua.LString); ok {
		context = append([]byte{}, s...)
	}
	state := t.State()
	if n < 0 || n > maxKeyingMaterial || state.Version == 0 {
		return fail(l, "SSL_export_keying_material() failed")
	}
	b, err := state.ExportKeyingMaterial(label, context, n)
	if err != nil {
		return fail(l, "SSL_export_keying_material() failed")
	}
	return ret(l, lua.LString(b))
}

// sessionFuncs are the functions of ngx.ssl.session.
var sessionFuncs = []Func{
	{"get_serialized_session", anywhere, aboutSession(func(h *Handshake, l *lua.LState) int {
		if h.session == nil {
			return fail(l, "bad session in lua context")
		}
		const most = 4096
		if len(h.session) > most {
			return fail(l, "session too big to serialize")
		}
		return ret(l, lua.LString(h.session))
	})},
	{"get_session_id", anywhere, aboutSession(func(h *Handshake, l *lua.LState) int {
		if h.sessionID == nil {
			return fail(l, "uninitialized session id len in lua context")
		}
		return retString(l, hex.EncodeToString(h.sessionID))
	})},
	{"set_serialized_session", anywhere, aboutSession(func(h *Handshake, l *lua.LState) int {
		s := vm.CheckString(l, 1)
		const most = 4096 // NGX_SSL_MAX_SESSION_SIZE
		switch {
		case s == "" || len(s) > most:
			return fail(l, "invalid session length")
		case !tls.ValidSession([]byte(s)):
			return fail(l, "failed to de-serialize session")
		}
		h.session = []byte(s)
		return ret(l, lua.LTrue)
	})},
}

// aboutSession makes a function of one that needs a handshake.
func aboutSession(call func(h *Handshake, l *lua.LState) int) func(c *Ctx, l *lua.LState) int {
	return connected(func(c *Ctx, l *lua.LState, _ *tls.Conn) int {
		if c.handshake == nil {
			return fail(l, "bad lua context")
		}
		return call(c.handshake, l)
	})
}
