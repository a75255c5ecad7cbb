package http

import (
	"encoding/base64"
	"net/netip"
	"os"
	"strings"
	"sync"

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
		c.Peer = PeerAddr{Text: "unix:", Bytes: "unix:"}
		return
	}
	c.Peer = NewPeer(a.AddrPort)
}

// NewPeer is the PeerAddr of an IP address.
func NewPeer(a netip.AddrPort) PeerAddr {
	return PeerAddr{Addr: a.Addr(), Text: a.Addr().String(), Port: a.Port(), Bytes: string(a.Addr().AsSlice())}
}

// ParseBasicAuth reads the credentials of an Authorization header into In.User
// and In.Passwd, once; false when there are none.
func (r *Request) ParseBasicAuth() bool {
	if r.In.authTested {
		return r.In.User != ""
	}
	r.In.authTested = true
	v, ok := r.In.Get(wire.HeaderAuthorization)
	if !ok || len(v) < 6 || !strings.EqualFold(v[:6], "Basic ") {
		return false
	}
	enc := strings.TrimLeft(v[6:], " ")
	if i := strings.IndexByte(enc, ' '); i >= 0 {
		enc = enc[:i]
	}
	dec, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(enc, "="))
	if err != nil {
		return false
	}
	user, passwd, ok := strings.Cut(string(dec), ":")
	if !ok || user == "" {
		return false
	}
	r.In.User, r.In.Passwd = user, passwd
	return true
}
