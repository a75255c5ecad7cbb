package vm

import (
	"math"
	"math/bits"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"moongate/lua/vm/compile"
)

// AppendNumber appends n as Lua writes numbers: "%.14g".
func AppendNumber(b []byte, n float64) []byte {
	if i := int64(n); float64(i) == n && i < 1e14 && i > -1e14 {
		if i == 0 && math.Signbit(n) {
			return append(b, "-0"...)
		}
		return strconv.AppendInt(b, i, 10)
	}
	switch {
	case math.IsInf(n, 1):
		return append(b, "inf"...)
	case math.IsInf(n, -1):
		return append(b, "-inf"...)
	case math.IsNaN(n):
		return append(b, "nan"...)
	}
	return appendRounded(b, n, 'g', 14)
}

// appendRounded formats a finite number as strconv does, but rounds exact ties away from zero, as LuaJIT's own
// formatting does where C libraries and Go round to even.
func appendRounded(b []byte, n float64, verb byte, prec int) []byte {
	if isTie(n, verb, prec) {
		n = math.Nextafter(n, math.Copysign(math.Inf(1), n))
	}
	return strconv.AppendFloat(b, n, verb, prec, 64)
}

// isTie tells whether n is exactly half-way between two numbers of the given precision.
func isTie(n float64, verb byte, prec int) bool {
	// n is an odd number times a power of two; with many fractional bits its decimal digits go far beyond any precision.
	const farthest = 40
	frac, exp := math.Frexp(n)
	mantissa := uint64(math.Abs(frac) * (1 << 53))
	fraction := 53 - exp - bits.TrailingZeros64(mantissa)
	if n == 0 || fraction > farthest {
		return false
	}
	digits := prec // significant digits kept
	sci := strconv.FormatFloat(math.Abs(n), 'e', 60, 64)
	mant, e, _ := strings.Cut(sci, "e")
	switch verb {
	case 'e':
		digits++
	case 'f':
		x, err := strconv.Atoi(e)
		if digits += x + 1; err != nil || digits < 0 {
			return false
		}
	}
	mant = mant[:1] + mant[2:]
	if digits >= len(mant) {
		return false
	}
	return mant[digits] == '5' && strings.Trim(mant[digits+1:], "0") == ""
}

// FormatNumber is AppendNumber as a string.
func FormatNumber(n float64) string {
	var b [32]byte
	return string(AppendNumber(b[:0], n))
}

// ToNumber converts a number or a numeric string.
func ToNumber(v lua.LValue) (float64, bool) {
	switch v := v.(type) {
	case lua.LNumber:
		return float64(v), true
	case lua.LString:
		return compile.ParseNumber(string(v))
	}
	return 0, false
}

// ToString converts a string or a number; other values have no string without asking tostring.
func ToString(v lua.LValue) (string, bool) {
	switch v := v.(type) {
	case lua.LString:
		return string(v), true
	case lua.LNumber:
		return FormatNumber(float64(v)), true
	}
	return "", false
}

// ToInt is a C cast of a double to a 32-bit lua_Integer argument, saturating where C leaves it undefined.
func ToInt(n float64) int {
	switch {
	case n >= math.MaxInt64:
		return math.MaxInt64
	case n <= math.MinInt64:
		return math.MinInt64
	case n != n:
		return 0
	}
	return int(n)
}
