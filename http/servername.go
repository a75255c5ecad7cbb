package http

import (
	"strings"

	"moongate/conf"
	"moongate/core/log"
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
// ngx_http_virtual_names_t. Look-ups allocate nothing.
type virtualNames struct {
	exact map[string]*ServerConf
	// head has "example.com" for "*.example.com" and ".example.com", tail has
	// "www.example" for "www.example.*".
	head, tail map[string]*ServerConf
	// The longest keys: a host is not searched for longer ones, so that a
	// hostile one of thousands of labels costs little.
	maxHead, maxTail int
	regexes          []regexName
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
	v := &virtualNames{exact: map[string]*ServerConf{}, head: map[string]*ServerConf{}, tail: map[string]*ServerConf{}}
	for _, s := range a.Servers {
		for _, n := range s.Names {
			if n.Regex != nil {
				v.regexes = append(v.regexes, regexName{n.Regex, s})
				continue
			}
			switch v.add(n.Name, s) {
			case nameInvalid:
				return &conf.Error{Msg: `invalid server name or wildcard "` + n.Name + `" on ` + a.text}
			case nameConflict:
				cf.Cycle.Log(conf.LogWarn, `conflicting server name "`+n.Name+`" on `+a.text+`, ignored`)
			}
		}
	}
	a.names = v
	return nil
}

// nameResult is what became of a name.
type nameResult int

const (
	nameAdded nameResult = iota
	nameInvalid
	nameConflict
)

// add enters a name, as ngx_hash_add_key does.
func (v *virtualNames) add(name string, s *ServerConf) nameResult {
	if strings.Count(name, "*") > 1 || strings.Contains(name, "..") || strings.Contains(name, "\x00") {
		return nameInvalid
	}
	switch {
	case len(name) > 1 && name[0] == '.':
		// A wildcard that takes the name itself too.
		name = name[1:]
		if v.exact[name] != nil || !v.putHead(name, s) {
			return nameConflict
		}
		v.exact[name] = s
	case len(name) > 2 && name[:2] == "*.":
		if !v.putHead(name[2:], s) {
			return nameConflict
		}
	case len(name) > 2 && strings.HasSuffix(name, ".*"):
		name = name[:len(name)-2]
		if !put(v.tail, name, s) {
			return nameConflict
		}
		v.maxTail = max(v.maxTail, len(name))
	case strings.Contains(name, "*"):
		return nameInvalid
	case !put(v.exact, name, s):
		return nameConflict
	}
	return nameAdded
}

func (v *virtualNames) putHead(name string, s *ServerConf) bool {
	v.maxHead = max(v.maxHead, len(name))
	return put(v.head, name, s)
}

// put enters a key that must not be there.
func put(m map[string]*ServerConf, key string, s *ServerConf) bool {
	if _, ok := m[key]; ok {
		return false
	}
	m[key] = s
	return true
}

// static finds a name that is not a regular expression: itself, the longest
// leading wildcard or the longest trailing one.
func (v *virtualNames) static(host string) *ServerConf {
	if s := v.exact[host]; s != nil {
		return s
	}
	if len(v.head) > 0 {
		for i := max(0, len(host)-v.maxHead-1); i < len(host); i++ {
			if host[i] == '.' {
				if s := v.head[host[i+1:]]; s != nil {
					return s
				}
			}
		}
	}
	if len(v.tail) > 0 {
		for i := min(v.maxTail, len(host)-1); i > 0; i-- {
			if host[i] == '.' {
				if s := v.tail[host[:i]]; s != nil {
					return s
				}
			}
		}
	}
	return nil
}

// Find returns the server for a host, which is in lower case and without a
// port. When a regular expression decided, it is returned too: its captures
// are not set for any request yet (see Regex.Exec). The error is that of a
// regular expression that failed, and is complete for the log.
func (a *Address) Find(host string) (*ServerConf, *Regex, error) {
	v := a.names
	if v == nil {
		return a.Default, nil, nil
	}
	s := v.static(host)
	switch {
	case s != nil:
		return s, nil, nil
	case host == "":
		return a.Default, nil, nil
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
	return a.Default, nil, nil
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
	r.SetScope(s.scope)
	return true
}
