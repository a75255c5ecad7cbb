package api

import (
	"testing"

	"pgregory.net/rapid"

	"moongate/core/log"
)

// TestLogRing checks that a ring gives back the newest lines in their order, as many as fit.
func TestLogRing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(64, 300).Draw(t, "size")
		r := newLogRing(int64(size), &log.Clock{})
		var want []string // may be there
		taken := 0
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			if rapid.IntRange(0, 3).Draw(t, "step") == 0 {
				level, _, line, ok := r.next()
				if !ok {
					if r.count != 0 {
						t.Fatalf("no line, but %d are there", r.count)
					}
					continue
				}
				if level != log.Warn {
					t.Fatalf("level %d", level)
				}
				for taken < len(want) && want[taken] != line {
					taken++ // made room
				}
				if taken++; taken > len(want) {
					t.Fatalf("%q was not added, or before", line)
				}
				continue
			}
			line := rapid.StringOfN(rapid.RuneFrom([]rune("abc")), 0, 80, -1).Draw(t, "line")
			r.add(log.Warn, []byte(line))
			if ringHeader+len(line) > size {
				continue
			}
			want = append(want, line)
			if r.count < 1 || r.head > size || r.tail > size {
				t.Fatalf("%d lines from %d to %d", r.count, r.head, r.tail)
			}
		}
		for left := want[len(want)-r.count:]; len(left) > 0; left = left[1:] {
			if _, _, line, _ := r.next(); line != left[0] {
				t.Fatalf("%q, want %q", line, left[0])
			}
		}
		if _, _, line, ok := r.next(); ok {
			t.Fatalf("%q is too much", line)
		}
	})
}

// TestLogRingAllocs checks that a line that is captured costs no memory.
func TestLogRingAllocs(t *testing.T) {
	r := newLogRing(4096, &log.Clock{})
	line := make([]byte, 100)
	if n := testing.AllocsPerRun(200, func() { r.add(log.Warn, line) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
