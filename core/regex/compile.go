package regex

import (
	"encoding/binary"
	"strings"
	"unsafe"

	"go.elara.ws/pcre/lib"
	"modernc.org/libc"
)

// Options says how a pattern is compiled. nginx's "~*" is Caseless; the rest
// are the letters of OpenResty's ngx.re functions.
type Options uint32

const (
	Caseless      Options = 1 << iota // i: letters match both cases
	Multiline                         // m: ^ and $ match at line ends
	DotAll                            // s: a dot matches a newline
	Extended                          // x: white space and comments are ignored
	Anchored                          // a: match at the start offset only
	Ungreedy                          // quantifiers are lazy unless followed by "?"
	DollarEndOnly                     // $ does not match before a final newline
	UTF                               // u: pattern and subject are UTF-8
	NoUTFCheck                        // U: UTF, and subjects are not rejected when malformed
	DupNames                          // D: a name may belong to several groups
	JavaScript                        // J: \u, \x as in JavaScript; unset back references are empty
	DFA                               // d: longest match, no captures (pcre2_dfa_match)
)

// pcreOptions maps each option to PCRE2's bits. NoUTFCheck is not
// PCRE2_NO_UTF_CHECK, with which a malformed subject reads out of bounds: it
// is PCRE2_MATCH_INVALID_UTF, which matches well-formed subjects alike and
// never matches across malformed bytes.
var pcreOptions = [...]struct {
	option Options
	bits   uint32
}{
	{Caseless, lib.DPCRE2_CASELESS},
	{Multiline, lib.DPCRE2_MULTILINE},
	{DotAll, lib.DPCRE2_DOTALL},
	{Extended, lib.DPCRE2_EXTENDED},
	{Anchored, lib.DPCRE2_ANCHORED},
	{Ungreedy, lib.DPCRE2_UNGREEDY},
	{DollarEndOnly, lib.DPCRE2_DOLLAR_ENDONLY},
	{UTF, lib.DPCRE2_UTF},
	{NoUTFCheck, lib.DPCRE2_UTF | lib.DPCRE2_MATCH_INVALID_UTF},
	{DupNames, lib.DPCRE2_DUPNAMES},
	{JavaScript, lib.DPCRE2_ALT_BSUX | lib.DPCRE2_MATCH_UNSET_BACKREF},
}

func (o Options) bits() uint32 {
	var bits uint32
	for _, p := range pcreOptions {
		if o&p.option != 0 {
			bits |= p.bits
		}
	}
	if o&DFA != 0 {
		// pcre2_dfa_match refuses it; malformed subjects are then errors.
		bits &^= lib.DPCRE2_MATCH_INVALID_UTF
	}
	return bits
}

// Compile compiles pattern, which may hold any bytes. A pattern PCRE2 rejects
// gives a *[CompileError]. The length of compiled code is bound by PCRE2 to
// 64 KiB.
func (vm *VM) Compile(pattern string, options Options) (*Regex, error) {
	vm.mu.Lock()
	defer vm.mu.Unlock()
	if vm.closed {
		return nil, ErrClosed
	}
	if vm.compile == nil {
		vm.compile = libc.NewTLS()
	}
	tls := vm.compile

	// PCRE2 copies what it keeps of the pattern, so one C copy does for the
	// call; Go memory could move with the goroutine's stack meanwhile.
	src := libc.Xmalloc(tls, lib.Tsize_t(len(pattern)+1))
	if src == 0 {
		return nil, &CompileError{Pattern: pattern, Code: lib.DPCRE2_ERROR_HEAP_FAILED}
	}
	defer libc.Xfree(tls, src)
	copy(unsafe.Slice((*byte)(pointer(src)), len(pattern)), pattern)

	const scratch = 16 // an int for the code, a size_t for the offset
	errs := tls.Alloc(scratch)
	defer tls.Free(scratch)
	code := lib.Xpcre2_compile_8(tls, src, lib.Tsize_t(len(pattern)), options.bits(), errs, errs+8, 0)
	if code == 0 {
		return nil, &CompileError{
			Pattern: pattern,
			Code:    int(*(*int32)(pointer(errs))),
			Offset:  int(*(*uint64)(pointer(errs + 8))),
		}
	}

	re := &Regex{
		vm: vm, pattern: strings.Clone(pattern), code: code, dfa: options&DFA != 0,
		head: headOf(pattern, options), fold: options&Caseless != 0,
	}
	if !re.prepare(tls) {
		lib.Xpcre2_code_free_8(tls, code)
		return nil, &CompileError{Pattern: pattern, Code: lib.DPCRE2_ERROR_HEAP_FAILED, Offset: len(pattern)}
	}
	vm.live[re] = struct{}{}
	return re, nil
}

// prepare creates the match data and reads the group tables of a compiled
// pattern. It fails when the C heap is exhausted.
func (re *Regex) prepare(tls *libc.TLS) bool {
	if re.dfa {
		if re.vm.dfaSpace == 0 {
			re.vm.dfaSpace = libc.Xmalloc(tls, dfaWorkspace*4)
		}
		if re.vm.dfaSpace == 0 {
			return false
		}
		re.data = lib.Xpcre2_match_data_create_8(tls, 1, 0)
	} else {
		re.groups = int(info[uint32](tls, re.code, lib.DPCRE2_INFO_CAPTURECOUNT))
		re.data = lib.Xpcre2_match_data_create_from_pattern_8(tls, re.code, 0)
	}
	if re.data == 0 {
		return false
	}
	ovector := (*uint64)(pointer(lib.Xpcre2_get_ovector_pointer_8(tls, re.data)))
	re.ovector = unsafe.Slice(ovector, 2*(re.groups+1))
	re.names = readNames(tls, re.code)
	return true
}

// readNames copies the name table: fixed-size entries sorted by name, each a
// big-endian group number and a NUL-terminated name.
func readNames(tls *libc.TLS, code uintptr) []Name {
	count := int(info[uint32](tls, code, lib.DPCRE2_INFO_NAMECOUNT))
	if count == 0 {
		return nil
	}
	size := int(info[uint32](tls, code, lib.DPCRE2_INFO_NAMEENTRYSIZE))
	table := unsafe.Slice((*byte)(pointer(info[uintptr](tls, code, lib.DPCRE2_INFO_NAMETABLE))), count*size)

	names := make([]Name, 0, count)
	for ; len(table) > 0; table = table[size:] {
		number := int(binary.BigEndian.Uint16(table))
		name, _, _ := strings.Cut(string(table[2:size]), "\x00")
		if n := len(names); n > 0 && names[n-1].Name == name {
			names[n-1].Numbers = append(names[n-1].Numbers, number)
			continue
		}
		names = append(names, Name{Name: name, Numbers: []int{number}})
	}
	return names
}

// info asks pcre2_pattern_info for a fact whose C type is as wide as T.
func info[T uint32 | uintptr](tls *libc.TLS, code uintptr, what uint32) T {
	const scratch = 8
	where := tls.Alloc(scratch)
	defer tls.Free(scratch)
	*(*T)(pointer(where)) = 0
	lib.Xpcre2_pattern_info_8(tls, code, what, where)
	return *(*T)(pointer(where))
}
