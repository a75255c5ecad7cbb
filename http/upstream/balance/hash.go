package balance

import (
	"cmp"
	"hash/crc32"
	"slices"
	"sort"
	"strconv"
	"strings"

	"moongate/conf"
	"moongate/core/buf"
	"moongate/http"
	"moongate/http/upstream"
)

// Hash is the module of "hash key [consistent]".
var Hash = &http.Module{Module: conf.Module{
	Name:       "http_upstream_hash",
	Slots:      []conf.AnySlot{hashSlot},
	Directives: []conf.Directive{hashSlot.Custom("hash", conf.HTTPUpstream, conf.Take12, hashDirective)},
}}

type hashConf struct{ key *http.Complex }

var hashSlot = slotOf[hashConf]()

func hashDirective(cf *conf.Conf, c *hashConf) (err error) {
	if c.key, err = http.CompileArg(cf, cf.Args[0]); err != nil {
		return err
	}
	init := method(c.start, func(x *hashPick) upstream.Balancer { return x })
	if len(cf.Args) == 2 {
		if cf.Args[1] != "consistent" {
			return cf.Errorf(`invalid parameter "%s"`, cf.Args[1])
		}
		init = method(c.startRing, func(x *ringPick) upstream.Balancer { return x })
	}
	upstream.Of(cf).SetMethod(cf, noBackup, init)
	return nil
}

// hashPick chooses by a hash of the key over the weights, in the way of
// Cache::Memcached.
type hashPick struct {
	free
	key    string
	tries  int
	rehash int
	hash   uint32
}

func (c *hashConf) start(e *upstream.Exchange, x *hashPick) { x.key = c.key.Eval(e.R) }

// Get implements upstream.Balancer.
func (x *hashPick) Get(e *upstream.Exchange) bool {
	p := e.RR.Peers
	if len(p.List) < 2 || x.key == "" {
		return e.RR.Get(e)
	}
	return get(e, x)
}

func (x *hashPick) pick(e *upstream.Exchange) int {
	now := e.Now()
	for ; x.tries <= maxTries; x.tries++ {
		// ((crc32([REHASH] KEY) >> 16) & 0x7fff) + PREV_HASH
		var digits [20]byte
		sum := uint32(0)
		if x.rehash > 0 {
			sum = crc32.ChecksumIEEE(strconv.AppendInt(digits[:0], int64(x.rehash), 10))
		}
		x.hash += crc32.Update(sum, crc32.IEEETable, buf.Bytes(x.key)) >> 16 & 0x7fff
		x.rehash++
		if i := byWeight(e.RR.Peers, int64(x.hash)%e.RR.Peers.TotalWeight); e.RR.Usable(i, now) {
			return i
		}
	}
	return -1
}

// point is a place of a server on the ring.
type point struct {
	hash   uint32
	server string
}

// ring are the places of all servers: 160 times its weight for each.
type ring []point

// pointsPerWeight is ketama's number.
const pointsPerWeight = 160

// newRing places the servers in the way of Cache::Memcached::Fast:
// crc32(HOST \0 PORT PREV_HASH).
func newRing(p *upstream.Peers) ring {
	r := make(ring, 0, p.TotalWeight*pointsPerWeight)
	for _, peer := range p.List {
		host, port := splitServer(peer.Server)
		base := crc32.ChecksumIEEE([]byte(host + "\x00" + port))
		var prev [4]byte
		for range peer.Weight * pointsPerWeight {
			hash := crc32.Update(base, crc32.IEEETable, prev[:])
			r = append(r, point{hash, peer.Server})
			prev = [4]byte{byte(hash), byte(hash >> 8), byte(hash >> 16), byte(hash >> 24)}
		}
	}
	slices.SortStableFunc(r, func(a, b point) int { return cmp.Compare(a.hash, b.hash) })
	return slices.CompactFunc(r, func(a, b point) bool { return a.hash == b.hash })
}

// splitServer separates the port from the name of a server.
func splitServer(s string) (host, port string) {
	if len(s) >= 5 && strings.EqualFold(s[:5], "unix:") {
		return s[5:], ""
	}
	i := len(s)
	for i > 0 && s[i-1] >= '0' && s[i-1] <= '9' {
		i--
	}
	if i > 0 && s[i-1] == ':' {
		return s[:i-1], s[i:]
	}
	return s, ""
}

// ringPick chooses the server whose place on the ring comes next.
type ringPick struct {
	free
	ring  ring
	key   string
	at    int
	tries int
}

func (c *hashConf) startRing(e *upstream.Exchange, x *ringPick) {
	x.key = c.key.Eval(e.R)
	p := e.RR.Peers
	r, ok := p.Aux.(ring)
	if !ok {
		r = newRing(p)
		p.Aux = r
	}
	x.ring = r
	hash := crc32.ChecksumIEEE(buf.Bytes(x.key))
	x.at = sort.Search(len(r), func(i int) bool { return r[i].hash >= hash })
}

// Get implements upstream.Balancer.
func (x *ringPick) Get(e *upstream.Exchange) bool {
	p := e.RR.Peers
	if p.Single || x.key == "" || x.tries > maxTries || len(x.ring) == 0 {
		return e.RR.Get(e)
	}
	return get(e, x)
}

// pick chooses among the addresses of a server by round-robin.
func (x *ringPick) pick(e *upstream.Exchange) int {
	now := e.Now()
	for ; x.tries <= maxTries; x.tries++ {
		server := x.ring[x.at%len(x.ring)].server
		if i := e.RR.Turn(now, func(i int) bool { return e.RR.Peers.List[i].Server == server }); i >= 0 {
			return i
		}
		x.at++
	}
	return -1
}
