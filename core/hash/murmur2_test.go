package hash

import "testing"

func TestMurmur2(t *testing.T) {
	for in, want := range map[string]uint32{
		"": 0, "a": 0x92685f5e, "ab": 0x1aa14063, "abc": 0x13577c9b, "abcd": 0x26873021,
		"127.0.0.1": 0xb6131d91, "hello world": 0x44a81419,
	} {
		if got := Murmur2([]byte(in)); got != want {
			t.Errorf("%q: %#x, want %#x", in, got, want)
		}
	}
}
