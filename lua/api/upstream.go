package api

import (
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"moongate/http/upstream"
	"moongate/lua/vm"
)

// upstreamFuncs is the module ngx.upstream (lua-upstream-nginx-module).
var upstreamFuncs = []Func{
	{"get_upstreams", anywhere, getUpstreams},
	{"get_servers", anywhere, getServers},
	{"get_primary_peers", anywhere, func(c *Ctx, l *lua.LState) int { return c.listPeers(l, false) }},
	{"get_backup_peers", anywhere, func(c *Ctx, l *lua.LState) int { return c.listPeers(l, true) }},
	{"set_peer_down", anywhere, setPeerDown},
	{"current_upstream_name", anywhere, currentUpstream},
}

// upstreams are all groups of servers of the configuration.
func (c *Ctx) upstreams() []*upstream.Upstream { return upstream.MainIn(c.HTTP.Scope()).Upstreams }

// upstream finds the group that argument 1 names, as "name" or "name:port".
func (c *Ctx) upstream(l *lua.LState) *upstream.Upstream {
	name, list := vm.CheckString(l, 1), c.upstreams()
	for _, u := range list {
		if u.Host == name {
			return u
		}
	}
	host, text, _ := strings.Cut(name, ":")
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 {
		return nil
	}
	for _, u := range list {
		if uint64(u.Port) == port && u.Host == host {
			return u
		}
	}
	return nil
}

// exactly raises an error if there are not n arguments.
func exactly(l *lua.LState, n int, text string) {
	if l.GetTop() != n {
		vm.Errorf(l, "%s", text)
	}
}

const oneArgument, noUpstream = "exactly one argument expected", "upstream not found"

// getUpstreams is get_upstreams(): the names of all groups, those of proxy_pass and the like included.
func getUpstreams(c *Ctx, l *lua.LState) int {
	exactly(l, 0, "no argument expected")
	t := vm.NewTable(0, 4)
	for _, u := range c.upstreams() {
		t.Append(lua.LString(u.Name()))
	}
	return ret(l, t)
}

// getServers is get_servers(name): the "server" directives of a group.
func getServers(c *Ctx, l *lua.LState) int {
	exactly(l, 1, oneArgument)
	u := c.upstream(l)
	if u == nil {
		return fail(l, noUpstream)
	}
	list := vm.NewTable(len(u.Servers), 0)
	for i := range u.Servers {
		list.Append(serverTable(l, &u.Servers[i]))
	}
	return ret(l, list)
}

func serverTable(l *lua.LState, s *upstream.Server) *lua.LTable {
	t := vm.NewTable(0, 7)
	if s.Name != "" {
		t.RawSetString("name", lua.LString(s.Name))
	}
	if len(s.Addrs) == 1 {
		t.RawSetString("addr", lua.LString(s.Addrs[0].Text))
	} else {
		addrs := vm.NewTable(len(s.Addrs), 0)
		for i := range s.Addrs {
			addrs.Append(lua.LString(s.Addrs[i].Text))
		}
		t.RawSetString("addr", addrs)
	}
	setNumber(t, "weight", s.Weight)
	setNumber(t, "max_fails", s.MaxFails)
	setNumber(t, "fail_timeout", s.FailTimeout)
	setTrue(t, "backup", s.Backup)
	setTrue(t, "down", s.Down)
	return t
}

func setNumber(t *lua.LTable, name string, n int64) { t.RawSetString(name, lua.LNumber(n)) }

// setTrue sets a field that is true or not there.
func setTrue(t *lua.LTable, name string, on bool) {
	if on {
		t.RawSetString(name, lua.LTrue)
	}
}

// listPeers is get_primary_peers(name) and get_backup_peers(name): the addresses of the servers, with their states.
func (c *Ctx) listPeers(l *lua.LState, backup bool) int {
	exactly(l, 1, oneArgument)
	u := c.upstream(l)
	if u == nil {
		return fail(l, noUpstream)
	}
	list := vm.NewTable(4, 0)
	u.WithPeers(func(p *upstream.Peers) {
		if backup {
			p = p.Backup
		}
		if p == nil {
			return
		}
		for i, peer := range p.List {
			list.Append(peerTable(l, i, peer))
		}
	})
	return ret(l, list)
}

func peerTable(l *lua.LState, id int, p *upstream.Peer) *lua.LTable {
	t := vm.NewTable(0, 12)
	t.RawSetString("name", lua.LString(p.Text))
	setNumber(t, "id", int64(id))
	setNumber(t, "weight", p.Weight)
	setNumber(t, "current_weight", p.CurrentWeight)
	setNumber(t, "effective_weight", p.EffectiveWeight)
	setNumber(t, "conns", p.Conns)
	setNumber(t, "fails", p.Fails)
	setNumber(t, "max_fails", p.MaxFails)
	setNumber(t, "fail_timeout", p.FailTimeout)
	if p.Accessed != 0 {
		setNumber(t, "accessed", p.Accessed)
	}
	if p.Checked != 0 {
		setNumber(t, "checked", p.Checked)
	}
	setTrue(t, "down", p.Down)
	return t
}

// setPeerDown is set_peer_down(name, backup, id, down). Without a zone it is for this worker alone.
func setPeerDown(c *Ctx, l *lua.LState) int {
	exactly(l, 4, "exactly 4 arguments expected")
	u := c.upstream(l)
	if u == nil {
		return fail(l, noUpstream)
	}
	id, down, why := vm.CheckInt(l, 3), lua.LVAsBool(l.Get(4)), ""
	u.WithPeers(func(p *upstream.Peers) {
		if lua.LVAsBool(l.Get(2)) {
			if p = p.Backup; p == nil {
				why = "no backup peers"
				return
			}
		}
		if id < 0 || id >= len(p.List) {
			why = "bad peer id"
			return
		}
		peer := p.List[id]
		if peer.Down = down; !down {
			peer.Fails = 0
		}
	})
	if why != "" {
		return fail(l, why)
	}
	return ret(l, lua.LTrue)
}

// currentUpstream is current_upstream_name(): nil where nothing is proxied.
func currentUpstream(c *Ctx, l *lua.LState) int {
	switch {
	case c.Phase == Init:
		vm.Errorf(l, "no request object found")
	case c.R == nil || c.R.Upstream == nil:
		return ret(l, lua.LNil)
	}
	e := upstream.OfRequest(c.R)
	if e == nil || e.Upstream == nil {
		vm.Errorf(l, "no srv conf for upstream")
	}
	return retString(l, e.Upstream.Name())
}
