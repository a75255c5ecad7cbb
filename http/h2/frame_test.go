package h2

import (
	"bytes"
	"testing"

	"golang.org/x/net/http2/hpack"
)

// TestFields: what is encoded is decoded by another implementation.
func TestFields(t *testing.T) {
	long := string(bytes.Repeat([]byte{0xff}, 300))
	b := appendStatus(nil, 200)
	b = appendStatus(b, 418)
	b = appendIndexed(b, indexServer, "nginx")
	b = appendIndexed(b, indexVary, "Accept-Encoding")
	b = appendField(b, "X-Name", "")
	b = appendField(b, "x-long", long)
	want := []hpack.HeaderField{{Name: ":status", Value: "200"}, {Name: ":status", Value: "418"}, {Name: "server", Value: "nginx"},
		{Name: "vary", Value: "Accept-Encoding"}, {Name: "x-name"}, {Name: "x-long", Value: long}}
	got, err := hpack.NewDecoder(0, nil).DecodeFull(b)
	if err != nil || len(got) != len(want) {
		t.Fatalf("%v %v", got, err)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got %v, want %v", got[i], want[i])
		}
	}
}

func TestFieldsAllocate(t *testing.T) {
	b := make([]byte, 0, 256)
	if n := testing.AllocsPerRun(100, func() {
		b = appendField(appendIndexed(appendStatus(b[:0], 200), indexServer, "nginx"), "X-Name", "value")
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestUnpad(t *testing.T) {
	for _, test := range []struct {
		payload, want string
		ok            bool
	}{
		{"\x00ab", "ab", true}, {"\x01ab", "a", true}, {"\x02ab", "", true}, {"\x03ab", "\x03ab", false}, {"", "", false},
	} {
		f := frame{flags: flagPadded, payload: []byte(test.payload)}
		if ok := f.unpad(); ok != test.ok || string(f.payload) != test.want {
			t.Errorf("%q: %q %v", test.payload, f.payload, ok)
		}
	}
}

func TestHead(t *testing.T) {
	b := appendHead(nil, 0x010203, frameHeaders, flagEndStream, 7)
	b[5] |= 0x80 // reserved
	f, n := parseHead(b)
	if f.kind != frameHeaders || !f.has(flagEndStream) || f.id != 7 || n != 0x010203 {
		t.Errorf("%+v %#x", f, n)
	}
}
