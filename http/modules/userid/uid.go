package userid

import (
	"encoding/base64"
	"encoding/binary"
	"math/bits"
	"os"
	"time"

	"moongate/core/buf"
	"moongate/core/log"
	"moongate/http"
	"moongate/http/wire"
)

// uid is an identifier in four numbers, of which the last is never 0. Its bytes
// are the numbers in little-endian order.
type uid [4]uint32

// ctx is what is known of the client of a request.
type ctx struct {
	got, set uid
	cookie   []byte
	reset    bool
}

const (
	// cookieLen is the length of an encoded identifier without its padding.
	cookieLen   = 22
	uidLen      = 16
	firstV2     = 0x03030302
	sequencerBy = 0x100
)

func initWorker(w *http.Worker) error {
	m := mainSlot.Of(w.Main.Scope())
	usec := time.Now().Nanosecond() / 1000
	// The most significant part of the microseconds that fits into 16 bits.
	m.start = uint32(usec/20)<<16 | uint32(os.Getpid())
	m.sequencerV1, m.sequencerV2 = 1, firstV2
	return nil
}

func headerFilter(r *http.Request) http.Verdict {
	c := slot.Of(r.Scope)
	if !r.IsMain() {
		return http.OK
	}
	x := get(r, c)
	if !x.create(r, c) {
		return http.Error
	}
	if x.set[3] != 0 {
		x.sendCookie(r, c)
	}
	return http.OK
}

// get reads the cookie of the client, once.
func get(r *http.Request, c *locConf) *ctx {
	if x := key.Of(r); x != nil {
		return x
	}
	x := &ctx{}
	key.Set(r, x)
	for i := range r.In.List {
		h := &r.In.List[i]
		if h.ID != wire.HeaderCookie {
			continue
		}
		v, ok := wire.Cookie(buf.Bytes(h.Value), c.name.V)
		if !ok {
			continue
		}
		x.cookie = v
		if len(v) < cookieLen {
			r.Error(`client sent too short userid cookie "%s"`, h.Value)
			return x
		}
		var b [uidLen]byte
		// There are cookies with a mark or garbage in the place of "==".
		if _, err := base64.RawStdEncoding.Decode(b[:], v[:cookieLen]); err != nil {
			r.Error(`client sent invalid userid cookie "%s"`, h.Value)
			return x
		}
		for i := range x.got {
			x.got[i] = binary.LittleEndian.Uint32(b[4*i:])
		}
		return x
	}
	return x
}

// create decides which identifier is to be set, if any. It reports false when
// $uid_reset cannot be told.
func (x *ctx) create(r *http.Request, c *locConf) bool {
	if x.set[3] != 0 {
		return true
	}
	m := mainSlot.Of(r.Scope)
	if x.got[3] != 0 {
		v := m.reset.Value(r)
		switch {
		case !v.Found:
			return false
		case v.S == "" || v.S == "0":
			if !x.marked(c.mark.V) {
				x.set = x.got
			}
			return true
		case v.S == "log":
			r.Logf(log.Notice, nil, `userid cookie "%s" was reset`, x.got.text(r, c.name.V))
		}
		x.reset = true
	}
	now := uint32(r.Loop().Now().Unix())
	if c.state.V == v1 {
		x.set = uid{uint32(c.service.V), now, m.start, m.sequencerV1}
		m.sequencerV1 += sequencerBy
		return true
	}
	host := bits.ReverseBytes32(uint32(c.service.V))
	if !c.service.Set {
		host = localAddr(r)
	}
	x.set = uid{host, bits.ReverseBytes32(now), bits.ReverseBytes32(m.start), bits.ReverseBytes32(m.sequencerV2)}
	if m.sequencerV2 += sequencerBy; m.sequencerV2 < firstV2 {
		m.sequencerV2 = firstV2
	}
	return true
}

// marked reports whether the cookie has the mark, or needs none.
func (x *ctx) marked(mark byte) bool {
	return mark == 0 || len(x.cookie) > cookieLen+1 && x.cookie[cookieLen] == mark && x.cookie[cookieLen+1] == '='
}

// localAddr is the IPv4 address that the client connected to, or the end of the
// IPv6 one.
func localAddr(r *http.Request) uint32 {
	a := r.Conn.LocalAddr()
	if a.Unix {
		return 0
	}
	b := a.Addr().Unmap().AsSlice()
	return binary.LittleEndian.Uint32(b[len(b)-4:])
}

// maxCookie is enough for the parts of the cookie that are not configured.
const maxCookie = 160

// sendCookie adds Set-Cookie and P3P.
func (x *ctx) sendCookie(r *http.Request, c *locConf) {
	b := r.Pool.Alloc(maxCookie + len(c.name.V) + len(c.domain.V) + len(c.path.V))[:0]
	b = append(append(b, c.name.V...), '=')
	if x.got[3] == 0 || x.reset {
		var raw [uidLen]byte
		for i, n := range x.set {
			binary.LittleEndian.PutUint32(raw[4*i:], n)
		}
		b = base64.StdEncoding.AppendEncode(b, raw[:])
		if c.mark.V != 0 {
			b[len(b)-2] = c.mark.V
		}
	} else {
		b = append(append(b, x.cookie[:cookieLen]...), c.mark.V, '=')
	}
	switch e := c.expires.V; {
	case e.max:
		b = append(b, "; expires=Thu, 31-Dec-37 23:55:55 GMT"...)
	case e.time != 0:
		b = wire.AppendCookieDate(append(b, "; expires="...), r.Loop().Now().Unix()+int64(e.time/time.Second))
	}
	b = append(append(b, c.domain.V...), c.path.V...)
	for _, f := range [...]struct {
		bit  int
		text string
	}{
		{flagSecure, "; secure"}, {flagHTTPOnly, "; httponly"}, {flagStrict, "; samesite=strict"},
		{flagLax, "; samesite=lax"}, {flagNone, "; samesite=none"},
	} {
		if c.flags.V&f.bit != 0 {
			b = append(b, f.text...)
		}
	}
	r.Out.Add("Set-Cookie", buf.String(b))
	if c.p3p.V != "" {
		r.Out.Add("P3P", c.p3p.V)
	}
}

func getGot(r *http.Request, _ any) http.Value {
	r = r.Main
	c := slot.Of(r.Scope)
	if c.state.V == off {
		return http.Value{}
	}
	x := get(r, c)
	if x.got[3] == 0 {
		return http.Value{}
	}
	return http.Val(x.got.text(r, c.name.V))
}

func getSet(r *http.Request, _ any) http.Value {
	r = r.Main
	c := slot.Of(r.Scope)
	if c.state.V < v1 {
		return http.Value{}
	}
	x := get(r, c)
	if !x.create(r, c) || x.set[3] == 0 {
		return http.Value{}
	}
	return http.Val(x.set.text(r, c.name.V))
}

// text prints "name=" and 32 hexadecimal digits.
func (u *uid) text(r *http.Request, name string) string {
	const hex = "0123456789ABCDEF"
	b := r.Pool.Alloc(len(name) + 1 + 2*uidLen)[:0]
	b = append(append(b, name...), '=')
	for _, n := range u {
		for shift := 28; shift >= 0; shift -= 4 {
			b = append(b, hex[n>>shift&15])
		}
	}
	return buf.String(b)
}
