package regex

import (
	"runtime"
	"unsafe"

	"go.elara.ws/pcre/lib"
)

// dfaWorkspace is the number of C ints pcre2_dfa_match may use; OpenResty
// gives 100, and a pattern that needs more fails with PCRE2's -43 there too.
const dfaWorkspace = 100

// Match searches subject from the byte offset on; text before offset is seen
// by look-behind and by "^". It returns, as pcre2_match does, the highest
// group number that matched plus one, [NoMatch], or another negative code
// (see [ErrorText]).
//
// Upon a match the start and end of group i are ovector[2*i] and
// ovector[2*i+1], for as many groups as ovector has room for, with -1 in both
// for a group that took no part. ovector may be nil; it is left alone when
// nothing matched. An offset outside subject is an error.
//
// Nothing is allocated. Match keeps no reference to subject, but it makes the
// compiler place what subject points to on the heap.
func (re *Regex) Match(subject []byte, offset int, ovector []int) int {
	return re.MatchString(unsafe.String(unsafe.SliceData(subject), len(subject)), offset, ovector)
}

// MatchString is Match for a string.
func (re *Regex) MatchString(subject string, offset int, ovector []int) int {
	if re.code == 0 {
		return lib.DPCRE2_ERROR_NULL
	}
	if offset < 0 || offset > len(subject) {
		return lib.DPCRE2_ERROR_BADOFFSET
	}
	if offset == 0 && re.head != "" && !re.begins(subject) {
		return NoMatch
	}
	n := re.exec(subject, offset)
	if n < 0 || len(ovector) == 0 {
		return n
	}
	for i := range ovector {
		if i < len(re.ovector) {
			ovector[i] = int(re.ovector[i]) // PCRE2_UNSET, all ones, becomes -1
		} else {
			ovector[i] = -1
		}
	}
	return n
}

// exec runs the matcher. The subject goes through a field of the VM because
// of that store it cannot lie on this goroutine's stack, which moves when it
// grows, under the address handed to the translated code.
func (re *Regex) exec(subject string, offset int) int {
	vm := re.vm
	vm.subject = subject
	addr := uintptr(unsafe.Pointer(unsafe.StringData(vm.subject)))
	if !re.dfa {
		rc := lib.Xpcre2_match_8(vm.match, re.code, addr, lib.Tsize_t(len(subject)),
			lib.Tsize_t(offset), 0, re.data, vm.mctx)
		runtime.KeepAlive(vm.subject)
		vm.subject = ""
		return int(rc)
	}
	rc := lib.Xpcre2_dfa_match_8(vm.match, re.code, addr, lib.Tsize_t(len(subject)),
		lib.Tsize_t(offset), 0, re.data, vm.mctx, vm.dfaSpace, dfaWorkspace)
	runtime.KeepAlive(vm.subject)
	vm.subject = ""
	if rc == 0 {
		return 1 // shorter matches existed besides the longest
	}
	return int(rc)
}
