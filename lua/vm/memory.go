package vm

import (
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync/atomic"

	lua "github.com/yuin/gopher-lua"
	"golang.org/x/sys/unix"
)

// This file is the ceiling of memory. A script that fills a table for ever would take the process down, and with it the
// requests of others; here it gets LuaJIT's "not enough memory" instead. What the values of one script take is not known,
// for they are Go's: the ceiling is that of the live heap, which the collector tells after each of its cycles. Until then
// the heap may grow to a multiple of it (GOGC).

// Bounds of the ceiling that is used when the options have none: a quarter of the memory there is.
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

// collected is garbage whose finalizer tells of a cycle of the collector. It is too large for the allocator to put it
// together with others.
type collected struct{ _ [16]byte }

// watch compares the live heap with the limit after each cycle.
func (c *ceiling) watch() {
	if c.closed.Load() {
		return
	}
	c.over.Store(c.liveHeap() > c.limit)
	runtime.SetFinalizer(new(collected), func(*collected) { c.watch() })
}

// liveHeap is what the last cycle found to be in use, in bytes.
func (c *ceiling) liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}

// outOfMemory raises an error unless what is over the ceiling is garbage by now, as it is when the script that had it has
// ended. The instruction loop calls it at instructions that make values.
func (v *VM) outOfMemory(l *lua.LState) {
	runtime.GC()
	if v.ceiling.over.Store(v.ceiling.liveHeap() > v.ceiling.limit); v.ceiling.over.Load() {
		raiseMemory(l)
	}
}

// defaultMaxMemory is the ceiling of a process on this machine, in this control group.
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
	return min(max(total/memoryShare, leastMaxMemory), mostMaxMemory)
}
