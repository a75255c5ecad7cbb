package cjson

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	lua "github.com/yuin/gopher-lua"

	"moongate/lua/vm"
)

// token is a lexical element, numbered as its name in messages.
type token uint8

const (
	objBegin token = iota
	objEnd
	arrBegin
	arrEnd
	str
	number
	whole
	truth
	null
	colon
	comma
	end
	failed
)

var tokenNames = [...]string{
	"T_OBJ_BEGIN", "T_OBJ_END", "T_ARR_BEGIN", "T_ARR_END", "T_STRING", "T_NUMBER", "T_INTEGER", "T_BOOLEAN", "T_NULL",
	"T_COLON", "T_COMMA", "T_END",
}

// decoder reads one text.
type decoder struct {
	*config
	s     string
	pos   int
	depth int
	// at is where the last token began. what is its value, problem what is wrong with it.
	at      int
	text    string
	copied  bool // text is no part of s
	num     float64
	bool    bool
	problem string
	tmp     []byte
	fields  int // of the last object
}

// sharedText is the size of the longest JSON text, in bytes, that decoded strings may be parts of: those of longer ones
// are copies, lest a small value keep much memory.
const sharedText = 1024

// keyCache has the names of fields as values. Most documents have few names and have them often.
type keyCache [256]lua.LValue

// longestKey is the length, in bytes, of names that are kept.
const longestKey = 32

// value is a name as a value; it may be a part of the document.
func (c *keyCache) value(name string, copied bool) lua.LValue {
	n := len(name)
	if n == 0 || n > longestKey {
		if copied {
			return lua.LString(name)
		}
		return vm.Text(name)
	}
	slot := &c[(uint(n)*31+uint(name[0])*7+uint(name[n/2])*5+uint(name[n-1]))%uint(len(c))]
	if s, ok := (*slot).(lua.LString); ok && string(s) == name {
		return *slot
	}
	*slot = vm.Text(name)
	return *slot
}

// decode is cjson.decode(text).
func (c *config) decode(l *lua.LState) (lua.LValue, error) {
	d := decoder{config: c, s: vm.CheckString(l, 1)}
	if len(d.s) >= 2 && (d.s[0] == 0 || d.s[1] == 0) {
		return nil, errorText("JSON parser does not support UTF-16 or UTF-32")
	}
	v, err := d.value(d.next())
	if err != nil {
		return nil, err
	}
	if t := d.next(); t != end {
		return nil, d.unexpected("the end", t)
	}
	return v, nil
}

func (d *decoder) unexpected(want string, t token) error {
	found := d.problem
	if t != failed {
		found = tokenNames[t]
	}
	return errorText(fmt.Sprintf("Expected %s but found %s at character %d", want, found, d.at+1))
}

// fail makes the current token a wrong one, at the current place.
func (d *decoder) fail(problem string) token {
	d.at, d.problem = d.pos, problem
	return failed
}

// byteAt is the byte at a place, 0 behind the end.
func (d *decoder) byteAt(i int) byte {
	if i < len(d.s) {
		return d.s[i]
	}
	return 0
}

// next reads a token.
func (d *decoder) next() token {
	if !d.skipSpace() {
		return d.fail("unclosed multi-line comment")
	}
	d.at = d.pos
	c := d.byteAt(d.pos)
	if t := single[c]; t != failed {
		d.pos++
		return t
	}
	switch c {
	case 0:
		return end
	case '"':
		return d.str()
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		if !d.decodeInvalid && d.invalidNumber() {
			return d.fail("invalid number")
		}
		return d.number()
	case 't':
		if strings.HasPrefix(d.s[d.pos:], "true") {
			d.pos, d.bool = d.pos+4, true
			return truth
		}
	case 'f':
		if strings.HasPrefix(d.s[d.pos:], "false") {
			d.pos, d.bool = d.pos+5, false
			return truth
		}
	case 'n':
		if strings.HasPrefix(d.s[d.pos:], "null") {
			d.pos += 4
			return null
		}
	}
	if strings.IndexByte("+iInN", c) >= 0 && d.decodeInvalid && d.invalidNumber() {
		return d.number()
	}
	return d.fail("invalid token")
}

// single are the tokens of one byte.
var single = func() (t [256]token) {
	for i := range t {
		t[i] = failed
	}
	t['{'], t['}'], t['['], t[']'], t[','], t[':'] = objBegin, objEnd, arrBegin, arrEnd, comma, colon
	return t
}()

