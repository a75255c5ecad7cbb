package compile

import (
	"math"
	"strconv"
	"strings"
)

// ParseNumber reads a number as tonumber and the arithmetic operators do (lj_strscan): optional white space around, an
// optional sign, then a decimal or hexadecimal number (each with fraction and exponent), "inf", "infinity" or "nan" in
// any case.
func ParseNumber(s string) (float64, bool) {
	s = strings.Trim(s, " \t\n\v\f\r")
	if s == "" {
		return 0, false
	}
	body := s
	neg := false
	switch body[0] {
	case '-':
		neg = true
		body = body[1:]
	case '+':
		body = body[1:]
	}
	n, ok := scanUnsigned(body)
	if neg {
		n = -n
	}
	return n, ok
}

// scanUnsigned reads a number without sign and without surrounding space.
func scanUnsigned(s string) (float64, bool) {
	if s == "" {
		return 0, false
	}
	if len(s) > 1 && s[0] == '0' && s[1]|0x20 == 'x' {
		return scanHex(s[2:])
	}
	if len(s) > 1 && s[0] == '0' && s[1]|0x20 == 'b' {
		return scanBinary(s[2:])
	}
	switch s[0] {
	case 'i', 'I', 'n', 'N':
		switch strings.ToLower(s) {
		case "inf", "infinity":
			return math.Inf(1), true
		case "nan":
			return math.NaN(), true
		}
		return 0, false
	}
	return scanDecimal(s)
}

func scanDecimal(s string) (float64, bool) {
	integer := true
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case isDigit(c):
		case c == '.' || c == 'e' || c == 'E':
			integer = false
		case (c == '+' || c == '-') && i > 0 && s[i-1]|0x20 == 'e':
		default:
			return 0, false // keeps out what ParseFloat takes beyond Lua: underscores, p exponents
		}
	}
	if integer && len(s) < 16 {
		n := 0
		for i := 0; i < len(s); i++ {
			n = n*10 + int(s[i]-'0')
		}
		return float64(n), true
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(n, 0) {
		return 0, false
	}
	return n, true
}

// scanBinary reads the digits after 0b, an extension of LuaJIT.
func scanBinary(s string) (float64, bool) {
	n := 0.0
	for i := 0; i < len(s); i++ {
		if s[i] != '0' && s[i] != '1' {
			return 0, false
		}
		n = n*2 + float64(s[i]-'0')
	}
	return n, s != ""
}

// scanHex reads the digits after 0x: a fraction and a binary exponent may follow. Digits beyond 53 bits are rounded by
// strconv, which knows the format with its exponent only.
func scanHex(s string) (float64, bool) {
	digits := 0
	exp := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case !exp && isHex(c):
			digits++
		case c == '.' && !exp:
		case c|0x20 == 'p' && !exp:
			exp = true
		case exp && (isDigit(c) || (c == '+' || c == '-') && s[i-1]|0x20 == 'p'):
		default:
			return 0, false
		}
	}
	if digits == 0 {
		return 0, false
	}
	if !exp {
		s += "p0"
	}
	n, err := strconv.ParseFloat("0x"+s, 64)
	if err != nil && !math.IsInf(n, 0) {
		return 0, false
	}
	return n, true
}

// scanLiteral reads a number of the source text. LuaJIT's suffixes for 64-bit integers (LL, ULL) are taken, with a
// double as their value: there is no cdata.
func scanLiteral(s string) (float64, bool) {
	if n, ok := scanUnsigned(s); ok {
		return n, true
	}
	t := strings.ToLower(s)
	if t, ok := strings.CutSuffix(t, "ll"); ok {
		t = strings.TrimSuffix(t, "u")
		if !strings.ContainsAny(t, ".") {
			return scanUnsigned(t)
		}
	}
	return 0, false
}

func isDigit(c byte) bool { return c-'0' < 10 }
func isHex(c byte) bool   { return isDigit(c) || (c|0x20)-'a' < 6 }
func isIdent(c byte) bool { return isDigit(c) || (c|0x20)-'a' < 26 || c == '_' || c >= 0x80 }

// IsSpace tells the white space of the C locale.
func IsSpace(c byte) bool { return c == ' ' || c-'\t' < 5 }
