// Package access lets clients in, or not, by their address: nginx's
// ngx_http_access_module.
package access

import (
	"net/netip"

	"moongate/conf"
	"moongate/core/cidr"
	"moongate/http"
)

// locConf has the rules of a location, of which the first that fits counts.
type locConf struct{ rules []rule }

// rule is "allow" or "deny": of everybody, of clients on unix domain sockets,
// or of a network.
type rule struct {
	deny      bool
	all, unix bool
	network   netip.Prefix
}

var slot = &conf.Slot[locConf]{
	Level: conf.LevelLocation,
	Merge: func(_ *conf.Conf, outer, c *locConf) error {
		if c.rules == nil {
			c.rules = outer.rules
		}
		return nil
	},
}

const in = conf.HTTPAny | conf.HTTPLimitExcept

// Module is the access module.
var Module = &http.Module{
	Module: conf.Module{
		Name:  "http_access",
		Slots: []conf.AnySlot{slot},
		Directives: []conf.Directive{
			slot.Custom("allow", in, conf.Take1, ruleDirective),
			slot.Custom("deny", in, conf.Take1, ruleDirective),
		},
	},
	Init: func(_ *conf.Conf, m *http.MainConf) error {
		m.Handle(http.PhaseAccess, slot.Where(func(c *locConf) bool { return c.rules != nil }), handler)
		return nil
	},
}

// ruleDirective is "allow | deny all | unix: | network".
func ruleDirective(cf *conf.Conf, c *locConf) error {
	arg := cf.Args[0]
	r := rule{deny: cf.Name == "deny", all: arg == "all", unix: arg == "unix:"}
	if !r.all && !r.unix {
		var exact, ok bool
		if r.network, exact, ok = cidr.Parse(arg); !ok {
			return cf.Errorf(`invalid parameter "%s"`, arg)
		}
		if !exact {
			cf.Warnf("low address bits of %s are meaningless", arg)
		}
	}
	c.rules = append(c.rules, r)
	return nil
}

func handler(r *http.Request) http.Verdict {
	rules := slot.Of(r.Scope).rules
	addr := r.Conn.Peer.Addr.Unmap()
	for i := range rules {
		switch rule := &rules[i]; {
		case !rule.fits(addr):
		case !rule.deny:
			return http.OK
		default:
			if r.Core.Satisfy.V == http.SatisfyAll {
				r.Error("access forbidden by rule")
			}
			return http.StatusForbidden
		}
	}
	return http.Declined
}

// fits reports whether a rule is about an address; the zero Addr is a unix
// domain socket.
func (c *rule) fits(addr netip.Addr) bool {
	return c.all || !addr.IsValid() && c.unix || c.network.Contains(addr)
}
