package proxy

import (
	"strings"

	"moongate/conf"
	"moongate/http"
	"moongate/http/upstream"
)

// vars are the parts of an address: nginx's ngx_http_proxy_vars_t.
type vars struct {
	// schema is "http://" or "https://" as written.
	schema string
	// key is the schema and what identifies the server, for cache keys.
	key string
	// host is the value of Host, port the port as $proxy_port shows it.
	host, port string
	uri        string
}

const (
	schemaHTTP  = "http://"
	schemaHTTPS = "https://"
)

// cutSchema splits an address; port is the schema's.
func cutSchema(s string) (schema, rest string, port uint16) {
	switch {
	case hasPrefixFold(s, schemaHTTP):
		return s[:len(schemaHTTP)], s[len(schemaHTTP):], 80
	case hasPrefixFold(s, schemaHTTPS):
		return s[:len(schemaHTTPS)], s[len(schemaHTTPS):], 443
	}
	return "", s, 0
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// newVars takes an address apart; defaultPort is the schema's.
func newVars(schema string, u *http.URL, defaultPort uint16) vars {
	v := vars{schema: schema, uri: u.URI}
	switch {
	case u.Unix:
		v.host = "localhost"
		v.key = schema + "unix:" + u.Host + ":"
		return v
	case !u.NoPort && u.Port != defaultPort:
		v.host, v.port = u.Host+":"+u.PortText, u.PortText
	default:
		v.host, v.port = u.Host, "80"
		if defaultPort != 80 {
			v.port = "443"
		}
	}
	v.key = schema + v.host
	return v
}

// passDirective is "proxy_pass URL".
func passDirective(cf *conf.Conf, c *locConf) error {
	if c.Upstream != nil || c.pass != nil {
		return conf.ErrDuplicate
	}
	l := http.LocOf(cf)
	l.Handler = c.handle
	l.AutoRedirect = l.AutoRedirect || strings.HasSuffix(l.Name, "/")
	arg := cf.Args[0]
	if strings.Contains(arg, "$") {
		v, err := http.CompileArg(cf, arg)
		c.pass = v
		c.SSL.UseTLS()
		return err
	}
	schema, rest, port := cutSchema(arg)
	if schema == "" {
		return cf.Errorf("invalid URL prefix")
	}
	if port == 443 {
		c.SSL.UseTLS()
	}
	up, u, err := upstream.Add(cf, rest, http.URLOptions{DefaultPort: port, URIPart: true})
	if err != nil {
		return err
	}
	c.Upstream, c.vars, c.url = up, newVars(schema, u, port), arg
	c.location = l.Name
	if l.Named || l.Regex != nil || l.NoName {
		if c.vars.uri != "" {
			return cf.Errorf(`"proxy_pass" cannot have URI part in location given by regular expression, ` +
				`or inside named location, or inside "if" statement, or inside "limit_except" block`)
		}
		c.location = ""
	}
	return nil
}

// eval computes an address with variables; false after saying in the log what
// is wrong with it.
func (x *exchange) eval(c *locConf) bool {
	r := x.R
	s := c.pass.Eval(r)
	schema, rest, port := cutSchema(s)
	if schema == "" || rest == "" {
		r.Error(`invalid URL prefix in "%s"`, s)
		return false
	}
	u, err := http.ParseURL(nil, rest, http.URLOptions{DefaultPort: port, URIPart: true, NoResolve: true})
	if err != nil {
		r.Error(`%s in upstream "%s"`, err, rest)
		return false
	}
	if strings.HasPrefix(u.URI, "?") {
		u.URI = "/" + u.URI
	}
	x.Schema = schema
	x.vars = newVars(schema, u, port)
	x.Target = upstream.NewTarget(u)
	return true
}
