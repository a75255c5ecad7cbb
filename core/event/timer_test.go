package event

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestTimersAgainstModel runs random operations on the heap and on a list of deadlines.
func TestTimersAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const n = 12
		l := &Loop{usec: 1000}
		l.cfg.Log = discardLog{}
		var fired []int
		timers := make([]*Timer, n)
		for i := range timers {
			timers[i] = NewTimer(func() { fired = append(fired, i) })
		}
		var model [n]int64
		index := rapid.IntRange(0, n-1)
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				i, d := index.Draw(t, "i"), rapid.Int64Range(-5, 500).Draw(t, "ms")
				l.SetTimer(timers[i], time.Duration(d)*time.Millisecond)
				model[i] = l.usec + max(d, 0)*1000
			},
			"delete": func(t *rapid.T) {
				i := index.Draw(t, "i")
				l.DelTimer(timers[i])
				model[i] = 0
			},
			"disarm": func(t *rapid.T) {
				i := index.Draw(t, "i")
				timers[i].disarm()
				model[i] = 0
			},
			"advance": func(t *rapid.T) {
				l.usec += rapid.Int64Range(0, 300_000).Draw(t, "us")
				fired = nil
				l.expireTimers()
				var last int64
				for _, i := range fired {
					if model[i] == 0 || model[i] > l.usec || model[i] < last {
						t.Fatalf("at %d fired %d, due %d, after %d", l.usec, i, model[i], last)
					}
					last, model[i] = model[i], 0
				}
				for i, at := range model {
					if at != 0 && at <= l.usec {
						t.Fatalf("at %d timer %d, due %d, has not fired", l.usec, i, at)
					}
				}
			},
			"": func(t *rapid.T) { checkTimers(t, l, timers, model[:]) },
		})
	})
}

func checkTimers(t *rapid.T, l *Loop, timers []*Timer, model []int64) {
	next := int64(-1)
	for i, at := range model {
		if timers[i].Armed() != (at != 0) || timers[i].at != at {
			t.Fatalf("timer %d is set to %d, should be %d", i, timers[i].at, at)
		}
		if left := max((at-l.usec+999)/1000, 0); at != 0 && (next < 0 || left < next) {
			next = left
		}
	}
	if got := l.nextTimer(); next >= 0 && (got < 0 || got > next) {
		t.Fatalf("next in %d, should be %d at the latest", got, next)
	} else if got != next && l.timers[0].key == l.timers[0].t.at {
		t.Fatalf("next in %d, should be %d", got, next)
	}
	for i, e := range l.timers {
		if e.t.pos != int32(i+1) {
			t.Fatalf("entry %d believes to be at %d", i, e.t.pos-1)
		}
		if i > 0 && l.timers[(i-1)/timerArity].key > e.key {
			t.Fatalf("entry %d is before its parent", i)
		}
		if e.t.at != 0 && e.key > e.t.at {
			t.Fatalf("entry %d would fire late", i)
		}
	}
}

func TestTimerRounding(t *testing.T) {
	l := &Loop{usec: 1000}
	tm := NewTimer(func() {})
	for d, want := range map[time.Duration]int64{
		0: 1000, -time.Second: 1000, 1: 2000, time.Millisecond: 2000, time.Millisecond + 1: 3000,
	} {
		l.SetTimer(tm, d)
		if tm.at != want {
			t.Errorf("%v: %d, want %d", d, tm.at, want)
		}
	}
}

// A timer that re-arms itself with no delay fires once a pass.
func TestTimerRearmsItself(t *testing.T) {
	l := &Loop{usec: 1000}
	l.cfg.Log = discardLog{}
	n := 0
	var tm *Timer
	tm = NewTimer(func() { n++; l.SetTimer(tm, 0) })
	l.SetTimer(tm, 0)
	l.expireTimers()
	l.expireTimers()
	l.usec++
	l.expireTimers()
	if n != 2 {
		t.Errorf("fired %d times", n)
	}
}

func TestTimersFireInOrder(t *testing.T) {
	h := start(t, Config{TimerResolution: 5 * time.Millisecond})
	var got []int
	h.onLoop(func() {
		for _, ms := range []int{30, 10, 20, 1, 40} {
			h.SetTimer(NewTimer(func() { got = append(got, ms) }), time.Duration(ms)*time.Millisecond)
		}
	})
	h.until("all fire", func() bool { return len(got) == 5 })
	if !slices.IsSorted(got) {
		t.Errorf("fired in the order %v", got)
	}
}

// NowMsec is shared by the processes of a machine, so two loops agree on it.
func TestClock(t *testing.T) {
	a, b := start(t, Config{}), start(t, Config{})
	var x, y int64
	var now time.Time
	a.onLoop(func() { a.UpdateTime(); x, now = a.NowMsec(), a.Now() })
	b.onLoop(func() { b.UpdateTime(); y = b.NowMsec() })
	if y < x || y > x+5000 {
		t.Errorf("%d on one loop, %d on the other", x, y)
	}
	if d := time.Since(now); d < 0 || d > 5*time.Second {
		t.Errorf("Now is %v off", d)
	}
}
