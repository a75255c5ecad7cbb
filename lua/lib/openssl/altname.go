package openssl

import (
	"net"
	"net/url"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"moongate/lua/lib/native"
	"moongate/lua/vm"
)

// alternatives is an object of resty.openssl.x509.altname: other names of a subject, in order.
type alternatives struct{ list []alternative }

// alternative is a name of a kind: DNS, IP, email or URI.
type alternative struct{ kind, value string }

// altKinds are the kinds by what altname:add calls them, in lower case.
var altKinds = map[string]string{
	"dns": "DNS", "ip": "IP", "ipaddress": "IP", "ip address": "IP", "email": "email", "rfc822name": "email", "uri": "URI",
	"uniformresourceidentifier": "URI",
}

func (a *alternatives) count() int { return len(a.list) }

// openAltName makes resty.openssl.x509.altname.
func openAltName(_ *library, l *lua.LState, c *native.Class) {
	funcs := stack((*alternatives).count, func(_ *lua.LState, a *alternatives, i int) []lua.LValue {
		return []lua.LValue{lua.LString(a.list[i].kind), lua.LString(a.list[i].value)}
	})
	funcs["new"] = func(l *lua.LState) int { return native.Return(l, c.New(&alternatives{})) }
	funcs["add"] = func(l *lua.LState) int {
		a, name, value := native.Self[*alternatives](l), vm.CheckString(l, 2), vm.CheckString(l, 3)
		kind, ok := altKinds[strings.ToLower(name)]
		switch {
		case !ok:
			return fail(l, "x509.altname:add: unknown type %s", name)
		case kind == "IP" && net.ParseIP(value) == nil:
			return fail(l, "x509.altname:add: %s is not an IP address", value)
		}
		a.list = append(a.list, alternative{kind, value})
		return native.Return(l, l.Get(1))
	}
	funcs["tostring"] = func(l *lua.LState) int {
		a := native.Self[*alternatives](l)
		parts := make([]string, len(a.list))
		for i, e := range a.list {
			parts[i] = e.kind + "=" + e.value
		}
		return native.Return(l, lua.LString(strings.Join(parts, "/")))
	}
	define(l, c, funcs)
	addLength(l, c, (*alternatives).count)
	c.Meta(l, "__tostring", funcs["tostring"])
}

// subjects are the alternatives as certificates and requests of Go hold them.
type subjects struct {
	dns, email []string
	ip         []net.IP
	uri        []*url.URL
}

// split sorts alternatives by their kinds.
func (a *alternatives) split() (s subjects, err error) {
	for _, e := range a.list {
		switch e.kind {
		case "DNS":
			s.dns = append(s.dns, e.value)
		case "email":
			s.email = append(s.email, e.value)
		case "IP":
			s.ip = append(s.ip, net.ParseIP(e.value))
		case "URI":
			u, err := url.Parse(e.value)
			if err != nil {
				return s, err
			}
			s.uri = append(s.uri, u)
		}
	}
	return s, nil
}

// join makes alternatives of what split makes, nil if there are none.
func (s subjects) join() *alternatives {
	a := &alternatives{}
	for _, v := range s.dns {
		a.list = append(a.list, alternative{"DNS", v})
	}
	for _, v := range s.email {
		a.list = append(a.list, alternative{"email", v})
	}
	for _, v := range s.ip {
		a.list = append(a.list, alternative{"IP", v.String()})
	}
	for _, v := range s.uri {
		a.list = append(a.list, alternative{"URI", v.String()})
	}
	if len(a.list) == 0 {
		return nil
	}
	return a
}
