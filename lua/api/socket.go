package api

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	lua "github.com/yuin/gopher-lua"

	"moongate/conf"
	"moongate/core/event"
	"moongate/core/log"
	"moongate/core/process"
	"moongate/core/resolver"
	"moongate/http"
	"moongate/lua/vm"
)

// socketFuncs make sockets. The objects are tables that hold the socket at index 1, as in OpenResty.
var socketFuncs = []Func{
	{"socket.tcp", yieldable, newTCPSock},
	{"socket.stream", yieldable, newTCPSock},
	{"socket.connect", yieldable, socketConnect},
	{"socket.udp", yieldable, newUDPSock},
	{"req.socket", handlers, reqSocket},
}

// openSockets makes the metatables of sockets.
func openSockets(v *vm.VM) {
	registry := v.L.G.Registry
	classes := []struct {
		name    string
		methods []socketMethod
	}{
		{tcpClass, tcpMethods}, {reqClass, reqMethods}, {rawClass, rawMethods}, {udpClass, udpMethods},
	}
	for _, class := range classes {
		mt := vm.NewTable(0, len(class.methods)+1)
		mt.RawSetString("__index", mt)
		for _, m := range class.methods {
			mt.RawSetString(m.name, v.L.NewFunction(m.call))
		}
		registry.RawSetString(class.name, mt)
	}
}

// socketMethod is a method of socket objects.
type socketMethod struct {
	name string
	call lua.LGFunction
}

// The names of the metatables in the registry.
const (
	tcpClass = "__tcp_cosocket_mt"
	reqClass = "__tcp_req_cosocket_mt"
	rawClass = "__tcp_raw_req_cosocket_mt"
	udpClass = "__udp_cosocket_mt"
)

// classOf is one of the metatables of openSockets.
func classOf(l *lua.LState, class string) lua.LValue { return l.G.Registry.RawGetString(class) }

// socketArg is argument 1 of a method, nil for a table without a socket of that type.
func socketArg[T any](l *lua.LState) *T {
	if u, ok := vm.CheckTable(l, 1).RawGetInt(1).(*lua.LUserData); ok {
		s, _ := u.Value.(*T)
		return s
	}
	return nil
}

// countArgs raises an error unless the number of arguments is between min and max.
func countArgs(l *lua.LState, min, max int, format string) {
	if n := l.GetTop(); n < min || n > max {
		vm.Errorf(l, format, n)
	}
}

// owned are the sockets of a request or timer, which end with it.
type owned struct{ list []interface{ end() } }

func (o *owned) add(s interface{ end() }) { o.list = append(o.list, s) }

// drop forgets one that has ended before.
func (o *owned) drop(s interface{ end() }) {
	if i := slices.Index(o.list, s); i >= 0 {
		o.list = slices.Delete(o.list, i, i+1)
	}
}

func (o *owned) endAll() {
	for i, s := range o.list {
		s.end()
		o.list[i] = nil
	}
	o.list = o.list[:0]
}

// scope is the configuration in effect.
func (c *Ctx) scope() *conf.Scope {
	switch {
	case c.R != nil:
		return c.R.Scope
	case c.handshake != nil:
		return c.handshake.conn.Server.Scope()
	case c.timer != nil:
		return c.timer.scope
	}
	return c.Main.Bare
}

// Texts of errors that sockets return.
const (
	textTimeout = "timeout"
	textClosed  = "closed"
)

// errClientAborted tells of a client that closed while its request was read.
var errClientAborted = errors.New("client aborted")

// socketError is an error in LuaSocket's words.
func socketError(err error) string {
	var errno unix.Errno
	switch {
	case errors.Is(err, event.ErrTimeout):
		return textTimeout
	case errors.As(err, &errno):
		return strings.ToLower(log.Strerror(errno))
	case err == errClientAborted:
		return "client aborted"
	case errors.Is(err, event.ErrClosed):
		return textClosed
	}
	return "error"
}

// endpoint is where a socket connects to.
type endpoint struct {
	host string // as the script gave it
	port uint16
	addr process.Addr
}

