package http2

import (
	"bytes"
	"testing"

	"golang.org/x/net/http2/hpack"
)

// TestFields: what is encoded is decoded by another implementation.
func TestFields(t *testing.T) {
	long := string(bytes.Repeat([]byte{0xff}, 300))
	b := AppendStatus(nil, 200)
	b = AppendStatus(b, 418)
	b = AppendIndexed(b, IndexServer, "nginx")
	b = AppendIndexed(b, IndexVary, "Accept-Encoding")
	b = AppendField(b, "X-Name", "")
	b = AppendField(b, "x-long", long)
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
		b = AppendField(AppendIndexed(AppendStatus(b[:0], 200), IndexServer, "nginx"), "X-Name", "value")
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
		f := Frame{Flags: FlagPadded, Payload: []byte(test.payload)}
		if ok := f.Unpad(); ok != test.ok || string(f.Payload) != test.want {
			t.Errorf("%q: %q %v", test.payload, f.Payload, ok)
		}
	}
}

func TestHead(t *testing.T) {
	b := AppendHead(nil, 0x010203, FrameHeaders, FlagEndStream, 7)
	b[5] |= 0x80 // reserved
	f, n := ParseHead(b)
	if f.Kind != FrameHeaders || !f.Has(FlagEndStream) || f.ID != 7 || n != 0x010203 {
		t.Errorf("%+v %#x", f, n)
	}
}
