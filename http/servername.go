package http

import (
	"strings"

	"moongate/conf"
	"moongate/core/log"
	"moongate/core/names"
	"moongate/core/regex"
)

// ServerName is one argument of "server_name".
type ServerName struct {
	// Name is in lower case, or a regular expression without its "~".
	Name string
	// Regex is nil for names that are not regular expressions.
	Regex *Regex
}

// serverNameDirective is "server_name name …".
func serverNameDirective(cf *conf.Conf, s *ServerConf) error {
	for _, arg := range cf.Args {
		if arg != "" && (arg[0] == '*' && (len(arg) < 3 || arg[1] != '.') || arg == ".") {
			return cf.Errorf(`server name "%s" is invalid`, arg)
		}
		if strings.Contains(arg, "/") {
			cf.Warnf(`server name "%s" has suspicious symbols`, arg)
		}
		pattern, isRegex := strings.CutPrefix(arg, "~")
		if !isRegex {
			if strings.EqualFold(arg, "$hostname") {
				arg = Hostname()
			}
			s.Names = append(s.Names, ServerName{Name: strings.ToLower(arg)})
			continue
		}
		if pattern == "" {
			return cf.Errorf(`empty regex in server name "%s"`, arg)
		}
		var options regex.Options
		if strings.ContainsFunc(pattern, func(c rune) bool { return c >= 'A' && c <= 'Z' }) {
			options = regex.Caseless
		}
		re, err := MainOf(cf).CompileRegex(cf, pattern, options)
		if err != nil {
			return err
		}
		s.Names = append(s.Names, ServerName{pattern, re})
	}
	return nil
}

// completeNames gives a server without names the empty one, and derives the
// name for $server_name and redirects.
func (s *ServerConf) completeNames() {
	if len(s.Names) == 0 {
		s.Names = []ServerName{{}}
	}
	first := s.Names[0]
	if first.Regex != nil {
		s.Name = "~" + first.Name
		return
	}
	s.Name = strings.TrimPrefix(first.Name, ".")
}

// captures reports whether a name of the server sets variables or captures.
func (s *ServerConf) captures() bool {
	for _, n := range s.Names {
		if n.Regex != nil && n.Regex.groups() > 0 {
			return true
		}
	}
	return false
}

// virtualNames finds the server for a host name: nginx's
// ngx_http_virtual_names_t.
type virtualNames struct {
	static  names.Table[*ServerConf]
	regexes []regexName
}

type regexName struct {
	re     *Regex
	server *ServerConf
}

// buildNames makes the table of an address; one server alone needs none,
// unless its names capture something.
func (a *Address) buildNames(cf *conf.Conf) error {
	if len(a.Servers) == 1 && !a.Default.captures() {
		return nil
	}
	v := &virtualNames{}
	for _, s := range a.Servers {
		for _, n := range s.Names {
			if n.Regex != nil {
				v.regexes = append(v.regexes, regexName{n.Regex, s})
				continue
			}
			switch v.static.Add(n.Name, s) {
			case names.ErrInvalid:
				return &conf.Error{Msg: `invalid server name or wildcard "` + n.Name + `" on ` + a.text}
			case names.ErrConflict:
				cf.Cycle.Log(conf.LogWarn, `conflicting server name "`+n.Name+`" on `+a.text+`, ignored`)
			}
		}
	}
	a.names = v
	return nil
}

// Find returns the server for a host: that of Lookup, or the default one.
func (a *Address) Find(host string) (*ServerConf, *Regex, error) {
	s, re, err := a.Lookup(host)
	if s == nil && err == nil {
		s = a.Default
	}
	return s, re, err
}

// Lookup returns the server that has a host among its names, nil if none has.
// The host is in lower case and without a port. When a regular expression
// decided, it is returned too: its captures are not set for any request yet
// (see Regex.Exec). The error is that of a regular expression that failed, and
// is complete for the log.
func (a *Address) Lookup(host string) (*ServerConf, *Regex, error) {
	v := a.names
	if v == nil {
		return nil, nil, nil
	}
	if s, ok := v.static.Find(host); ok {
		return s, nil, nil
	}
	if host == "" {
		return nil, nil, nil
	}
	for i := range v.regexes {
		n := &v.regexes[i]
		ok, err := n.re.Match(host)
		if err != nil {
			return nil, nil, err
		}
		if ok {
			return n.server, n.re, nil
		}
	}
	return nil, nil, nil
}

// FindServer chooses the server of the request by its host name and sets the
// captures of the regular expression that decided, if one did: nginx's
// ngx_http_find_virtual_server. It reports false, having logged it, when a
// regular expression failed.
func (r *Request) FindServer(host string) bool {
	a := r.Conn.Addr
	s, re, err := a.Find(host)
	if err == nil && re != nil {
		_, err = re.Exec(r, host)
	}
	if err != nil {
		r.Logf(log.Alert, nil, "%s", err)
		return false
	}
	r.enterServer(s)
	return true
}

// EnterDefaultServer puts the configuration into effect that holds until the
// host is known.
func (r *Request) EnterDefaultServer() { r.enterServer(r.Conn.Server) }

func (r *Request) enterServer(s *ServerConf) {
	r.SetScope(s.scope)
	r.updateLog()
}
