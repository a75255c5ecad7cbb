package log

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"moongate/core/cidr"
)

const (
	syslogPort      = 514
	syslogTagMax    = 32
	syslogFacility  = 23 // local7
	syslogSeverity  = 6  // info
	syslogTag       = "nginx"
	maxHostname     = 256
	maxSyslog       = MaxLine + len("<255>Jan 01 00:00:00 ") + maxHostname + syslogTagMax + len(": ")
	maxUnixPath     = 108
	resolveDeadline = 30 * time.Second
)

var syslogFacilities = []string{
	"kern", "user", "mail", "daemon", "auth", "intern", "lpr", "news", "uucp",
	"clock", "authpriv", "ftp", "ntp", "audit", "alert", "cron", "local0",
	"local1", "local2", "local3", "local4", "local5", "local6", "local7",
}

// Syslog is a syslog server that error and access logs are sent to, as
// datagrams in the format of RFC 3164 (ngx_syslog.c). It connects with the
// first message and again after a failure.
type Syslog struct {
	// Server is the address in text, "127.0.0.1:514", for messages.
	Server string

	// Report gives the logger that failures go to, at the time they happen;
	// nil drops them.
	Report func() *Logger

	env        *Env
	addr       unix.Sockaddr
	family     int
	facility   int
	severity   int
	tag        string
	tagged     bool
	nohostname bool

	// mu guards what follows. It is only tried, never waited for: a failure
	// is itself logged and may come back here (peer->busy).
	mu  sync.Mutex
	fd  int
	buf [maxSyslog]byte
}

// ParseSyslog reads "syslog:server=address[,facility=…][,severity=…][,tag=…]
// [,nohostname]". The address is host[:port] with the port 514 by default, or
// unix:path; a host name is resolved here and now. Errors are in nginx's
// words, without the position.
func ParseSyslog(value string, env *Env) (*Syslog, error) {
	s := &Syslog{env: env, facility: -1, severity: -1, fd: noFD}
	params := strings.TrimPrefix(value, "syslog:")
	for param := range strings.SplitSeq(params, ",") {
		if err := s.parseParam(param); err != nil {
			return nil, err
		}
	}
	if s.addr == nil {
		return nil, errors.New("no syslog server specified")
	}
	if s.facility < 0 {
		s.facility = syslogFacility
	}
	if s.severity < 0 {
		s.severity = syslogSeverity
	}
	if !s.tagged {
		s.tag = syslogTag
	}
	return s, nil
}

func (s *Syslog) parseParam(param string) error {
	name, value, _ := strings.Cut(param, "=")
	switch {
	case strings.HasPrefix(param, "server="):
		if s.addr != nil {
			return errors.New("duplicate syslog \"server\"")
		}
		return s.parseServer(value)

	case strings.HasPrefix(param, "facility="):
		return parseSyslogName(&s.facility, name, value, syslogFacilities)

	case strings.HasPrefix(param, "severity="):
		return parseSyslogName(&s.severity, name, value, levelNames[Emerg:])

	case strings.HasPrefix(param, "tag="):
		if s.tagged {
			return errors.New("duplicate syslog \"tag\"")
		}
		return s.parseTag(value)

	case param == "nohostname":
		s.nohostname = true
		return nil
	}
	return fmt.Errorf("unknown syslog parameter \"%s\"", param)
}

func parseSyslogName(to *int, name, value string, known []string) error {
	if *to >= 0 {
		return fmt.Errorf("duplicate syslog \"%s\"", name)
	}
	*to = slices.Index(known, value)
	if *to < 0 {
		return fmt.Errorf("unknown syslog %s \"%s\"", name, value)
	}
	return nil
}

func (s *Syslog) parseTag(tag string) error {
	if len(tag) > syslogTagMax {
		return errors.New("syslog tag length exceeds 32")
	}
	for _, c := range []byte(tag) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && c != '_' && (c < '0' || c > '9') {
			return errors.New("syslog \"tag\" only allows alphanumeric characters and underscore")
		}
	}
	s.tag, s.tagged = tag, true
	return nil
}

func (s *Syslog) parseServer(text string) error {
	var err error
	if len(text) >= 5 && strings.EqualFold(text[:5], "unix:") {
		s.family = unix.AF_UNIX
		s.Server = text
		s.addr, err = parseUnixAddr(text[5:])
	} else {
		var addr netip.AddrPort
		addr, err = parseInetAddr(text)
		s.Server = addr.String()
		s.family, s.addr = sockaddr(addr)
	}
	if err != nil {
		return fmt.Errorf("%w in syslog server \"%s\"", err, text)
	}
	return nil
}

func parseUnixAddr(path string) (unix.Sockaddr, error) {
	switch {
	case path == "":
		return nil, errors.New("no path in the unix domain socket")
	case len(path) >= maxUnixPath:
		return nil, errors.New("too long path in the unix domain socket")
	}
	return &unix.SockaddrUnix{Name: path}, nil
}

// parseInetAddr reads host[:port] or [IPv6][:port], and resolves a name.
func parseInetAddr(text string) (netip.AddrPort, error) {
	host, port, v6, err := splitHostPort(text)
	if err != nil {
		return netip.AddrPort{}, err
	}
	addr, err := netip.ParseAddr(host)
	switch {
	case v6 && (err != nil || !addr.Is6() || addr.Zone() != ""):
		return netip.AddrPort{}, errors.New("invalid IPv6 address")
	case !v6 && (err != nil || !addr.Is4()):
		if addr, err = resolve(host); err != nil {
			return netip.AddrPort{}, err
		}
	}
	return netip.AddrPortFrom(addr, port), nil
}

