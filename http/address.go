package http

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"moongate/conf"
	"moongate/core/cidr"
	"moongate/core/process"
)

// URL is an address of the configuration taken apart: nginx's ngx_url_t.
type URL struct {
	// Host as given, with brackets around an IPv6 address; the path of a unix
	// domain socket.
	Host string
	// Port is the port given, or the default one if NoPort.
	Port   uint16
	NoPort bool
	// PortText is the port or range of ports as written.
	PortText string
	// URI is what follows the address, for URLs that may have one.
	URI string
	// Unix: the address is a unix domain socket.
	Unix bool
	// Addrs are the addresses that Host stands for, one for each port of a
	// range; empty when the name was not to be resolved.
	Addrs []process.Addr

	lastPort uint16
}

// URLOptions says what ParseURL accepts.
type URLOptions struct {
	// Listen: the address is to be bound: "*", a lone port and port ranges are
	// possible.
	Listen bool
	// URIPart: a path may follow ("host:port/path", "unix:/socket:/path").
	URIPart bool
	// NoResolve leaves names unresolved.
	NoResolve   bool
	DefaultPort uint16
}

// The complaints of ngx_inet.c; callers say about what.
var (
	errInvalidHost  = errors.New("invalid host")
	errInvalidPort  = errors.New("invalid port")
	errPortRange    = errors.New("invalid port range")
	errNoHost       = errors.New("no host")
	errHostNotFound = errors.New("host not found")
	errInvalidIPv6  = errors.New("invalid IPv6 address")
	errNoUnixPath   = errors.New("no path in the unix domain socket")
	errLongUnixPath = errors.New("too long path in the unix domain socket")
)

// ParseURL reads an address as ngx_parse_url does. The error is nginx's
// reason alone, such as "invalid port"; the caller names the directive. Names
// are resolved for the configuration being read, which remembers them for the
// workers; without NoResolve cf is needed.
func ParseURL(cf *conf.Conf, s string, o URLOptions) (*URL, error) {
	u := &URL{}
	switch {
	case len(s) >= 5 && strings.EqualFold(s[:5], "unix:"):
		return u, u.parseUnix(s[5:], o)
	case strings.HasPrefix(s, "["):
		return u, u.parseInet6(s, o)
	}
	err := u.parseInet(s, o)
	if err == nil && len(u.Addrs) == 0 && !o.NoResolve {
		err = u.resolve(cf)
	}
	return u, err
}

// maxUnixPath is the room for a path and its NUL in a sockaddr_un.
const maxUnixPath = int(unsafe.Sizeof(unix.RawSockaddrUnix{}.Path))

func (u *URL) parseUnix(path string, o URLOptions) error {
	if o.URIPart {
		path, u.URI, _ = strings.Cut(path, ":")
	}
	switch {
	case path == "":
		return errNoUnixPath
	case len(path)+1 > maxUnixPath:
		return errLongUnixPath
	}
	u.Host, u.Unix = path, true
	u.Addrs = []process.Addr{{Unix: path}}
	return nil
}

func (u *URL) parseInet(s string, o URLOptions) error {
	rest := s
	if i := strings.IndexAny(s, "/?"); i >= 0 {
		if o.Listen || !o.URIPart {
			return errInvalidHost
		}
		rest, u.URI = s[:i], s[i:]
	}
	host, port, hasPort := strings.Cut(rest, ":")
	switch {
	case hasPort:
		if err := u.parsePort(port, o.Listen); err != nil {
			return err
		}
	case u.URI == "" && o.Listen && lonePort(rest):
		if err := u.parsePort(rest, true); err != nil {
			return err
		}
		return u.add(netip.IPv4Unspecified())
	default:
		u.NoPort, u.Port = true, o.DefaultPort
	}
	if host == "" {
		return errNoHost
	}
	u.Host = host
	if o.Listen && host == "*" {
		return u.add(netip.IPv4Unspecified())
	}
	if ip, ok := parseIPv4(host); ok {
		return u.add(ip)
	}
	return nil
}

// lonePort tells a "listen" argument that is a port or a range of ports from a
// host name.
func lonePort(s string) bool {
	first, last, isRange := strings.Cut(s, "-")
	if _, ok := conf.ParseInt(first); !ok {
		return false
	}
	_, ok := conf.ParseInt(last)
	return ok || !isRange
}