// upstream is what log lines say of the other side.
func (e *endpoint) upstream() string {
	ip := e.addr.IP
	switch {
	case e.addr.Unix != "":
		return ", upstream: " + e.host + "(unix:" + e.addr.Unix + ")"
	case !ip.IsValid():
		return ", upstream: " + e.host
	}
	b := append([]byte(", upstream: "), e.host...)
	b = append(vm.AppendNumber(append(b, ':'), float64(ip.Port())), '(')
	return string(append(ip.Addr().AppendTo(b), ')'))
}

// locate finds the address of the endpoint, asking the location's resolver if need be. The reason is empty on success.
func (e *endpoint) locate(c *Ctx, l *lua.LState) (reason string) {
	u, err := http.ParseURL(nil, e.host, http.URLOptions{NoResolve: true, DefaultPort: e.port})
	if err != nil {
		return `failed to parse host name "` + e.host + `": ` + err.Error()
	}
	if len(u.Addrs) > 0 {
		e.addr = u.Addrs[0]
		return ""
	}
	core := http.CoreIn(c.scope())
	r := core.Resolver.V
	if r == nil || len(r.Config.Servers) == 0 {
		return `no resolver defined to resolve "` + e.host + `"`
	}
	var ips []netip.Addr
	c.wait(l, func() { ips, _, err = r.On(c.Loop).Resolve(nil, e.host, core.ResolverTimeout.V) })
	if err != nil {
		return resolveError(e.host, err)
	}
	e.addr = process.Addr{IP: netip.AddrPortFrom(ips[rand.IntN(len(ips))], u.Port)}
	return ""
}

// resolveError is why a name was not resolved.
func resolveError(host string, err error) string {
	var failed *resolver.Error
	if !errors.As(err, &failed) {
		return host + " could not be resolved"
	}
	e := *failed
	e.Name = host
	return e.Error()
}

// localAddr reads the address that a socket is to be bound to.
func localAddr(s string, port uint16) (unix.Sockaddr, bool) {
	ip, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	if err != nil || ip.Zone() != "" {
		return nil, false
	}
	return sockaddr(process.Addr{IP: netip.AddrPortFrom(ip, port)}), true
}

// sockaddr is an address for the event loop.
func sockaddr(a process.Addr) unix.Sockaddr {
	switch ip := a.IP.Addr(); {
	case a.Unix != "":
		return &unix.SockaddrUnix{Name: a.Unix}
	case ip.Is4():
		return &unix.SockaddrInet4{Port: int(a.IP.Port()), Addr: ip.As4()}
	default:
		return &unix.SockaddrInet6{Port: int(a.IP.Port()), Addr: ip.As16()}
	}
}

// checkPort reads a port number at argument n; the reason is not empty when it is none.
func checkPort(l *lua.LState, n int) (port uint16, reason string) {
	num, _ := vm.ToNumber(l.Get(n))
	if p := int64(num); p >= 0 && p <= 65535 {
		return uint16(p), ""
	}
	return 0, "bad port number: " + vm.FormatNumber(float64(int64(num)))
}

func isNumber(v lua.LValue) bool {
	_, ok := vm.ToNumber(v)
	return ok
}

// timeout is a number of milliseconds at argument n; the greatest is 2^31-1.
func timeoutArg(l *lua.LState, n int) time.Duration {
	num, _ := vm.ToNumber(l.Get(n))
	msec := int64(num)
	if msec>>31 != 0 {
		vm.Errorf(l, "bad timeout value")
	}
	return time.Duration(msec) * time.Millisecond
}

// appendSend appends what a socket is to send; arg is its place among the arguments.
func appendSend(b []byte, l *lua.LState, v lua.LValue, arg int) []byte {
	if t, ok := v.(*lua.LTable); ok {
		return appendTable(b, l, t, arg, 0, true)
	}
	b, ok := appendScalar(b, v)
	if !ok {
		vm.ArgError(l, arg, "string, number, boolean, nil, or array table expected, got "+vm.TypeName(v))
	}
	return b
}
