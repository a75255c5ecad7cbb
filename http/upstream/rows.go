package upstream

import (
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"moongate/conf"
	"moongate/core/process"
	"moongate/http"
)

// Rows makes the rows of the directives that the proxying modules share. of
// finds the Conf in the module's own struct, prefix is the module's ("proxy").
type Rows[C any] struct {
	Slot   *conf.Slot[C]
	Prefix string
	Of     func(*C) *Conf
	// Words are those of PREFIX_next_upstream and PREFIX_cache_use_stale.
	Words []conf.Word
}

const in = conf.HTTPAny

func (w Rows[C]) flag(name string, field func(*Conf) *conf.Opt[bool], def bool) conf.Directive {
	return w.Slot.Flag(w.Prefix+"_"+name, in, func(c *C) *conf.Opt[bool] { return field(w.Of(c)) }, def)
}

func (w Rows[C]) size(name string, field func(*Conf) *conf.Opt[int64], def int64, checks ...conf.Check[int64]) conf.Directive {
	return w.Slot.Size(w.Prefix+"_"+name, in, func(c *C) *conf.Opt[int64] { return field(w.Of(c)) }, def, checks...)
}

// Common are the directives of all modules.
func (w Rows[C]) Common() []conf.Directive {
	s, p, of := w.Slot, w.Prefix+"_", w.Of
	return []conf.Directive{
		conf.Value(s, p+"bind", in, conf.Take12, func(c *C) *conf.Opt[*Bind] { return &of(c).Bind }, nil, parseBind),
		w.flag("socket_keepalive", func(c *Conf) *conf.Opt[bool] { return &c.SocketKeepalive }, false),
		s.Msec(p+"connect_timeout", in, func(c *C) *optTime { return &of(c).ConnectTimeout }, 60*second),
		s.Msec(p+"send_timeout", in, func(c *C) *optTime { return &of(c).SendTimeout }, 60*second),
		s.Msec(p+"read_timeout", in, func(c *C) *optTime { return &of(c).ReadTimeout }, 60*second),
		w.size("buffer_size", func(c *Conf) *conf.Opt[int64] { return &c.BufferSize }, pageSize),
		s.Bitmask(p+"next_upstream", in, func(c *C) *conf.Opt[int] { return &of(c).NextUpstream }, FailError|FailTimeout, w.Words),
		s.Num(p+"next_upstream_tries", in, func(c *C) *conf.Opt[int64] { return &of(c).NextTries }, 0),
		s.Msec(p+"next_upstream_timeout", in, func(c *C) *optTime { return &of(c).NextTimeout }, 0),
	}
}

// Sockets are the directives about buffers of the system.
func (w Rows[C]) Sockets() []conf.Directive {
	return []conf.Directive{
		w.size("socket_rcvbuf", func(c *Conf) *conf.Opt[int64] { return &c.SocketRcvbuf }, 0),
		w.size("socket_sndbuf", func(c *Conf) *conf.Opt[int64] { return &c.SocketSndbuf }, 0),
	}
}

// Headers are the directives about the fields of responses and about errors.
func (w Rows[C]) Headers() []conf.Directive {
	s, p, of := w.Slot, w.Prefix+"_", w.Of
	return []conf.Directive{
		w.flag("intercept_errors", func(c *Conf) *conf.Opt[bool] { return &c.InterceptErrors }, false),
		stringsRow(s, p+"pass_header", func(c *C) *conf.Opt[[]string] { return &of(c).PassHeaders }),
		stringsRow(s, p+"hide_header", func(c *C) *conf.Opt[[]string] { return &of(c).HideHeaders }),
		s.Bitmask(p+"ignore_headers", in, func(c *C) *conf.Opt[int] { return &of(c).IgnoreHeaders }, 0, ignoreWords),
	}
}

