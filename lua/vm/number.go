package vm

import (
	"math"
	"strconv"

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
		if math.Signbit(n) {
			return append(b, "-nan"...)
		}
		return append(b, "nan"...)
	}
	return strconv.AppendFloat(b, n, 'g', 14, 64)
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

// toInt is a C cast of a double to a 32-bit lua_Integer argument, saturating where C leaves it undefined.
func toInt(n float64) int {
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
