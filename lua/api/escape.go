package api

import (
	"encoding/base64"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"moongate/core/buf"
	"moongate/lua/vm"
)

var escapeFuncs = []Func{
	{"escape_uri", anywhere, ngxEscapeURI},
	{"unescape_uri", anywhere, func(_ *Ctx, l *lua.LState) int { return retString(l, unescapeURI(text(l))) }},
	{"encode_base64", anywhere, ngxEncodeBase64},
	{"decode_base64", anywhere, func(_ *Ctx, l *lua.LState) int { return decodeBase64(l, decodeStd) }},
	{"decode_base64mime", anywhere, func(_ *Ctx, l *lua.LState) int { return decodeBase64(l, decodeMIME) }},
	{"quote_sql_str", anywhere, ngxQuoteSQL},
}

// text is argument 1 as the functions on strings take it: nil and false are empty, all else is what tostring makes of
// it.
func text(l *lua.LState) string {
	v := l.Get(1)
	if s, ok := vm.ToString(v); ok {
		return s
	}
	if !lua.LVAsBool(v) {
		return ""
	}
	return vm.ThreadOf(l).VM().Display(l, v)
}

// Sets of bytes that ngx.escape_uri escapes, by its second argument (NGX_ESCAPE_*, up to 6), and those escaped in names and
// values of headers.
var escapes = [...]byteSet{
	0: above7E.plus(" #%?"),
	1: above7E.plus(" #%+?"),
	2: escapeComponent,
	3: above7E.plus(" \"#%'"),
	4: above7E.plus(" \"%'"),
	5: controls.plus(" %"),
	6: controls.plus(" %"),
	7: above7E.plus(" \"(),/:;<=>?@[\\]{}"),
	8: controls.minus("\t").plus("\x7f"),
}

// escapeComponent is all but letters, digits and "-._~!'()*".
var escapeComponent = unreserved().inverse()

// byteSet is a set of bytes.
type byteSet [256]bool

var (
	controls = byteRange(0, 0x1f)
	above7E  = controls.union(byteRange(0x7f, 0xff))
)

func byteRange(first, last int) (s byteSet) {
	for c := first; c <= last; c++ {
		s[c] = true
	}
	return s
}

func unreserved() byteSet {
	return byteRange('a', 'z').union(byteRange('A', 'Z')).union(byteRange('0', '9')).plus("-._~!'()*")
}

func (s byteSet) plus(chars string) byteSet {
	for i := range len(chars) {
		s[chars[i]] = true
	}
	return s
}

func (s byteSet) minus(chars string) byteSet {
	for i := range len(chars) {
		s[chars[i]] = false
	}
	return s
}

func (s byteSet) union(t byteSet) byteSet {
	for i := range s {
		s[i] = s[i] || t[i]
	}
	return s
}

func (s byteSet) inverse() byteSet {
	for i := range s {
		s[i] = !s[i]
	}
	return s
}

const upperHex = "0123456789ABCDEF"

// escape replaces the bytes of a set by %XX.
func (s *byteSet) escape(text string) string {
	n := 0
	for i := range len(text) {
		if s[text[i]] {
			n++
		}
	}
	if n == 0 {
		return text
	}
	return buf.String(s.append(make([]byte, 0, len(text)+2*n), text))
}

func (s *byteSet) append(b []byte, text string) []byte {
	for i := range len(text) {
		c := text[i]
		if s[c] {
			b = append(b, '%', upperHex[c>>4], upperHex[c&15])
		} else {
			b = append(b, c)
		}
	}
	return b
}

// ngxEscapeURI is ngx.escape_uri(text, type?).
func ngxEscapeURI(_ *Ctx, l *lua.LState) int {
	kind := 2
	if v := l.Get(2); v != lua.LNil {
		n, ok := v.(lua.LNumber)
		if !ok {
			vm.Raise(l, lua.LString(`"type" is not a number`))
		}
		if kind = int(n); kind < 0 || kind > 6 {
			vm.Raise(l, lua.LString(`"type" `+vm.FormatNumber(float64(n))+" out of range"))
		}
	}
	return retString(l, escapes[kind].escape(text(l)))
}