// Bodies are the directives about passing bodies on and keeping them.
func (w Rows[C]) Bodies() []conf.Directive {
	s, p, of := w.Slot, w.Prefix+"_", w.Of
	return []conf.Directive{
		w.flag("buffering", func(c *Conf) *conf.Opt[bool] { return &c.Buffering }, true),
		w.flag("request_buffering", func(c *Conf) *conf.Opt[bool] { return &c.RequestBuffering }, true),
		w.flag("ignore_client_abort", func(c *Conf) *conf.Opt[bool] { return &c.IgnoreClientAbort }, false),
		w.flag("pass_request_headers", func(c *Conf) *conf.Opt[bool] { return &c.PassRequestHeaders }, true),
		w.flag("pass_request_body", func(c *Conf) *conf.Opt[bool] { return &c.PassRequestBody }, true),
		w.flag("force_ranges", func(c *Conf) *conf.Opt[bool] { return &c.ForceRanges }, false),
		s.Bufs(p+"buffers", in, func(c *C) *conf.Opt[conf.Bufs] { return &of(c).Buffers }, conf.Bufs{N: defaultBufs, Size: pageSize}),
		w.size("busy_buffers_size", func(c *Conf) *conf.Opt[int64] { return &c.BusySize }, 0),
		w.size("max_temp_file_size", func(c *Conf) *conf.Opt[int64] { return &c.MaxTempSize }, 0),
		w.size("temp_file_write_size", func(c *Conf) *conf.Opt[int64] { return &c.TempWriteSize }, 0),
		conf.Value(s, p+"limit_rate", in, conf.Take1, func(c *C) *conf.Opt[*http.Complex] { return &of(c).LimitRate }, nil, http.ParseSizeValue),
		s.Custom(p+"temp_path", in, conf.Take1234, func(cf *conf.Conf, c *C) error {
			o := &of(c).TempPath
			if o.Set {
				return conf.ErrDuplicate
			}
			path, err := http.NewTempPath(cf)
			if err == nil {
				o.Put(path)
			}
			return err
		}),
		conf.Value(s, p+"store", in, conf.Take1, func(c *C) *conf.Opt[StorePath] { return &of(c).Store }, StorePath{},
			func(cf *conf.Conf) (StorePath, error) { return of(s.Of(cf.Scope)).parseStore(cf, w.Prefix) }),
		conf.Value(s, p+"store_access", in, conf.Take123, func(c *C) *conf.Opt[uint32] { return &of(c).StoreAccess }, 0o600, conf.ParseAccess),
	}
}

// All are the directives of a module that passes requests on and has a cache.
func (w Rows[C]) All() []conf.Directive {
	return slices.Concat(w.Common(), w.Sockets(), w.Headers(), w.Bodies(), w.Cache())
}

// SendLowat is the row "PREFIX_send_lowat", which Linux has no use for.
func (w Rows[C]) SendLowat() conf.Directive {
	return w.size("send_lowat", func(c *Conf) *conf.Opt[int64] { return &c.SendLowat }, 0, func(cf *conf.Conf, v *int64) error {
		cf.Warnf(`"%s" is not supported, ignored`, cf.Name)
		*v = 0
		return nil
	})
}

// stringsRow is "name string;", given any number of times.
func stringsRow[C any](s *conf.Slot[C], name string, field func(*C) *conf.Opt[[]string]) conf.Directive {
	return conf.Repeat(s, name, in, conf.Take1, field, nil, func(cf *conf.Conf, o *conf.Opt[[]string]) error {
		o.Put(append(o.V, cf.Args[0]))
		return nil
	})
}

// Bind is the local address of connections to peers.
type Bind struct {
	text        string
	addr        unix.Sockaddr
	value       *http.Complex
	transparent bool
}

// parseBind reads "PREFIX_bind off | address [transparent]".
func parseBind(cf *conf.Conf) (*Bind, error) {
	if len(cf.Args) == 1 && cf.Args[0] == "off" {
		return nil, nil
	}
	v, err := http.CompileArg(cf, cf.Args[0])
	if err != nil {
		return nil, err
	}
	b := &Bind{}
	if v.Static() {
		addr, ok := parseAddrPort(v.Text)
		if !ok {
			return nil, cf.Errorf(`invalid address "%s"`, v.Text)
		}
		b.text = v.Text
		b.addr = process.Addr{IP: addr}.Sockaddr()
	} else {
		b.value = v
	}
	if len(cf.Args) > 1 {
		if cf.Args[1] != "transparent" {
			return nil, cf.Errorf(`invalid parameter "%s"`, cf.Args[1])
		}
		process.CoreOf(cf.Cycle).Transparent = true
		b.transparent = true
	}
	return b, nil
}

// parseAddrPort reads an IP address with or without a port: nginx's
// ngx_parse_addr_port.
func parseAddrPort(s string) (netip.AddrPort, bool) {
	if ip, err := netip.ParseAddr(s); err == nil {
		return netip.AddrPortFrom(ip, 0), true
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap, true
	}
	if n := len(s); n > 2 && s[0] == '[' && s[n-1] == ']' {
		if ip, err := netip.ParseAddr(s[1 : n-1]); err == nil && ip.Is6() {
			return netip.AddrPortFrom(ip, 0), true
		}
	}
	return netip.AddrPort{}, false
}

// local is the address to connect from and its text; nil is any.
func (b *Bind) local(r *http.Request) (unix.Sockaddr, string) {
	if b.value == nil {
		return b.addr, b.text
	}
	s := b.value.Eval(r)
	if s == "" {
		return nil, ""
	}
	addr, ok := parseAddrPort(s)
	if !ok {
		r.Error(`invalid local address "%s"`, s)
		return nil, ""
	}
	return process.Addr{IP: addr}.Sockaddr(), s
}
