package api

import (
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"moongate/http"
	"moongate/http/upstream"
	"moongate/lua/vm"
)

// Balancing is what balancer_by_lua* says of the next peer of an exchange: ngx_http_lua_balancer_peer_data_t.
type Balancing struct {
	// E is the exchange, Pool where enable_keepalive has connections kept.
	E    *upstream.Exchange
	Pool *upstream.IdlePool
	// Peer is the one that set_current_peer named, nil if the block's own servers are to be used.
	Peer *upstream.Peer
	// MoreTries is what set_more_tries asked for, Tries counts those that were.
	MoreTries, Tries int
	// Last is how the exchange with the last peer of set_current_peer went.
	Last upstream.Outcome
}

// balancerFuncs is the module ngx.balancer.
var balancerFuncs = []Func{
	balancerFunc("set_current_peer", setCurrentPeer),
	balancerFunc("enable_keepalive", enableKeepalive),
	balancerFunc("set_more_tries", setMoreTries),
	balancerFunc("get_last_failure", lastFailure),
	balancerFunc("set_timeouts", setTimeouts),
	balancerFunc("bind_to_local_addr", bindToLocalAddr),
	balancerFunc("set_upstream_tls", func(b *Balancing, l *lua.LState) int {
		v := l.Get(1)
		b.E.SetTLS(v != lua.LFalse && v != zero)
		return ret(l, lua.LTrue)
	}),
	balancerFunc("recreate_request", func(b *Balancing, l *lua.LState) int {
		if !b.E.Recreate() {
			return fail(l, "failed to recreate the upstream request")
		}
		return ret(l, lua.LTrue)
	}),
}

func balancerFunc(name string, call func(b *Balancing, l *lua.LState) int) Func {
	return Func{name, Balancer, func(c *Ctx, l *lua.LState) int { return call(c.Balancing, l) }}
}

// notBalancing is a function of ngx.balancer elsewhere than in balancer_by_lua*: it returns why it did nothing, once
// the arguments have been checked.
func notBalancing(c *Ctx, l *lua.LState, f *Func) int {
	why := lua.LString(disabledHere)
	switch {
	case c.Phase == Init:
		vm.Errorf(l, "no request found")
	case c.R == nil || c.R.Upstream == nil:
		why = "no upstream found"
	}
	switch f.Name {
	case "set_current_peer":
		peerArgs(l)
	case "enable_keepalive":
		keepaliveArgs(l)
	case "set_timeouts":
		timeoutArgs(l)
	case "bind_to_local_addr":
		localArg(l)
	}
	switch f.Name {
	case "set_timeouts":
		l.Push(lua.LFalse)
	case "get_last_failure":
		l.Push(lua.LNil)
		fallthrough
	default:
		l.Push(lua.LNil)
	}
	l.Push(why)
	if f.Name == "get_last_failure" {
		return 3
	}
	return 2
}

// peerAddress is an address as set_current_peer names it.
type peerAddress struct {
	text string
	port uint16
}

// maxPeerAddresses bounds the addresses of a worker that are remembered.
const maxPeerAddresses = 1024

// address reads an address; those read before are remembered.
func (e *Engine) address(text string, port uint16) (upstream.Addr, string) {
	key := peerAddress{text, port}
	if a, ok := e.peers[key]; ok {
		return a, ""
	}
	url, err := http.ParseURL(nil, text, http.URLOptions{DefaultPort: port, NoResolve: true})
	switch {
	case err != nil:
		return upstream.Addr{}, err.Error()
	case len(url.Addrs) == 0:
		return upstream.Addr{}, "no host allowed"
	}
	if len(e.peers) >= maxPeerAddresses {
		clear(e.peers)
	}
	a := upstream.NewAddr(url.Addrs[0])
	e.peers[key] = a
	return a, ""
}

// peerArgs are the arguments of set_current_peer.
func peerArgs(l *lua.LState) (text string, port int, host string) {
	text = vm.CheckString(l, 1)
	if v := l.Get(2); lua.LVAsBool(v) {
		n, ok := vm.ToNumber(v)
		if !ok {
			vm.ArgError(l, 2, "number expected, got "+vm.TypeName(v))
		}
		port = int(n)
	}
	switch v := l.Get(3).(type) {
	case *lua.LNilType:
	case lua.LString:
		host = string(v)
	default:
		vm.Errorf(l, "bad argument #3 to 'set_current_peer' (string expected, got %s)", vm.TypeName(v))
	}
	return text, port, host
}

// setCurrentPeer is set_current_peer(address, port?, host?).
func setCurrentPeer(b *Balancing, l *lua.LState) int {
	text, port, host := peerArgs(l)
	a, err := ctxOf(l).address(text, uint16(port))
	if err != "" {
		return fail(l, err)
	}
	b.Peer = upstream.Custom(a)
	b.E.Host = strings.ToLower(host)
	return ret(l, lua.LTrue)
}

