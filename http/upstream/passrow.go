package upstream

import (
	"strings"

	"moongate/conf"
	"moongate/http"
)

// SetPass is "PREFIX_pass address" for protocols whose addresses have neither
// scheme nor URI. defaultPort may be 0. handle becomes the location's handler.
func (c *Conf) SetPass(cf *conf.Conf, address string, defaultPort uint16, handle http.Handler) error {
	if c.Upstream != nil || c.pass != nil {
		return conf.ErrDuplicate
	}
	l := http.LocOf(cf)
	l.Handler = handle
	l.AutoRedirect = l.AutoRedirect || strings.HasSuffix(l.Name, "/")
	if strings.Contains(address, "$") {
		v, err := http.CompileArg(cf, address)
		c.pass = v
		return err
	}
	up, _, err := Add(cf, address, http.URLOptions{DefaultPort: defaultPort})
	c.Upstream = up
	return err
}

// InheritPass lets a block without a URI of its own pass requests to where the
// location does; it reports whether it did.
func (c *Conf) InheritPass(cf *conf.Conf, outer *Conf, handle http.Handler) bool {
	l := http.LocOf(cf)
	if !l.NoName || c.Upstream != nil || c.pass != nil {
		return false
	}
	c.Upstream, c.pass = outer.Upstream, outer.pass
	if l.Handler == nil && (c.Upstream != nil || c.pass != nil) {
		l.Handler = handle
	}
	return true
}

// EvalPass computes an address with variables, of which cut may take a scheme
// off; false after saying in the log what is wrong with it.
func (e *Exchange) EvalPass(defaultPort uint16, cut func(s string) string) bool {
	if e.Conf.pass == nil {
		return true
	}
	s := e.Conf.pass.Eval(e.R)
	if cut != nil {
		s = cut(s)
	}
	u, err := http.ParseURL(nil, s, http.URLOptions{DefaultPort: defaultPort, NoResolve: true})
	if err != nil {
		e.R.Error(`%s in upstream "%s"`, err, s)
		return false
	}
	e.Target = NewTarget(u)
	return true
}

// NewTarget makes the target of a URL known only at run time.
func NewTarget(u *http.URL) *Target {
	t := &Target{Host: u.Host, Port: u.Port, NoPort: u.NoPort}
	if len(u.Addrs) > 0 {
		t.Addr = u.Addrs[0]
	}
	return t
}
