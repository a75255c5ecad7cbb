package upstream

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"moongate/conf"
	"moongate/core/process"
	"moongate/http"
)

// maxRoute is the length of the longest route of a server.
const maxRoute = 32

func portText(n uint16) string { return strconv.Itoa(int(n)) }

// Addr is an address of a server in the forms that are needed.
type Addr struct {
	// Key tells addresses apart.
	Key process.Addr
	// Text is the address as messages and $upstream_addr show it.
	Text string
	// Sock is what the system wants.
	Sock unix.Sockaddr
}

func newAddr(a process.Addr) Addr { return Addr{Key: a, Text: a.String(), Sock: a.Sockaddr()} }

func addrs(list []process.Addr) []Addr {
	out := make([]Addr, len(list))
	for i, a := range list {
		out[i] = newAddr(a)
	}
	return out
}

// serverDirective is "server address [parameters]" in an upstream block.
func serverDirective(cf *conf.Conf, b *block) error {
	u := b.Upstream
	if b.state {
		return cf.Errorf(`"state" and "server" directives are mutually exclusive`)
	}
	s := Server{Weight: 1, MaxFails: 1, FailTimeout: 10}
	for _, arg := range cf.Args[1:] {
		if err := s.parameter(cf, u, arg); err != nil {
			return err
		}
	}
	name := cf.Args[0]
	if s.Service != "" && !s.Resolve {
		return cf.Errorf(`service upstream "%s" requires "resolve" parameter`, name)
	}
	url, err := http.ParseURL(cf, name, http.URLOptions{DefaultPort: 80, NoResolve: s.Resolve})
	if err != nil {
		return cf.Errorf(`%s in upstream "%s"`, err, name)
	}
	s.Name = name
	switch {
	case s.Service != "" && !url.NoPort:
		return cf.Errorf(`service upstream "%s" may not have port`, name)
	case s.Service != "" && len(url.Addrs) > 0:
		return cf.Errorf(`service upstream "%s" requires domain name`, name)
	}
	s.Addrs = addrs(url.Addrs)
	if s.Resolve = s.Resolve && len(url.Addrs) == 0; s.Resolve {
		s.Host, s.Port = url.Host, url.Port
	}
	u.Servers = append(u.Servers, s)
	return nil
}

// parameter reads one parameter of "server".
func (s *Server) parameter(cf *conf.Conf, u *Upstream, arg string) error {
	name, value, _ := strings.Cut(arg, "=")
	var feature Feature
	ok := true
	switch {
	case strings.HasPrefix(arg, "weight="):
		feature = FeatureWeight
		s.Weight, ok = conf.ParseInt(value)
		ok = ok && s.Weight > 0
	case strings.HasPrefix(arg, "max_conns="):
		feature = FeatureMaxConns
		s.MaxConns, ok = conf.ParseInt(value)
	case strings.HasPrefix(arg, "max_fails="):
		feature = FeatureMaxFails
		s.MaxFails, ok = conf.ParseInt(value)
	case strings.HasPrefix(arg, "fail_timeout="):
		feature = FeatureFailTimeout
		d, valid := conf.ParseSec(value)
		s.FailTimeout, ok = int64(d/second), valid
	case arg == "backup":
		feature, s.Backup = FeatureBackup, true
	case arg == "down":
		feature, s.Down = FeatureDown, true
	case arg == "drain":
		feature, s.Down, s.Drain = FeatureDown, true, true
	case strings.HasPrefix(arg, "slow_start="):
		feature = FeatureSlowStart
		s.SlowStart, ok = conf.ParseMsec(value)
	case strings.HasPrefix(arg, "route="):
		s.Route = value
		switch {
		case value == "":
			return cf.Errorf("route is empty")
		case len(value) > maxRoute:
			return cf.Errorf("route is longer than %d", maxRoute)
		}
	case arg == "resolve":
		s.Resolve = true
	case name == "service" && strings.HasPrefix(arg, "service="):
		if s.Service = value; value == "" {
			return cf.Errorf("service is empty")
		}
	default:
		ok = false
	}
	switch {
	case feature != 0 && u.Features&feature == 0:
		return cf.Errorf(`balancing method does not support parameter "%s"`, arg)
	case !ok:
		return cf.Errorf(`invalid parameter "%s"`, arg)
	}
	return nil
}
