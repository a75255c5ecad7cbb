package balance

import (
	"fmt"
	"hash/crc32"
	"sort"
	"testing"

	"moongate/http/upstream"
)

func peers(weights []byte) *upstream.Peers {
	p := &upstream.Peers{}
	for i, w := range weights {
		weight := int64(w%5) + 1
		p.List = append(p.List, &upstream.Peer{Server: fmt.Sprintf("10.0.0.%d:80", i), Weight: weight, PeerState: &upstream.PeerState{}})
		p.TotalWeight += weight
	}
	return p
}

func (r ring) server(key string) string {
	hash := crc32.ChecksumIEEE([]byte(key))
	return r[sort.Search(len(r), func(i int) bool { return r[i].hash >= hash })%len(r)].server
}

// FuzzRing: the places are in order and at most 160 times the weight, and a
// server that goes away takes only its own keys along.
func FuzzRing(f *testing.F) {
	f.Add([]byte{0, 0, 0}, "key")
	f.Add([]byte{4, 1, 0, 2}, "/uri?a=b")
	f.Fuzz(func(t *testing.T, weights []byte, key string) {
		if len(weights) == 0 || len(weights) > 20 {
			t.Skip()
		}
		p := peers(weights)
		all := newRing(p)
		if len(all) == 0 || int64(len(all)) > p.TotalWeight*pointsPerWeight {
			t.Fatalf("%d places for a weight of %d", len(all), p.TotalWeight)
		}
		for i := 1; i < len(all); i++ {
			if all[i-1].hash >= all[i].hash {
				t.Fatalf("place %d is out of order", i)
			}
		}
		if len(weights) == 1 {
			return
		}
		before := all.server(key)
		last := p.List[len(p.List)-1]
		p.List, p.TotalWeight = p.List[:len(p.List)-1], p.TotalWeight-last.Weight
		if after := newRing(p).server(key); before != last.Server && after != before {
			t.Fatalf("the key %q went from %s to %s without %s", key, before, after, last.Server)
		}
	})
}

// FuzzSplitServer: the parts make the whole.
func FuzzSplitServer(f *testing.F) {
	for _, s := range []string{"a:80", "unix:/a:1", "[::1]:8080", "a", ":", "80", "UNIX:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		host, port := splitServer(s)
		if whole := host + ":" + port; port != "" && whole != s {
			t.Fatalf("%q became %q and %q", s, host, port)
		}
	})
}
