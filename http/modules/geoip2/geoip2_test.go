package geoip2

import (
	"math/big"
	"testing"
)

func TestFormat(t *testing.T) {
	for _, c := range []struct {
		v    any
		want string
		ok   bool
	}{
		{true, "1", true}, {false, "0", true}, {"text", "text", true}, {[]byte("b"), "b", true},
		{float32(1.5), "1.50000", true}, {-0.25, "-0.25000", true}, {uint64(7), "7", true}, {int32(-7), "-7", true},
		{big.NewInt(255), "0x000000000000000000000000000000ff", true},
		{map[string]any{}, "", false}, {[]any{}, "", false}, {nil, "", false},
	} {
		if got, ok := format(c.v); got != c.want || ok != c.ok {
			t.Errorf("%v: %q, %v", c.v, got, ok)
		}
	}
}