// skipSpace skips white space and, if they are allowed, comments. It reports false for one without an end.
func (d *decoder) skipSpace() bool {
	for {
		switch d.byteAt(d.pos) {
		case ' ', '\t', '\n', '\r':
			d.pos++
			continue
		case '/':
			if !d.comments {
				return true
			}
		default:
			return true
		}
		switch d.byteAt(d.pos + 1) {
		case '/':
			for d.pos += 2; d.byteAt(d.pos) != 0 && d.s[d.pos] != '\n'; {
				d.pos++
			}
		case '*':
			n := strings.Index(d.s[d.pos+2:], "*/")
			if n < 0 {
				d.pos = len(d.s)
				return false
			}
			d.pos += n + 4
		default:
			return true
		}
	}
}

// str reads a string. It ends at a NUL as well, where lua-cjson takes the text to be over.
func (d *decoder) str() token {
	d.pos++
	start := d.pos
	for i := start; i < len(d.s); i++ {
		switch d.s[i] {
		case '"':
			d.text, d.pos, d.copied = d.s[start:i], i+1, false
			return str
		case '\\', 0:
			d.tmp = append(d.tmp[:0], d.s[start:i]...)
			d.pos = i
			return d.escaped()
		}
	}
	d.pos = len(d.s)
	return d.fail("unexpected end of string")
}

// escaped reads a string from its first escape on.
func (d *decoder) escaped() token {
	for {
		c := d.byteAt(d.pos)
		switch c {
		case '"':
			d.pos++
			d.text, d.copied = string(d.tmp), true
			return str
		case 0:
			return d.fail("unexpected end of string")
		case '\\':
			switch c = d.byteAt(d.pos + 1); c {
			case '"', '\\', '/':
			case 'b':
				c = '\b'
			case 't':
				c = '\t'
			case 'n':
				c = '\n'
			case 'f':
				c = '\f'
			case 'r':
				c = '\r'
			case 'u':
				r, n := d.unicode()
				if n == 0 {
					return d.fail("invalid unicode escape code")
				}
				d.tmp = utf8.AppendRune(d.tmp, r)
				d.pos += n
				continue
			default:
				return d.fail("invalid escape code")
			}
			d.pos++
		}
		d.tmp = append(d.tmp, c)
		d.pos++
	}
}

const surrogate = 0x10000

// unicode reads \uXXXX, or two of them that form a surrogate pair, and returns the length, 0 when it is wrong.
func (d *decoder) unicode() (r rune, n int) {
	r = d.hex4(d.pos + 2)
	switch {
	case r < 0 || r&0xfc00 == 0xdc00:
		return 0, 0
	case r&0xfc00 != 0xd800:
		return r, 6
	}
	if d.byteAt(d.pos+6) != '\\' || d.byteAt(d.pos+7) != 'u' {
		return 0, 0
	}
	low := d.hex4(d.pos + 8)
	if low < 0 || low&0xfc00 != 0xdc00 {
		return 0, 0
	}
	return (r&0x3ff)<<10 + low&0x3ff + surrogate, 12
}