func sockaddr(addr netip.AddrPort) (family int, sa unix.Sockaddr) {
	if addr.Addr().Is4() {
		return unix.AF_INET, &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}
	}
	return unix.AF_INET6, &unix.SockaddrInet6{Port: int(addr.Port()), Addr: addr.Addr().As16()}
}

func splitHostPort(text string) (host string, port uint16, v6 bool, err error) {
	errHost := errors.New("invalid host")
	if rest, ok := strings.CutPrefix(text, "["); ok {
		v6 = true
		if host, text, ok = strings.Cut(rest, "]"); !ok || text != "" && text[0] != ':' {
			return "", 0, true, errHost
		}
	} else {
		if strings.ContainsAny(text, "/?") {
			return "", 0, false, errHost
		}
		at := strings.IndexByte(text, ':')
		if at < 0 {
			at = len(text)
		}
		host, text = text[:at], text[at:]
	}
	port = syslogPort
	if text != "" {
		n, err := strconv.ParseUint(text[1:], 10, 16)
		if err != nil || n == 0 {
			return "", 0, v6, errors.New("invalid port")
		}
		port = uint16(n)
	}
	if host == "" {
		return "", 0, v6, errors.New("no host")
	}
	return host, port, v6, nil
}

func resolve(host string) (netip.Addr, error) {
	if ip, ok := cidr.ParseNumeric(host); ok {
		return ip, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), resolveDeadline)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil || len(addrs) == 0 {
		return netip.Addr{}, errors.New("host not found")
	}
	// The IPv4 addresses come first, as nginx takes the first of them.
	for _, addr := range addrs {
		if addr.Unmap().Is4() {
			return addr.Unmap(), nil
		}
	}
	return addrs[0], nil
}

// Send sends one message, without line feed, with the configured severity:
// an access log entry. Errors are reported and otherwise ignored, as a
// message that does not fit in the socket buffer is.
func (s *Syslog) Send(msg []byte) { s.send(s.severity, msg) }

// logLine sends a line of the error log with the severity of its level.
func (s *Syslog) logLine(level Level, line []byte) { s.send(int(max(level, Emerg))-1, line) }

func (s *Syslog) send(severity int, msg []byte) {
	if !s.mu.TryLock() {
		return
	}
	defer s.mu.Unlock()
	if s.fd == noFD && !s.connect() {
		return
	}
	b := s.appendHeader(s.buf[:0], severity)
	b = append(b, msg[:min(len(msg), maxSyslog-len(b))]...)
	err := unix.Send(s.fd, b, 0)
	if err == nil || err == unix.EAGAIN || err == unix.EINTR {
		return
	}
	s.report(ConnectionLevel(err), err, "send() failed")
	s.disconnect()
}

// appendHeader appends "<190>Nov 23 09:50:29 hostname nginx: ".
func (s *Syslog) appendHeader(b []byte, severity int) []byte {
	b = append(b, '<')
	b = strconv.AppendInt(b, int64(s.facility*8+severity), 10)
	b = append(b, '>')
	b = append(b, s.env.Clock.Times().Syslog...)
	b = append(b, ' ')
	if !s.nohostname {
		b = append(b, s.env.Hostname[:min(len(s.env.Hostname), maxHostname-1)]...)
		b = append(b, ' ')
	}
	b = append(b, s.tag...)
	return append(b, ": "...)
}

func (s *Syslog) connect() bool {
	fd, err := unix.Socket(s.family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		s.report(Alert, err, "socket() failed")
		return false
	}
	s.fd = fd
	if err := unix.Connect(fd, s.addr); err != nil {
		s.report(Alert, err, "connect() failed")
		s.disconnect()
		return false
	}
	return true
}

func (s *Syslog) disconnect() {
	if s.fd == noFD {
		return
	}
	if err := unix.Close(s.fd); err != nil {
		s.report(Alert, err, "close() socket failed")
	}
	s.fd = noFD
}

// Close closes the socket; a later message opens it again.
func (s *Syslog) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.disconnect()
}

// AppendLog implements Context for the reports of failures.
func (s *Syslog) AppendLog(b []byte) []byte {
	b = append(b, " while logging to syslog, server: "...)
	return append(b, s.Server...)
}

// ConnectionLevel is the level of a failed system call on a connection
// (ngx_connection_error): the network's failures are errors, ours are alerts.
func ConnectionLevel(err error) Level {
	var errno unix.Errno
	if !errors.As(err, &errno) {
		return Error
	}
	switch errno {
	case unix.ECONNRESET, unix.EPIPE, unix.ENOTCONN, unix.ETIMEDOUT, unix.ECONNREFUSED,
		unix.ENETDOWN, unix.ENETUNREACH, unix.EHOSTDOWN, unix.EHOSTUNREACH:
		return Error
	}
	return Alert
}

func (s *Syslog) report(level Level, err error, what string) {
	if s.Report == nil {
		return
	}
	if l := s.Report(); l != nil {
		l.With(s, 0).Log(level, err, what)
	}
}
