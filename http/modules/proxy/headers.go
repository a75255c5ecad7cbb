package proxy

import (
	"strings"

	"moongate/conf"
	"moongate/http"
	"moongate/http/upstream"
)

// headerSet is what becomes of the request's header: fields that are set, and
// the names of the client's that are not passed on.
type headerSet struct {
	// host is the value of Host, nil for the server's address.
	host *http.Complex
	set  []keyval
	drop *upstream.NameSet
}

// setHeader is "proxy_set_header name value".
func setHeader(cf *conf.Conf, o *conf.Opt[[]keyval]) error {
	v, err := http.CompileArg(cf, cf.Args[1])
	if err != nil {
		return err
	}
	o.Put(append(o.V, keyval{cf.Args[0], v}))
	return nil
}

type defaultHeader struct{ name, value string }

// defaultHeaders are the fields that have values of their own unless
// proxy_set_header gives others.
var defaultHeaders = []defaultHeader{
	{"Host", ""},
	{"Connection", ""},
	{"Proxy-Connection", ""},
	{"Content-Length", "$proxy_internal_body_length"},
	{"Transfer-Encoding", "$proxy_internal_chunked"},
	{"TE", ""},
	{"Keep-Alive", ""},
	{"Expect", ""},
	{"Upgrade", ""},
}

// mergeHeaders makes the set of a block; blocks without a proxy_set_header
// share their parent's.
func (c *locConf) mergeHeaders(cf *conf.Conf, outer *locConf) error {
	shared := same(c.setHeaders.V, outer.setHeaders.V)
	if shared {
		c.headers, c.cacheHeaders = outer.headers, outer.cacheHeaders
	}
	if c.headers == nil {
		h, err := c.newHeaders(cf, defaultHeaders)
		if err != nil {
			return err
		}
		c.headers = h
	}
	if c.cacheHeaders == nil && c.Cache.On() {
		h, err := c.newHeaders(cf, cacheHeaders)
		if err != nil {
			return err
		}
		c.cacheHeaders = h
	}
	if shared {
		outer.headers, outer.cacheHeaders = c.headers, c.cacheHeaders
	}
	return nil
}

// newHeaders makes the set of a block.
func (c *locConf) newHeaders(cf *conf.Conf, defaults []defaultHeader) (*headerSet, error) {
	h := &headerSet{drop: upstream.NewNameSet()}
	for _, kv := range c.setHeaders.V {
		if strings.EqualFold(kv.name, "Host") {
			h.host = kv.value
			continue
		}
		h.set = append(h.set, kv)
		h.drop.Add(kv.name)
	}
	given := h.set
	for _, d := range defaults {
		if contains(given, d.name) {
			continue
		}
		h.drop.Add(d.name)
		if d.value == "" {
			continue
		}
		v, err := http.CompileArg(cf, d.value)
		if err != nil {
			return nil, err
		}
		h.set = append(h.set, keyval{d.name, v})
	}
	return h, nil
}

// same tells whether two blocks have the very same directives.
func same(a, b []keyval) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

func contains(list []keyval, name string) bool {
	for i := range list {
		if strings.EqualFold(list[i].name, name) {
			return true
		}
	}
	return false
}
