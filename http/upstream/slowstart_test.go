package upstream

import "testing"

// TestSlowStart counts how often a peer is chosen that came back at second 0 and takes 10 s for its whole weight.
func TestSlowStart(t *testing.T) {
	for _, c := range []struct {
		at    int64 // seconds
		share float64
	}{
		{0, 0.005}, {1, 0.1 / 1.1}, {5, 0.5 / 1.5}, {9, 0.9 / 1.9}, {10, 0.5}, {100, 0.5},
	} {
		back := &Peer{Weight: 1, SlowStart: 10_000, PeerState: &PeerState{EffectiveWeight: 1}}
		list := &Peers{List: []*Peer{{Weight: 1, PeerState: &PeerState{EffectiveWeight: 1}}, back}, TotalWeight: 2}
		list.complete()
		const rounds = 2000
		picked := 0
		for range rounds {
			back.Recovered = 0
			if c.at < 10 {
				back.Recovered = 1 // not 0, which means never
			}
			b := RoundRobin{Peers: list, tried: []uint64{0}}
			if b.Turn(c.at+1, nil) == 1 {
				picked++
			}
		}
		if got := float64(picked) / rounds; got < c.share-0.01 || got > c.share+0.01 {
			t.Errorf("%d s after its return the peer has %.3f of the requests, want %.3f", c.at, got, c.share)
		}
	}
}

// TestSlowStartIsOver: from then on no time is looked at any more.
func TestSlowStartIsOver(t *testing.T) {
	back := &Peer{Weight: 3, SlowStart: 2000, PeerState: &PeerState{Recovered: 10}}
	list := &Peers{List: []*Peer{back}}
	list.complete()
	for _, c := range []struct{ now, share int64 }{{9, 1}, {10, 1}, {11, 3 * slowUnit / 2}, {12, 3 * slowUnit}} {
		if got := list.Share(back, back.Weight, c.now); got != c.share {
			t.Errorf("at %d s the share is %d, want %d", c.now, got, c.share)
		}
	}
	if back.Recovered != 0 {
		t.Error("the slow start is not over")
	}
}
