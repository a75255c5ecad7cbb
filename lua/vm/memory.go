package vm

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"

	lua "github.com/yuin/gopher-lua"
	"golang.org/x/sys/unix"

	"moongate/core/heap"
)

// This file is the ceiling of memory. A script that fills a table for ever would take the process down, and with it the
// requests of others; here it gets LuaJIT's "not enough memory" instead. What the values of one script take is not known,
// for they are Go's: the ceiling is that of the live heap, which the collector tells after each of its cycles. Until then
// the heap may grow to a multiple of it (GOGC).

// Bounds of the ceiling that is used when the options have none: a quarter of the memory there is, and never more than
// half of GOMEMLIMIT, beyond which the collector would do nothing but collect.
const (
	memoryShare    = 4
	leastMaxMemory = 256 << 20
	mostMaxMemory  = 4 << 30
)

// ceiling watches the live heap of the process for a VM.
type ceiling struct {
	limit  uint64 // bytes
	over   atomic.Bool
	closed atomic.Bool
}

// watch compares the live heap with the limit, now and after each cycle.
func (c *ceiling) watch() {
	c.compare(heap.Live())
	heap.Watch(func(live uint64) (more bool) {
		c.compare(live)
		return !c.closed.Load()
	})
}

func (c *ceiling) compare(live uint64) { c.over.Store(live > c.limit) }

// outOfMemory raises an error unless what is over the ceiling is garbage by now, as it is when the script that had it has
// ended. The instruction loop calls it at instructions that make values.
func (v *VM) outOfMemory(l *lua.LState) {
	runtime.GC()
	if v.ceiling.compare(heap.Live()); v.ceiling.over.Load() {
		raiseMemory(l)
	}
}

// defaultMaxMemory is the ceiling of a process on this machine, in this control group, with this environment.
func defaultMaxMemory() uint64 {
	var total uint64 = mostMaxMemory * memoryShare
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		total = uint64(info.Totalram) * uint64(info.Unit)
	}
	if text, err := os.ReadFile("/sys/fs/cgroup/memory.max"); err == nil {
		if n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err == nil {
			total = min(total, n)
		}
	}
	const limitShare = 2
	most := min(max(total/memoryShare, leastMaxMemory), mostMaxMemory)
	return min(most, uint64(debug.SetMemoryLimit(-1))/limitShare)
}
