package vm

import (
	"math"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// formatSpec is one conversion of string.format.
type formatSpec struct {
	minus, plus, space, sharp, zero bool
	width, prec                     int // prec -1: none given
	verb                            byte
}

// parseSpec reads a conversion after its '%'; n is its size, 0 when it is malformed.
func parseSpec(s string) (f formatSpec, n int) {
	f.prec = -1
	for ; n < len(s); n++ {
		switch s[n] {
		case '-':
			f.minus = true
		case '+':
			f.plus = true
		case ' ':
			f.space = true
		case '#':
			f.sharp = true
		case '0':
			f.zero = true
		default:
			goto width
		}
	}
width:
	digits := func() (v, count int) {
		for ; n < len(s) && s[n]-'0' < 10; n++ {
			v = v*10 + int(s[n]-'0')
			if count++; count > 2 {
				return 0, count
			}
		}
		return v, count
	}
	w, count := digits()
	if count > 2 {
		return f, 0
	}
	f.width = w
	if n < len(s) && s[n] == '.' {
		n++
		p, count := digits()
		if count > 2 {
			return f, 0
		}
		f.prec = p
	}
	if n >= len(s) {
		return f, 0
	}
	f.verb = s[n]
	return f, n + 1
}

// strFormat is string.format.
func (v *VM) strFormat(l *lua.LState) int {
	format := CheckString(l, 1)
	b := v.scratch[:0]
	v.scratch = nil // a __tostring may call string.format as well
	b = v.format(l, b, format, 1)
	l.Push(Text(b))
	if cap(b) <= maxScratch {
		v.scratch = b
	}
	return 1
}

// maxScratch is the largest buffer that is kept for the next string.format.
const maxScratch = 64 << 10

// format appends a format with the values after stack place `arg` filled in.
func (v *VM) format(l *lua.LState, b []byte, format string, arg int) []byte {
	for i := 0; i < len(format); {
		p := strings.IndexByte(format[i:], '%')
		if p < 0 {
			return append(b, format[i:]...)
		}
		b = append(b, format[i:i+p]...)
		i += p + 1
		if i < len(format) && format[i] == '%' {
			b = append(b, '%')
			i++
			continue
		}
		f, n := parseSpec(format[i:])
		if n == 0 {
			badFormat(l, format[i-1:i+stopped(format[i:])])
		}
		arg++
		b = v.convert(l, b, &f, arg, format[i-1:i+n])
		if len(b) > v.opts.MaxString {
			raiseMemory(l)
		}
		i += n
	}
	return b
}

// stopped is the size of a malformed conversion up to the digit too much.
func stopped(s string) int {
	digits := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c-'0' < 10 && (c != '0' || digits > 0):
			if digits++; digits > 2 {
				return i + 1
			}
		default:
			digits = 0
		}
	}
	return len(s)
}

func badFormat(l *lua.LState, spec string) {
	Errorf(l, "%s", "invalid option '"+spec+"' to 'format'")
}

// convert appends one value.
func (v *VM) convert(l *lua.LState, b []byte, f *formatSpec, arg int, spec string) []byte {
	switch f.verb {
	case 'd', 'i', 'u', 'x', 'X', 'o', 'c', 'e', 'E', 'f', 'F', 'g', 'G', 'a', 'A', 'q', 's', 'p':
		if arg > l.GetTop() {
			ArgError(l, arg, "value expected")
		}
	default:
		badFormat(l, spec)
	}
	plain := f.width == 0 && f.prec < 0 && !f.plus && !f.space
	switch f.verb {
	case 'd', 'i':
		if plain {
			return strconv.AppendInt(b, toInt64(CheckNumber(l, arg)), 10)
		}
		return f.appendInt(b, toInt64(CheckNumber(l, arg)))
	case 'u', 'x', 'X', 'o':
		return f.appendUint(b, uint64(toInt64(CheckNumber(l, arg))))
	case 'c':
		return f.pad(b, string([]byte{byte(CheckInt(l, arg))}))
	case 'q':
		return quote(b, v.Display(l, l.Get(arg)))
	case 's':
		if s, ok := l.Get(arg).(lua.LString); ok && plain {
			return append(b, s...)
		}
		s := v.Display(l, l.Get(arg))
		if f.prec >= 0 && f.prec < len(s) {
			s = s[:f.prec]
		}
		return f.pad(b, s)
	case 'p':
		return f.pad(b, pointerText(l.Get(arg)))
	}
	return f.appendFloat(b, CheckNumber(l, arg))
}

func pointerText(value lua.LValue) string {
	if _, p, ok := strings.Cut(value.String(), ": "); ok && value.Type() != lua.LTString {
		return p
	}
	return "NULL"
}