// Defaults of enable_keepalive.
const (
	keepaliveIdle     = 60 * time.Second
	keepaliveRequests = 100
)

// keepaliveArgs are the arguments of enable_keepalive.
func keepaliveArgs(l *lua.LState) (idle time.Duration, requests int64) {
	idle, requests = keepaliveIdle, keepaliveRequests
	if n, ok := keepaliveArg(l, 1); ok {
		idle = inSeconds(n)
	}
	if n, ok := keepaliveArg(l, 2); ok {
		requests = int64(n)
	}
	return idle, requests
}

// enableKeepalive is enable_keepalive(idle_timeout?, max_requests?).
func enableKeepalive(b *Balancing, l *lua.LState) int {
	idle, requests := keepaliveArgs(l)
	if b.Peer == nil {
		return fail(l, "no current peer set")
	}
	b.E.Reuse = upstream.Reuse{Pool: b.Pool, Timeout: idle, Requests: requests}
	return ret(l, lua.LTrue)
}

// keepaliveArg is argument n of enable_keepalive, if it is there.
func keepaliveArg(l *lua.LState, n int) (float64, bool) {
	v := l.Get(n)
	if !lua.LVAsBool(v) {
		return 0, false
	}
	f, ok := v.(lua.LNumber)
	if !ok {
		vm.Errorf(l, "bad argument #%d to 'enable_keepalive' (number expected, got %s)", n, vm.TypeName(v))
	}
	if f < 0 {
		vm.Errorf(l, "bad argument #%d to 'enable_keepalive' (expected >= 0)", n)
	}
	return float64(f), true
}

// setMoreTries is set_more_tries(count): as many as PREFIX_next_upstream_tries leaves.
func setMoreTries(b *Balancing, l *lua.LState) int {
	count := vm.CheckInt(l, 1)
	limit, total := int(b.E.Conf.NextTries.V), b.Tries+b.E.Tries-1
	l.Push(lua.LTrue)
	if limit == 0 || total+count <= limit {
		b.MoreTries = count
		return 1
	}
	b.MoreTries = limit - total
	l.Push(lua.LString("reduced tries due to limit"))
	return 2
}

// lastFailure is get_last_failure().
func lastFailure(b *Balancing, l *lua.LState) int {
	name := lua.LString("failed")
	switch b.Last {
	case upstream.PeerDone:
		return ret(l, lua.LNil)
	case upstream.PeerNext:
		name = "next"
	}
	l.Push(name)
	l.Push(vm.Number(b.E.LastStatus()))
	return 2
}

// timeoutArgs are the arguments of set_timeouts, 0 for those that are not there.
func timeoutArgs(l *lua.LState) (t [3]time.Duration) {
	for i, name := range []string{"connect", "send", "read"} {
		v := l.Get(i + 1)
		if !lua.LVAsBool(v) {
			continue
		}
		n, ok := v.(lua.LNumber)
		if !ok || n <= 0 {
			vm.Errorf(l, "bad %s timeout", name)
		}
		t[i] = inSeconds(float64(n))
	}
	return t
}

// setTimeouts is set_timeouts(connect?, send?, read?), in seconds.
func setTimeouts(b *Balancing, l *lua.LState) int {
	t := timeoutArgs(l)
	for i, field := range []*time.Duration{&b.E.ConnectTimeout, &b.E.SendTimeout, &b.E.ReadTimeout} {
		if t[i] > 0 {
			*field = t[i]
		}
	}
	return ret(l, lua.LTrue)
}

// localArg is the argument of bind_to_local_addr.
func localArg(l *lua.LState) string {
	s, ok := l.Get(1).(lua.LString)
	if !ok {
		vm.Errorf(l, "bad argument #1 to 'bind_to_local_addr' (string expected, got %s)", vm.TypeName(l.Get(1)))
	}
	return string(s)
}

// bindToLocalAddr is bind_to_local_addr(address).
func bindToLocalAddr(b *Balancing, l *lua.LState) int {
	s := localArg(l)
	addr, ok := upstream.ParseLocal(s)
	if !ok {
		return fail(l, "invalid addr "+s)
	}
	b.E.Local = addr
	return ret(l, lua.LTrue)
}

// RunBalancer executes balancer_by_lua*. It returns the status given to ngx.exit, OK for none.
func (c *Ctx) RunBalancer(b *Balancing, proto *lua.FunctionProto) (http.Verdict, *vm.Error) {
	c.Balancing, c.filterCode = b, 0
	err := c.RunShort(Balancer, proto, 0, nil)
	c.Balancing = nil
	return http.Verdict(c.filterCode), err
}