// hex4 is the number of four hexadecimal digits at a place, -1 when they are none.
func (d *decoder) hex4(at int) (r rune) {
	for i := range 4 {
		c := d.byteAt(at + i)
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// value makes the value that begins with a token.
func (d *decoder) value(t token) (lua.LValue, error) {
	switch t {
	case str:
		if d.copied || len(d.s) <= sharedText {
			return lua.LString(d.text), nil
		}
		return vm.Text(d.text), nil
	case number, whole:
		return boxed(d.num), nil
	case truth:
		return lua.LBool(d.bool), nil
	case null:
		return vm.Null, nil
	case objBegin:
		return d.object()
	case arrBegin:
		return d.array()
	}
	return nil, d.unexpected("value", t)
}

// boxed is a number as a value; small whole ones are made once.
func boxed(n float64) lua.LValue {
	if i := int(n); i >= 0 && i < len(smallNumbers) && float64(i) == n && !math.Signbit(n) {
		return smallNumbers[i]
	}
	return lua.LNumber(n)
}

var smallNumbers = func() (t [1024]lua.LValue) {
	for i := range t {
		t[i] = lua.LNumber(i)
	}
	return t
}()

func (d *decoder) descend() error {
	if d.depth++; d.depth > min(d.decodeDepth, maxDepth) {
		return errorText(fmt.Sprintf("Found too many nested data structures (%d) at character %d", d.depth, d.pos))
	}
	return nil
}

// maxRoom is for how many fields an object makes room before they have come.
const maxRoom = 16

func (d *decoder) object() (lua.LValue, error) {
	if err := d.descend(); err != nil {
		return nil, err
	}
	t := d.next()
	if t == objEnd {
		d.depth--
		return vm.NewTable(0, 0), nil
	}
	table := vm.NewTable(0, max(d.fields, 1))
	for n := 1; ; n++ {
		if t != str {
			return nil, d.unexpected("object key string", t)
		}
		key := d.keys.value(d.text, d.copied)
		if t = d.next(); t != colon {
			return nil, d.unexpected("colon", t)
		}
		v, err := d.value(d.next())
		if err != nil {
			return nil, err
		}
		vm.SetField(table, key, v)
		switch t = d.next(); t {
		case objEnd:
			d.depth--
			d.fields = min(n, maxRoom)
			return table, nil
		case comma:
			t = d.next()
		default:
			return nil, d.unexpected("comma or object end", t)
		}
	}
}

func (d *decoder) array() (lua.LValue, error) {
	if err := d.descend(); err != nil {
		return nil, err
	}
	table := vm.NewTable(0, 0)
	if d.arrayMT {
		table.Metatable = d.arrayMeta
	}
	t := d.next()
	if t == arrEnd {
		d.depth--
		return table, nil
	}
	for {
		v, err := d.value(t)
		if err != nil {
			return nil, err
		}
		vm.Append(table, v)
		switch t = d.next(); t {
		case arrEnd:
			d.depth--
			return table, nil
		case comma:
			t = d.next()
		default:
			return nil, d.unexpected("comma or array end", t)
		}
	}
}

// invalidNumber tells numbers that strtod knows and JSON does not.
func (d *decoder) invalidNumber() bool {
	p := d.s[d.pos:]
	if p[0] == '+' {
		return true
	}
	p = strings.TrimPrefix(p, "-")
	if p == "" || p[0] != '0' {
		return len(p) >= 3 && p[0] > '9' && (strings.EqualFold(p[:3], "inf") || strings.EqualFold(p[:3], "nan"))
	}
	return len(p) > 1 && (p[1]|0x20 == 'x' || p[1] >= '0' && p[1] <= '9')
}

// number reads what strtod would take for a number; whole ones are limited to 64 bits, as strtoll does.
func (d *decoder) number() token {
	if d.shortInteger() {
		return whole
	}
	n, fraction := scanNumber(d.s[d.pos:])
	if n == 0 {
		return d.fail("invalid number")
	}
	text := strings.TrimPrefix(d.s[d.pos:d.pos+n], "+")
	d.pos += n
	if !fraction {
		i, _ := strconv.ParseInt(text, 10, 64) // out of range it is the greatest or least one
		d.num = float64(i)
		return whole
	}
	if hex := strings.TrimPrefix(text, "-"); len(hex) > 2 && hex[1]|0x20 == 'x' && !strings.ContainsAny(hex, "pP") {
		text += "p0"
	}
	if strings.EqualFold(text, "-nan") {
		text = text[1:]
	}
	d.num, _ = strconv.ParseFloat(text, 64) // out of range it is infinite or 0
	return number
}

// shortInteger reads a number of a few digits, which most are.
func (d *decoder) shortInteger() bool {
	const most = 15
	i, n := d.pos, 0
	negative := d.byteAt(i) == '-'
	if negative {
		i++
	}
	start := i
	for ; isDecimal(d.byteAt(i)) && i-start <= most; i++ {
		n = n*10 + int(d.s[i]-'0')
	}
	switch c := d.byteAt(i); {
	case i == start, i-start > most, c == '.', c|0x20 == 'e', c|0x20 == 'x':
		return false
	}
	d.num = float64(n)
	if negative {
		d.num = float64(-n)
	}
	d.pos = i
	return true
}

// scanNumber is the length of the number that s begins with, 0 for none, and whether it is more than digits.
func scanNumber(s string) (n int, fraction bool) {
	i := 0
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		i++
	}
	for _, word := range [...]string{"infinity", "inf", "nan"} {
		if len(s)-i >= len(word) && strings.EqualFold(s[i:i+len(word)], word) {
			return i + len(word), true
		}
	}
	isDigit, exponent := isDecimal, byte('e')
	if len(s) > i+2 && s[i] == '0' && s[i+1]|0x20 == 'x' && isHex(s[i+2]) {
		i, isDigit, exponent, fraction = i+2, isHex, 'p', true
	}
	start := i
	i = digits(s, i, isDigit)
	seen := i - start
	if i < len(s) && s[i] == '.' {
		j := digits(s, i+1, isDigit)
		seen += j - i - 1
		i, fraction = j, true
	}
	if seen == 0 {
		return 0, false
	}
	if i < len(s) && s[i]|0x20 == exponent {
		j := i + 1
		if j < len(s) && (s[j] == '-' || s[j] == '+') {
			j++
		}
		if k := digits(s, j, isDecimal); k > j {
			i, fraction = k, true
		}
	}
	return i, fraction
}

func isDecimal(c byte) bool { return c >= '0' && c <= '9' }
func isHex(c byte) bool     { return isDecimal(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }

func digits(s string, i int, isDigit func(byte) bool) int {
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return i
}
