package http2

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2/hpack"

	"moongate/core/buf"
)

// decodeAll decodes a block that comes in pieces, as HEADERS and CONTINUATION
// frames bring it.
func decodeAll(d *Decoder, block []byte, cuts ...int) (fields []Field, err error) {
	var mem buf.Arena
	var rest []byte
	d.Begin()
	for i := 0; i <= len(cuts); i++ {
		end := len(block)
		if i < len(cuts) {
			end = cuts[i]
		}
		start := 0
		if i > 0 {
			start = cuts[i-1]
		}
		rest = append(rest, block[start:end]...)
		for len(rest) > 0 {
			f, n, err := d.Next(rest, i == len(cuts), &mem)
			if errors.Is(err, ErrIncomplete) {
				break
			}
			if err != nil {
				return fields, err
			}
			if rest = rest[n:]; f.Name != "" {
				fields = append(fields, f)
			}
		}
	}
	if len(rest) > 0 {
		return fields, errors.New("a rest")
	}
	return fields, nil
}

func TestDecodeErrors(t *testing.T) {
	for _, test := range []struct{ block, want string }{
		{"\x80", "invalid hpack table index 0"},
		{"\xbe", "invalid hpack table index 62"},
		{"\x7f\x00\x00", "invalid hpack table index 63"},
		{"\xff", "header block with incorrect length"},
		{"\xff\xff\xff\xff", "header block with incorrect length"},
		{"\xff\xff\xff\xff\x00", "header block with too long header index value"},
		{"\x3f\xff\xff\xff\x00", "header block with too long size update value"},
		{"\x3f\xe2\x1f", "invalid table size update: 4097"},
		{"\x82\x20", "table size update behind a header field"},
		{"\x42", "header block with incorrect length"},
		{"\x42\x7f\xff\xff\xff\x00", "header field with too long length value"},
		{"\x42\x7f\xff\x7f\x00", "too large header field"},
		{"\x42\x05GET", "header field with incorrect length"},
		{"\x00\x00\x01a", "zero header name length"},
		{"\x00\x01a\x81\x00", "invalid encoded header field"},             // zeros as padding
		{"\x00\x01a\x84\xff\xff\xff\xff", "invalid encoded header field"}, // the end of the string
		{"\x00\x01a\x83\x1f\xff\xff", "invalid encoded header field"},     // three bits and sixteen of padding
	} {
		d := NewDecoder()
		d.MaxString = 8192
		_, err := decodeAll(d, []byte(test.block))
		var failed *DecodeError
		if !errors.As(err, &failed) || failed.Text != test.want {
			t.Errorf("%q: %v, want %s", test.block, err, test.want)
		}
	}
}

// TestPadding: a whole byte of padding is what some encoders send.
func TestPadding(t *testing.T) {
	for _, test := range []struct{ block, want string }{
		{"\x00\x01a\x81\x1f", "a"}, {"\x00\x01a\x86\x1c\x64\x1c\x64\x1c\x64", ""}, {"\x00\x01a\x80", ""},
		{"\x00\x01a\x82\xf8\xff", "&"},
	} {
		d := NewDecoder()
		d.MaxString = 100
		got, err := decodeAll(d, []byte(test.block))
		if test.want != "" && (err != nil || len(got) != 1 || got[0].Value != test.want) {
			t.Errorf("%q: %q %v", test.block, got, err)
		}
	}
}

// randomFields are fields that come again, in part with other values.
func randomFields(rnd *rand.Rand) (list []hpack.HeaderField) {
	for range rnd.IntN(30) {
		f := hpack.HeaderField{Name: staticTable[rnd.IntN(len(staticTable))].name, Sensitive: rnd.IntN(8) == 0}
		if rnd.IntN(3) == 0 {
			f.Name = fmt.Sprintf("x-%d", rnd.IntN(200))
		}
		switch rnd.IntN(4) {
		case 0:
			f.Value = staticTable[rnd.IntN(len(staticTable))].value
		case 1:
			f.Value = strings.Repeat("value", rnd.IntN(1000))
		default:
			b := make([]byte, rnd.IntN(60))
			for i := range b {
				b[i] = byte(rnd.IntN(256))
			}
			f.Value = string(b)
		}
		list = append(list, f)
	}
	return list
}