// unescapeURI replaces %XX and "+"; a "%" that no two hex digits follow stays.
func unescapeURI(s string) string {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '+':
			b = append(b, ' ')
		case c == '%' && i+2 < len(s) && hexDigit(s[i+1]) >= 0 && hexDigit(s[i+2]) >= 0:
			b = append(b, byte(hexDigit(s[i+1])<<4|hexDigit(s[i+2])))
			i += 2
		default:
			b = append(b, c)
		}
	}
	return buf.String(b)
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// unsafeByte finds a byte that may not be in a URI or header.
func unsafeByte(s string) (byte, bool) {
	for i := range len(s) {
		if c := s[i]; c < 0x20 && c != '\t' || c == 0x7f {
			return c, true
		}
	}
	return 0, false
}

// escapeLog writes what cannot be printed as \xXX.
func escapeLog(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' {
			b.WriteString("\\x")
			b.WriteByte(upperHex[c>>4])
			b.WriteByte(upperHex[c&15])
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// ngxEncodeBase64 is ngx.encode_base64(text, no_padding?).
func ngxEncodeBase64(_ *Ctx, l *lua.LState) int {
	enc := base64.StdEncoding
	switch v := l.Get(2); {
	case v == lua.LTrue:
		enc = base64.RawStdEncoding
	case lua.LVAsBool(v):
		vm.Errorf(l, "bad no_padding: boolean expected, got %s", vm.TypeName(v))
	}
	return retString(l, enc.EncodeToString(buf.Bytes(text(l))))
}

// decodeBase64 decodes argument 1; nil is for what is not base64.
func decodeBase64(l *lua.LState, decode func(string) (string, bool)) int {
	s, ok := l.Get(1).(lua.LString)
	if !ok {
		vm.Errorf(l, "string argument only")
	}
	out, ok := decode(string(s))
	if !ok {
		return ret(l, lua.LNil)
	}
	return retString(l, out)
}

// decodeStd decodes as nginx's ngx_decode_base64: it ends at the first "=", whatever follows, and bits left over at the
// end are ignored.
func decodeStd(s string) (string, bool) {
	n := strings.IndexByte(s, '=')
	if n < 0 {
		n = len(s)
	}
	return decodeDigits(s[:n], false)
}

// decodeMIME is decodeStd that skips what is not of the alphabet.
func decodeMIME(s string) (string, bool) {
	if n := strings.IndexByte(s, '='); n >= 0 {
		s = s[:n]
	}
	return decodeDigits(s, true)
}

func decodeDigits(s string, skip bool) (string, bool) {
	out := make([]byte, 0, len(s)*3/4+3)
	var bits uint32
	digits := 0
	for i := range len(s) {
		d := base64Digit(s[i])
		if d < 0 {
			if !skip {
				return "", false
			}
			continue
		}
		bits = bits<<6 | uint32(d)
		if digits++; digits%4 == 0 {
			out = append(out, byte(bits>>16), byte(bits>>8), byte(bits))
		}
	}
	switch digits % 4 {
	case 1:
		return "", false
	case 2:
		out = append(out, byte(bits>>4))
	case 3:
		out = append(out, byte(bits>>10), byte(bits>>2))
	}
	return buf.String(out), true
}

func base64Digit(c byte) int {
	switch {
	case c >= 'A' && c <= 'Z':
		return int(c - 'A')
	case c >= 'a' && c <= 'z':
		return int(c-'a') + 26
	case c >= '0' && c <= '9':
		return int(c-'0') + 52
	case c == '+':
		return 62
	case c == '/':
		return 63
	}
	return -1
}

// sqlEscapes are the bytes that ngx.quote_sql_str writes with a backslash.
var sqlEscapes = strings.NewReplacer("\x00", `\0`, "\b", `\b`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\x1a", `\Z`, `\`, `\\`,
	`'`, `\'`, `"`, `\"`)

func ngxQuoteSQL(_ *Ctx, l *lua.LState) int {
	if l.GetTop() != 1 {
		vm.Errorf(l, "expecting one argument")
	}
	return retString(l, "'"+sqlEscapes.Replace(vm.CheckString(l, 1))+"'")
}
