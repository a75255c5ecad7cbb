package regex

import (
	"strconv"
	"strings"
	"unsafe"

	"go.elara.ws/pcre/lib"
	"modernc.org/libc"
)

// Results of a match that callers tell apart; [ErrorText] knows them all.
const (
	NoMatch    = lib.DPCRE2_ERROR_NOMATCH    // -1
	MatchLimit = lib.DPCRE2_ERROR_MATCHLIMIT // -47
	NoMemory   = lib.DPCRE2_ERROR_NOMEMORY   // -48
	DepthLimit = lib.DPCRE2_ERROR_DEPTHLIMIT // -53
	HeapLimit  = lib.DPCRE2_ERROR_HEAPLIMIT  // -63
)

// CompileError says why PCRE2 rejected a pattern.
type CompileError struct {
	Pattern string
	Code    int // PCRE2's error number, 101 and up
	Offset  int // byte of Pattern where the error was noticed
}

// Text returns PCRE2's words for the error.
func (e *CompileError) Text() string { return ErrorText(e.Code) }

// Error formats the error as ngx_regex_compile() does.
func (e *CompileError) Error() string {
	msg := "pcre2_compile() failed: " + e.Text() + ` in "` + e.Pattern + `"`
	if e.Offset < 0 || e.Offset >= len(e.Pattern) {
		return msg
	}
	// nginx prints the rest as a C string.
	rest, _, _ := strings.Cut(e.Pattern[e.Offset:], "\x00")
	return msg + ` at "` + rest + `"`
}

// MatchError formats a failed match, code being below [NoMatch], as nginx
// does: `pcre2_match() failed: -47 on "SUBJECT" using "PATTERN"`.
func (re *Regex) MatchError(code int, subject string) string {
	return "pcre2_match() failed: " + strconv.Itoa(code) + ` on "` + subject + `" using "` + re.pattern + `"`
}

// ErrorText returns PCRE2's words for a compile error (positive) or the
// result of a match (negative).
func ErrorText(code int) string {
	const size = 256
	tls := libc.NewTLS()
	defer tls.Close()
	buf := tls.Alloc(size)
	defer tls.Free(size)
	n := lib.Xpcre2_get_error_message_8(tls, int32(code), buf, size)
	if n < 0 {
		return "unknown error " + strconv.Itoa(code)
	}
	return string(unsafe.Slice((*byte)(pointer(buf)), n))
}
