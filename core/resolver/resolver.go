// Package resolver asks name servers for addresses, services and names, as
// nginx's "resolver" directive does (src/core/ngx_resolver.c): over UDP, over
// TCP when an answer is truncated, with several servers in turn, and with a
// cache that honours the answers' time to live.
//
// A Resolver belongs to an event loop. Its methods that resolve park the
// calling fiber until there is an answer; fibers that ask for the same name at
// the same time share one query.
package resolver

import (
	"net/netip"
	"strings"
	"time"

	"moongate/core/event"
	"moongate/core/log"
)

const (
	// resendTimeout is how long a server may take before the query is sent
	// to the next one.
	resendTimeout = 5 * time.Second

	// tcpTimeout bounds each step of an exchange over TCP.
	tcpTimeout = 5 * time.Second

	// keepSeconds is how long an answer stays in memory after its last use;
	// it is used again only while valid.
	keepSeconds = 30

	// maxRecursion is the length of the longest chain of CNAMEs followed.
	maxRecursion = 50
)

// Config is one "resolver" directive.
type Config struct {
	Servers []netip.AddrPort
	Valid   time.Duration // valid=: overrides the answers' TTL; 0 does not
	NoIPv4  bool          // ipv4=off
	NoIPv6  bool          // ipv6=off
	Log     log.Entry
}

// Resolver asks the servers of one Config and caches what they answer.
type Resolver struct {
	cfg     Config
	loop    *event.Loop
	servers []server
	turn    int // the server that gets the next new query
	nodes   map[key]*node
	used    lru
	pending int // nodes with queries in flight
	resend  time.Duration
	parser  parser
	closed  bool
}

// New makes a resolver on a loop. With no servers it resolves nothing but
// literal addresses.
func New(loop *event.Loop, cfg Config) *Resolver {
	r := &Resolver{cfg: cfg, loop: loop, nodes: make(map[key]*node), resend: resendTimeout}
	for _, addr := range cfg.Servers {
		r.servers = append(r.servers, server{r: r, addr: addr})
	}
	return r
}

// Close ends the queries in flight; for those who wait they have timed out.
// Later ones find no resolver.
func (r *Resolver) Close() {
	r.closed = true
	for _, n := range r.nodes {
		if n.pending {
			r.finish(n, TimedOut)
		}
	}
	r.closeSockets()
}

// Resolve appends to dst the addresses of a name, of both families unless
// configured otherwise, and returns with them the time until which they are
// valid. A literal address gives itself, valid for ever (the zero time).
//
// The addresses of an answer come in its order to those who waited for it,
// and rotated at random to those it is cached for. Resolve waits for at most
// timeout; 0 is no limit. Failures are a *[Error], or the fiber's error when
// it is cancelled. A cached answer costs no allocation.
func (r *Resolver) Resolve(dst []netip.Addr, name string, timeout time.Duration) ([]netip.Addr, time.Time, error) {
	if addr, ok := literal(name); ok {
		return append(dst, addr), time.Time{}, nil
	}
	n, cached, err := r.resolve(kindName, name, timeout)
	if err != nil {
		return dst, time.Time{}, err
	}
	return n.appendAddrs(dst, cached), time.Unix(n.valid, 0), nil
}

// literal parses an address; names are told apart before, because the error
// of ParseAddr costs an allocation.
func literal(name string) (netip.Addr, bool) {
	if name == "" || strings.IndexByte(name, ':') < 0 && (name[len(name)-1] < '0' || name[len(name)-1] > '9') {
		return netip.Addr{}, false
	}
	addr, err := netip.ParseAddr(name)
	return addr, err == nil
}

// ResolveAddr returns the name of an address, from its PTR record. Limits and
// failures are those of Resolve.
func (r *Resolver) ResolveAddr(addr netip.Addr, timeout time.Duration) (string, time.Time, error) {
	n, _, err := r.resolve(kindAddr, reverseName(addr.Unmap()), timeout)
	if err != nil {
		return "", time.Time{}, err
	}
	return n.target, time.Unix(n.valid, 0), nil
}

// resolve follows a name through its aliases to an answer.
func (r *Resolver) resolve(k kind, name string, timeout time.Duration) (n *node, cached bool, err error) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if len(r.servers) == 0 || r.closed {
		return nil, false, &Error{Name: name, Code: NoResolver}
	}
	var deadline int64 // in NowMsec
	if timeout > 0 {
		deadline = r.loop.NowMsec() + timeout.Milliseconds()
	}
	alias := name
	for range maxRecursion + 1 {
		n, err = r.start(k, alias)
		if err != nil {
			return nil, false, &Error{Name: name, Code: NotFound}
		}
		cached = !n.pending
		if err := r.await(n, name, deadline); err != nil {
			return nil, false, err
		}
		r.used.touch(n, r.now()+keepSeconds)
		r.expire()
		if n.code != 0 {
			return nil, false, &Error{Name: name, Code: n.code, Valid: time.Unix(n.valid, 0)}
		}
		if n.cname == "" {
			return n, cached, nil
		}
		alias = n.cname
	}
	return nil, false, &Error{Name: name, Code: NotFound, Valid: r.failureValid()}
}

// await parks the current fiber until n has an answer.
func (r *Resolver) await(n *node, name string, deadline int64) error {
	if !n.pending {
		return nil
	}
	f := r.loop.Current()
	if f == nil {
		return event.ErrAgain
	}
	n.waiting = append(n.waiting, f)
	for n.pending {
		var left time.Duration
		if deadline != 0 {
			left = time.Duration(max(deadline-r.loop.NowMsec(), 1)) * time.Millisecond
		}
		switch f.ParkFor(left) {
		case event.Timeout:
			if n.pending {
				n.forget(f)
				return &Error{Name: name, Code: TimedOut}
			}
		case event.Canceled:
			n.forget(f)
			return f.Err()
		}
	}
	return nil
}

// now is the time in seconds, in which answers are valid.
func (r *Resolver) now() int64 { return r.loop.Now().Unix() }

// failureValid is until when a caller that refreshes by itself may take a
// failure for the answer.
func (r *Resolver) failureValid() time.Time {
	valid := int64(r.cfg.Valid / time.Second)
	if valid == 0 {
		valid = 10
	}
	return time.Unix(r.now()+valid, 0)
}

// expire drops answers not used for a while, few at a time so that no caller
// pays for many.
func (r *Resolver) expire() {
	for range 2 {
		n := r.used.oldest()
		if n == nil || r.now() <= n.expire {
			return
		}
		r.drop(n)
	}
}

func (r *Resolver) drop(n *node) {
	r.used.remove(n)
	if r.nodes[n.key] == n {
		delete(r.nodes, n.key)
	}
}
