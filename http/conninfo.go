package http

import (
	"encoding/base64"
	"net/netip"
	"os"
	"strings"
	"sync"

	"moongate/core/buf"
	"moongate/http/wire"
)

// Hostname is the machine's name in lower case, as $hostname prints it.
var Hostname = sync.OnceValue(func() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return strings.ToLower(name)
})

// Scheme is "https" on TLS connections and "http" on others.
func (c *Conn) Scheme() string {
	if c.TLS != nil {
		return "https"
	}
	return "http"
}

// LocalText is the address that the client connected to; the port is 0 on
// Unix-domain sockets.
func (c *Conn) LocalText() (addr string, port int) {
	a := c.LocalAddr()
	if a.Unix {
		return "unix:" + a.Path, 0
	}
	return a.Addr().String(), int(a.Port())
}

// DefaultPort is the port that URLs of the connection's scheme need not name.
func (c *Conn) DefaultPort() int {
	if c.TLS != nil {
		return 443
	}
	return 80
}

// setPeer fills in the client's address.
func (c *Conn) setPeer() {
	a := c.RemoteAddr()
	if a.Unix {
		c.Peer = PeerAddr{Text: "unix:"}
		return
	}
	c.Peer = NewPeer(a.AddrPort)
}

// NewPeer is the PeerAddr of an IP address.
func NewPeer(a netip.AddrPort) PeerAddr {
	return PeerAddr{Addr: a.Addr(), Text: a.Addr().String(), Port: a.Port()}
}

// AppendBinary appends the address as $binary_remote_addr has it: 4 or 16
// bytes, or "unix:".
func (p *PeerAddr) AppendBinary(b []byte) []byte {
	switch {
	case !p.Addr.IsValid():
		return append(b, p.Text...)
	case p.Addr.Is4():
		a := p.Addr.As4()
		return append(b, a[:]...)
	}
	a := p.Addr.As16()
	return append(b, a[:]...)
}

// ParseBasicAuth reads the credentials of an Authorization header into In.User
// and In.Passwd, once; false when there are none. CONNECT has its own header.
func (r *Request) ParseBasicAuth() bool {
	if r.In.authTested {
		return r.In.User != ""
	}
	r.In.authTested = true
	id := wire.HeaderAuthorization
	if r.Method == wire.CONNECT {
		id = wire.HeaderProxyAuthorization
	}
	v, ok := r.In.Get(id)
	if !ok || len(v) < 6 || !strings.EqualFold(v[:6], "Basic ") {
		return false
	}
	enc, _, _ := strings.Cut(strings.TrimLeft(v[6:], " "), "=")
	dec, err := base64.RawStdEncoding.AppendDecode(r.Pool.Alloc(base64.RawStdEncoding.DecodedLen(len(enc)))[:0], buf.Bytes(enc))
	if err != nil {
		return false
	}
	user, passwd, ok := strings.Cut(buf.String(dec), ":")
	if !ok || user == "" {
		return false
	}
	r.In.User, r.In.Passwd = user, passwd
	return true
}

// RequireAuth asks the client for Basic credentials: the verdict is that of the
// access handler.
func (r *Request) RequireAuth(realm string) Verdict {
	r.Out.Add(r.authenticateHeader(), r.Pool.Concat(`Basic realm="`, realm, `"`))
	if r.Method == wire.CONNECT {
		return StatusProxyAuthRequired
	}
	return StatusUnauthorized
}

// authenticateHeader is the response header that asks for credentials.
func (r *Request) authenticateHeader() string {
	if r.Method == wire.CONNECT {
		return "Proxy-Authenticate"
	}
	return "WWW-Authenticate"
}