// TestDecode: what another implementation encodes, over many blocks of one
// connection and however it is cut, is what is decoded.
func TestDecode(t *testing.T) {
	for seed := range uint64(50) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var out bytes.Buffer
		enc, d := hpack.NewEncoder(&out), NewDecoder()
		d.MaxString = 8192
		for range 40 {
			if rnd.IntN(10) == 0 {
				enc.SetMaxDynamicTableSize(uint32(rnd.IntN(TableSize + 1)))
			}
			out.Reset()
			var want []Field
			for _, f := range randomFields(rnd) {
				_ = enc.WriteField(f)
				want = append(want, Field{Name: f.Name, Value: f.Value})
			}
			block := out.Bytes()
			var cuts []int
			for at := 0; len(block) > 0 && rnd.IntN(2) == 0; cuts = append(cuts, at) {
				at += rnd.IntN(len(block) - at + 1)
			}
			got, err := decodeAll(d, block, cuts...)
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			for i := range got {
				if s := got[i].Static; s != 0 && staticTable[s-1].name != got[i].Name {
					t.Fatalf("%q has number %d", got[i].Name, s)
				}
				got[i].Static = 0
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("seed %d: %s", seed, diff)
			}
			if n := cap(d.table.bytes); n > 2*TableSize || cap(d.table.entries) > 4*TableSize/entrySize {
				t.Fatalf("the table has %d bytes, %d entries", n, cap(d.table.entries))
			}
		}
	}
}

// TestHuffman: encoding is that of another implementation.
func TestHuffman(t *testing.T) {
	for c := range 256 {
		for n := range 9 {
			s := strings.Repeat(string([]byte{byte(c)}), n) + strings.Repeat("0", n%3)
			want := hpack.AppendHuffmanString(nil, s)
			got := appendHuffman(nil, s)
			if !bytes.Equal(got, want) || huffmanSize(s) != len(want) {
				t.Fatalf("%q: %x, want %x", s, got, want)
			}
			if back, ok := decodeHuffman(nil, got); !ok || string(back) != s {
				t.Fatalf("%q: %q", s, back)
			}
		}
	}
}

func TestDecodeAllocates(t *testing.T) {
	var out bytes.Buffer
	enc, d := hpack.NewEncoder(&out), NewDecoder()
	d.MaxString = 8192
	for _, f := range []hpack.HeaderField{{Name: ":method", Value: "GET"}, {Name: ":path", Value: "/some/path"}, {Name: "user-agent", Value: "somebody/1.0"}} {
		_ = enc.WriteField(f)
	}
	block, mem := out.Bytes(), &buf.Arena{}
	if n := testing.AllocsPerRun(1000, func() {
		mem.Reset(1)
		for _, m := range []*buf.Arena{mem, nil} {
			d.Begin()
			for b := block; len(b) > 0; {
				_, n, err := d.Next(b, true, m)
				if err != nil {
					t.Fatal(err)
				}
				b = b[n:]
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzDecode: any bytes, cut anywhere, mean what another implementation finds
// in them, or are refused; where they are cut makes no difference.
func FuzzDecode(f *testing.F) {
	f.Add([]byte("\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"), uint16(3))
	f.Add([]byte("\x40\x01a\x01b\xbe\x3f\xe1\x1f"), uint16(4))
	f.Add([]byte("\x20\x40\x01a\x01b\xbe"), uint16(1))
	f.Fuzz(func(t *testing.T, block []byte, cut uint16) {
		const most = 1 << 10
		d, other := NewDecoder(), NewDecoder()
		d.MaxString, other.MaxString = most, most
		got, err := decodeAll(d, block)
		again, err2 := decodeAll(other, block, min(int(cut), len(block)))
		if diff := cmp.Diff(got, again); diff != "" && err == nil || (err == nil) != (err2 == nil) {
			t.Fatalf("cut at %d: %v %v\n%s", cut, err, err2, diff)
		}
		if d.table.size > TableSize {
			t.Fatalf("the table has %d bytes", d.table.size)
		}
		if err != nil {
			return
		}
		want, err := hpack.NewDecoder(TableSize, nil).DecodeFull(block)
		if err != nil {
			return // it is stricter about padding and about size updates
		}
		if len(want) != len(got) {
			t.Fatalf("%d fields, want %d", len(got), len(want))
		}
		for i := range want {
			if got[i].Name != want[i].Name || got[i].Value != want[i].Value {
				t.Fatalf("%+v, want %+v", got[i], want[i])
			}
		}
	})
}
