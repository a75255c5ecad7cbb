// Package regex gives nginx's regular expressions: PCRE2 with the semantics
// every nginx.conf relies on (look-around, back references, \K, recursion,
// named groups, POSIX classes, verbs), as nginx's src/core/ngx_regex.c does
// over libpcre2.
//
// The engine is PCRE2 10.40 translated from C to Go (go.elara.ws/pcre/lib).
// Its memory comes from the translated C heap, which Go's collector does not
// see: everything compiled belongs to a [VM], and [VM.Close] returns it all.
// One VM per configuration cycle makes a reload free what the old cycle
// compiled.
package regex

import (
	"errors"
	"sync"
	"unsafe"

	"go.elara.ws/pcre/lib"
	"modernc.org/libc"
)

// Limits bounds the work of one match, so that a runaway pattern fails with
// [MatchLimit], [DepthLimit] or [HeapLimit] instead of stalling the worker. A
// zero field means PCRE2's own default: 10,000,000 for Match and Depth,
// 20,000,000 KiB for Heap. A pattern may lower its limits by (*LIMIT_MATCH=n)
// and its like, and never raise them.
type Limits struct {
	Match uint32 // internal match calls; about 20 ns each
	Depth uint32 // nested backtracking points
	Heap  uint32 // KiB of backtracking frames, freed when the match ends
}

// DefaultLimits suit request processing: a runaway pattern gives up after
// some 20 ms and 32 MiB.
var DefaultLimits = Limits{Match: 1_000_000, Heap: 32 << 10}

// ErrClosed is returned by [VM.Compile] after [VM.Close].
var ErrClosed = errors.New("regex: VM is closed")

// VM is one translated C thread with the patterns compiled on it.
//
// Matching belongs to one goroutine at a time (a worker's loop and its
// fibers); nothing is locked there. Compile, Close and Regex.Close may be
// called from any goroutine, as long as nothing being closed is in use.
type VM struct {
	match    *libc.TLS // used by the matching goroutine alone
	mctx     uintptr   // match context holding the limits; 0: the defaults
	dfaSpace uintptr   // workspace of pcre2_dfa_match, once a DFA is compiled
	subject  string    // the subject of the running match, see Regex.exec

	mu      sync.Mutex // guards what follows
	compile *libc.TLS  // nil until the first Compile
	live    map[*Regex]struct{}
	closed  bool
}

// NewVM creates a VM whose matches are bound by limits.
func NewVM(limits Limits) *VM {
	vm := &VM{match: libc.NewTLS(), live: make(map[*Regex]struct{})}
	if limits == (Limits{}) {
		return vm
	}
	vm.mctx = lib.Xpcre2_match_context_create_8(vm.match, 0)
	if limits.Match != 0 {
		lib.Xpcre2_set_match_limit_8(vm.match, vm.mctx, limits.Match)
	}
	if limits.Depth != 0 {
		lib.Xpcre2_set_depth_limit_8(vm.match, vm.mctx, limits.Depth)
	}
	if limits.Heap != 0 {
		lib.Xpcre2_set_heap_limit_8(vm.match, vm.mctx, limits.Heap)
	}
	return vm
}

// Close frees the VM and every pattern compiled on it. None of them may be
// used afterwards. A second Close does nothing.
func (vm *VM) Close() {
	vm.mu.Lock()
	defer vm.mu.Unlock()
	if vm.closed {
		return
	}
	vm.closed = true
	for re := range vm.live {
		re.free(vm.compile)
	}
	vm.live = nil
	if vm.mctx != 0 {
		lib.Xpcre2_match_context_free_8(vm.match, vm.mctx)
	}
	if vm.dfaSpace != 0 {
		libc.Xfree(vm.match, vm.dfaSpace)
	}
	if vm.compile != nil {
		vm.compile.Close()
	}
	vm.match.Close()
}

// Len returns the number of patterns compiled and not yet closed.
func (vm *VM) Len() int {
	vm.mu.Lock()
	defer vm.mu.Unlock()
	return len(vm.live)
}

// Regex is one compiled pattern. It matches on the VM that compiled it.
type Regex struct {
	vm      *VM
	pattern string
	names   []Name
	ovector []uint64 // in C memory: the offset pairs of the last match
	code    uintptr
	data    uintptr // match data, sized for this pattern's groups
	groups  int
	dfa     bool
	head    string // what the subject has to begin with, see headOf
	fold    bool   // in any case
}

// Name is a named group: several groups share a name under [DupNames] or
// inside (?|...).
type Name struct {
	Name    string
	Numbers []int // group numbers, in ascending order
}

// Pattern returns the source of the pattern.
func (re *Regex) Pattern() string { return re.pattern }

// NumGroups returns the number of capturing groups, group 0 not counted. It
// is 0 for a [DFA], which captures nothing.
func (re *Regex) NumGroups() int { return re.groups }

// Names returns the named groups sorted by name, as PCRE2's name table is.
// The slice belongs to the Regex.
func (re *Regex) Names() []Name { return re.names }

// Close frees the pattern; it may not be used afterwards. A second Close, or
// one after [VM.Close], does nothing.
func (re *Regex) Close() {
	re.vm.mu.Lock()
	defer re.vm.mu.Unlock()
	if _, ok := re.vm.live[re]; !ok {
		return
	}
	delete(re.vm.live, re)
	re.free(re.vm.compile)
}

// free returns the pattern's C memory; tls is any thread not running now.
func (re *Regex) free(tls *libc.TLS) {
	lib.Xpcre2_match_data_free_8(tls, re.data)
	lib.Xpcre2_code_free_8(tls, re.code)
	re.code, re.data, re.ovector = 0, 0, nil
}

// pointer turns an address of the translated C heap, which never moves, into
// a pointer.
func pointer(addr uintptr) unsafe.Pointer {
	return *(*unsafe.Pointer)(unsafe.Pointer(&addr))
}
