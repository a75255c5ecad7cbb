package resolver

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"time"

	"moongate/core/event"
)

// kind keeps apart what can be asked about one name.
type kind uint8

const (
	kindName kind = iota // A and AAAA
	kindAddr             // PTR
	kindSRV
)

type key struct {
	kind kind
	name string // in lower case, without the final dot
}

// node is one question and, once it is not pending any more, its answer,
// which never changes: a newer answer is another node.
type node struct {
	key     key
	pending bool
	queries [2]query
	asked   int // of queries
	server  int // asked last
	resend  *event.Timer
	waiting []*event.Fiber
	left    bool // all who waited gave up

	code   Code // 0: resolved
	addrs  [2][]netip.Addr
	srvs   []srv // sorted by priority
	cname  string
	target string // PTR
	ttl    uint32
	valid  int64 // last second of validity

	expire       int64 // in lru: last second in memory
	newer, older *node
}

// query is one type of record asked for.
type query struct {
	qtype rtype
	id    uint16
	wire  []byte
	tcp   bool // the answer over UDP was truncated
	done  bool
}

// srv is one SRV record.
type srv struct {
	target                 string
	priority, weight, port uint16
}

// start returns the node for a question: a valid answer, one being asked for,
// or a new one, also where all who asked before gave up. It fails when the name
// cannot be asked for.
func (r *Resolver) start(k kind, name string) (*node, error) {
	n := r.nodes[key{k, name}]
	if n != nil && n.pending && n.left {
		r.finish(n, TimedOut)
		n = nil
	}
	if n != nil && (n.pending || n.valid >= r.now()) {
		return n, nil
	}
	if n != nil {
		r.drop(n)
	}
	n = &node{key: key{k, strings.Clone(name)}, pending: true, ttl: 1<<32 - 1}
	if err := r.ask(n); err != nil {
		return nil, err
	}
	r.nodes[n.key] = n
	r.pending++
	n.server = r.turn
	r.turn = (r.turn + 1) % len(r.servers)
	n.resend = event.NewTimer(func() { r.again(n) })
	if !r.send(n) {
		n.server = (n.server + 1) % len(r.servers)
		r.send(n)
	}
	r.loop.SetTimer(n.resend, r.resend)
	return n, nil
}

// again sends what is unanswered to the next server.
func (r *Resolver) again(n *node) {
	if len(n.waiting) == 0 { // all who asked gave up
		r.finish(n, TimedOut)
		return
	}
	n.server = (n.server + 1) % len(r.servers)
	r.send(n)
	r.loop.SetTimer(n.resend, r.resend)
}

// finish ends the question with the answer in n or with a failure, which is
// not cached.
func (r *Resolver) finish(n *node, code Code) {
	n.pending, n.code = false, code
	r.loop.DelTimer(n.resend)
	if code != 0 {
		n.valid = r.failureValid().Unix()
		delete(r.nodes, n.key)
	} else {
		valid := int64(r.cfg.Valid / time.Second)
		if valid == 0 {
			valid = int64(n.ttl)
		}
		n.valid = r.now() + valid
		r.used.add(n, r.now()+keepSeconds)
	}
	for _, f := range n.waiting {
		f.Ready()
	}
	n.waiting, n.queries = nil, [2]query{}
	if r.pending--; r.pending == 0 {
		r.closeSockets()
	}
}

// forget removes a fiber that waits no longer.
func (n *node) forget(f *event.Fiber) {
	if i := slices.Index(n.waiting, f); i >= 0 {
		n.waiting = slices.Delete(n.waiting, i, i+1)
		n.left = len(n.waiting) == 0
	}
}

// appendAddrs appends the addresses: IPv4, then IPv6, each family and the
// whole rotated at random if asked for.
func (n *node) appendAddrs(dst []netip.Addr, rotate bool) []netip.Addr {
	total := len(n.addrs[0]) + len(n.addrs[1])
	at := len(dst)
	dst = slices.Grow(dst, total)[:at+total]
	out := dst[at:]
	pos := 0
	if rotate && total > 1 {
		pos = rand.IntN(total)
	}
	for _, addrs := range n.addrs {
		from := 0
		if rotate && len(addrs) > 1 {
			from = rand.IntN(len(addrs))
		}
		for i := range addrs {
			out[pos] = addrs[(from+i)%len(addrs)]
			pos = (pos + 1) % total
		}
	}
	return dst
}

// lru is the answers in memory, from the most to the least recently used.
type lru struct {
	newest, last *node
}

func (l *lru) oldest() *node { return l.last }

func (l *lru) add(n *node, expire int64) {
	n.expire = expire
	n.newer, n.older = nil, l.newest
	if l.newest != nil {
		l.newest.newer = n
	} else {
		l.last = n
	}
	l.newest = n
}

// remove removes n if it is in the list.
func (l *lru) remove(n *node) {
	if !l.has(n) {
		return
	}
	if n.newer != nil {
		n.newer.older = n.older
	} else {
		l.newest = n.older
	}
	if n.older != nil {
		n.older.newer = n.newer
	} else {
		l.last = n.newer
	}
	n.newer, n.older = nil, nil
}

// touch makes n the most recently used if it is in the list.
func (l *lru) touch(n *node, expire int64) {
	if l.has(n) {
		l.remove(n)
		l.add(n, expire)
	}
}

func (l *lru) has(n *node) bool { return n.newer != nil || l.newest == n }