// parsePort reads a port or, where listening, a range of them.
func (u *URL) parsePort(s string, ranges bool) error {
	u.PortText = s
	if ranges {
		if first, last, ok := strings.Cut(s, "-"); ok {
			n, ok := portNumber(last)
			if !ok {
				return errInvalidPort
			}
			s, u.lastPort = first, n
		}
	}
	n, ok := portNumber(s)
	switch {
	case !ok:
		return errInvalidPort
	case u.lastPort != 0 && n > u.lastPort:
		return errPortRange
	}
	u.Port = n
	return nil
}

func portNumber(s string) (uint16, bool) {
	n, ok := conf.ParseInt(s)
	return uint16(n), ok && n >= 1 && n <= 65535
}

func (u *URL) parseInet6(s string, o URLOptions) error {
	host, rest, ok := strings.Cut(s[1:], "]")
	if !ok {
		return errInvalidHost
	}
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		if o.Listen || !o.URIPart {
			return errInvalidHost
		}
		rest, u.URI = rest[:i], rest[i:]
	}
	switch {
	case rest == "":
		u.NoPort, u.Port = true, o.DefaultPort
	case rest[0] != ':':
		return errInvalidHost
	default:
		if err := u.parsePort(rest[1:], o.Listen); err != nil {
			return err
		}
	}
	if host == "" {
		return errNoHost
	}
	u.Host = s[:len(host)+2]
	ip, err := netip.ParseAddr(host)
	if err != nil || !ip.Is6() || ip.Zone() != "" {
		return errInvalidIPv6
	}
	return u.add(ip)
}

// parseIPv4 reads four decimal octets, which may have leading zeros.
func parseIPv4(s string) (netip.Addr, bool) {
	var ip [4]byte
	for i := range ip {
		octet, rest, dot := strings.Cut(s, ".")
		n, ok := conf.ParseInt(octet)
		if !ok || n > 255 || dot != (i < 3) {
			return netip.Addr{}, false
		}
		ip[i], s = byte(n), rest
	}
	return netip.AddrFrom4(ip), true
}

// add appends an address once for each port.
func (u *URL) add(ip netip.Addr) error {
	for port := int(u.Port); port <= int(max(u.Port, u.lastPort)); port++ {
		u.Addrs = append(u.Addrs, process.Addr{IP: netip.AddrPortFrom(ip, uint16(port))})
	}
	return nil
}

// resolveTimeout bounds the look-up of a name while the configuration is read.
const resolveTimeout = 30 * time.Second

// resolve looks the host up as getaddrinfo(AI_ADDRCONFIG) does: addresses of a
// family that the machine has no address of are left out.
func (u *URL) resolve(cf *conf.Conf) error {
	texts, err := process.Of(cf.Cycle).Recall("configured addresses of "+u.Host, func() ([]string, error) {
		return lookupHost(u.Host)
	})
	if err != nil {
		return errHostNotFound
	}
	for _, text := range texts {
		ip, err := netip.ParseAddr(text)
		if err != nil {
			return errHostNotFound
		}
		u.add(ip)
	}
	if len(u.Addrs) == 0 {
		return errHostNotFound
	}
	return nil
}

func lookupHost(host string) (texts []string, err error) {
	if ip, ok := cidr.ParseNumeric(host); ok {
		return []string{ip.String()}, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), resolveTimeout)
	defer cancel()
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	v4, v6 := hasFamilies()
	for _, ip := range ips {
		ip = ip.Unmap().WithZone("")
		if ip.Is4() && v4 || ip.Is6() && v6 {
			texts = append(texts, ip.String())
		}
	}
	return texts, err
}

// hasFamilies tells for which families the machine has an address that is not
// a loopback one; both when it has none at all.
func hasFamilies() (v4, v6 bool) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return true, true
	}
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a.String())
		if err != nil || p.Addr().IsLoopback() {
			continue
		}
		v4 = v4 || p.Addr().Is4()
		v6 = v6 || p.Addr().Is6()
	}
	if !v4 && !v6 {
		return true, true
	}
	return v4, v6
}