// toInt64 is C's conversion of a double to a 64-bit integer; values that need all 64 bits wrap as unsigned.
func toInt64(n float64) int64 {
	if n >= math.MaxInt64 && n < math.MaxUint64 {
		return int64(uint64(n))
	}
	if n != n || n >= math.MaxInt64 || n <= math.MinInt64 {
		return math.MinInt64
	}
	return int64(n)
}

// pad appends s in the width of the conversion.
func (f *formatSpec) pad(b []byte, s string) []byte {
	return f.padNumber(b, "", s, false)
}

// padNumber appends sign and digits; zeros fill the width when the flag asks and the conversion allows it.
func (f *formatSpec) padNumber(b []byte, sign, digits string, zeros bool) []byte {
	n := f.width - len(sign) - len(digits)
	if n > 0 && !f.minus && !(zeros && f.zero) {
		b = append(b, strings.Repeat(" ", n)...)
	}
	b = append(b, sign...)
	if n > 0 && !f.minus && zeros && f.zero {
		b = append(b, strings.Repeat("0", n)...)
	}
	b = append(b, digits...)
	if n > 0 && f.minus {
		b = append(b, strings.Repeat(" ", n)...)
	}
	return b
}

// sign is what stands before a number that is negative or not.
func (f *formatSpec) sign(neg bool) string {
	switch {
	case neg:
		return "-"
	case f.plus:
		return "+"
	case f.space:
		return " "
	}
	return ""
}

// digits pads an integer to the precision.
func (f *formatSpec) digits(s string) string {
	if f.prec == 0 && s == "0" {
		return ""
	}
	if n := f.prec - len(s); n > 0 {
		return strings.Repeat("0", n) + s
	}
	return s
}

func (f *formatSpec) appendInt(b []byte, n int64) []byte {
	neg := n < 0
	u := uint64(n)
	if neg {
		u = -u
	}
	return f.padNumber(b, f.sign(neg), f.digits(strconv.FormatUint(u, 10)), f.prec < 0)
}

func (f *formatSpec) appendUint(b []byte, u uint64) []byte {
	prefix := ""
	var s string
	switch f.verb {
	case 'x':
		s = strconv.FormatUint(u, 16)
		if f.sharp && u != 0 {
			prefix = "0x"
		}
	case 'X':
		s = strings.ToUpper(strconv.FormatUint(u, 16))
		if f.sharp && u != 0 {
			prefix = "0X"
		}
	case 'o':
		s = strconv.FormatUint(u, 8)
		if f.sharp && u != 0 {
			s = "0" + s
		}
	default:
		s = strconv.FormatUint(u, 10)
	}
	return f.padNumber(b, prefix, f.digits(s), f.prec < 0)
}

func (f *formatSpec) appendFloat(b []byte, n float64) []byte {
	neg := math.Signbit(n)
	upper := f.verb < 'a'
	var s string
	switch {
	case math.IsInf(n, 0):
		s = "inf"
	case n != n:
		s, neg = "nan", false
	default:
		s = f.floatDigits(math.Abs(n))
	}
	if upper {
		s = strings.ToUpper(s)
	}
	return f.padNumber(b, f.sign(neg), s, !math.IsInf(n, 0) && n == n)
}

// floatDigits formats a finite non-negative number, in lower case.
func (f *formatSpec) floatDigits(n float64) string {
	verb := f.verb | 0x20
	prec := f.prec
	if verb == 'a' {
		return hexFloat(n, prec)
	}
	if prec < 0 {
		prec = 6
	}
	if verb == 'g' && prec == 0 {
		prec = 1
	}
	s := string(appendRounded(nil, n, verb, prec))
	if f.sharp && !strings.ContainsAny(s, ".") {
		if mantissa, exp, ok := strings.Cut(s, "e"); ok {
			return mantissa + ".e" + exp
		}
		return s + "."
	}
	return s
}

// hexFloat is %a: C writes the exponent without leading zeros.
func hexFloat(n float64, prec int) string {
	s := strconv.FormatFloat(n, 'x', prec, 64)
	if i := strings.IndexByte(s, 'p'); i >= 0 && i+3 < len(s) && s[i+2] == '0' {
		s = s[:i+2] + s[i+3:]
	}
	return s
}

// quote appends s as %q writes it.
func quote(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\' || c == '\n':
			b = append(b, '\\', c)
		case c < 0x20 || c == 0x7f:
			b = append(b, '\\')
			if i+1 < len(s) && s[i+1]-'0' < 10 {
				b = append(b, '0'+c/100, '0'+c/10%10, '0'+c%10)
			} else {
				b = strconv.AppendInt(b, int64(c), 10)
			}
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
