package cache

import (
	"bytes"
	"encoding/hex"
	"hash/crc32"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// file makes the start of a file with a key.
func file(key string, h header) []byte {
	start := headerSize + len(keyMark) + len(key) + 1
	h.version, h.crc, h.headerStart = version, crc32.ChecksumIEEE([]byte(key)), uint16(start)
	if h.bodyStart == 0 {
		h.bodyStart = uint16(start)
	}
	b := make([]byte, start)
	h.put(b)
	copy(b[headerSize:], keyMark+key+"\n")
	return b
}

func TestHeaderRoundTrip(t *testing.T) {
	want := header{
		version: version, valid: 1_700_000_000, updating: 30, error: 60, lastModified: -1, date: 1_699_999_000,
		crc: 0xdeadbeef, validMsec: 7, headerStart: 400, bodyStart: 600,
		etag: []byte(`"abc"`), vary: []byte("Accept"), variant: [KeyLen]byte{1, 2, 3},
	}
	b := bytes.Repeat([]byte{0xff}, headerSize)
	want.put(b)
	var got header
	got.parse(b)
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(header{})); diff != "" {
		t.Error(diff)
	}
}

// TestHeaderLayout pins the places of the fields, which are nginx's.
func TestHeaderLayout(t *testing.T) {
	h := header{version: 5, valid: 1, updating: 2, error: 3, lastModified: 4, date: 5, crc: 6, validMsec: 7,
		headerStart: 8, bodyStart: 9, etag: []byte("E"), vary: []byte("V"), variant: [KeyLen]byte{0: 0xaa, 15: 0xbb}}
	b := make([]byte, headerSize)
	h.put(b)
	want := "0500000000000000" + "0100000000000000" + "0200000000000000" + "0300000000000000" + "0400000000000000" +
		"0500000000000000" + "06000000" + "0700" + "0800" + "0900" + "01" + "45"
	if got := hex.EncodeToString(b[:60]); got != want {
		t.Errorf("header begins with\n%s, want\n%s", got, want)
	}
	if b[187] != 1 || b[188] != 'V' || b[316] != 0xaa || b[331] != 0xbb {
		t.Error("vary or variant is not where nginx has it")
	}
}

func TestCheck(t *testing.T) {
	const key = "http://a/b"
	good := file(key, header{vary: []byte("Accept")})
	edit := func(at int, to byte) []byte {
		b := bytes.Clone(good)
		b[at] = to
		return b
	}
	tests := []struct {
		name string
		b    []byte
		want damage
	}{
		{"sound", good, sound},
		{"empty", nil, tooSmall},
		{"cut", good[:len(good)-1], tooSmall},
		{"version", edit(atVersion, 3), otherVersion},
		{"crc", edit(atCRC, good[atCRC]+1), collision},
		{"header start", edit(atHeaderStart, good[atHeaderStart]+1), collision},
		{"key", edit(len(good)-2, 'x'), collision},
		{"body start", edit(atBodyStart+1, 0xff), tooLongHeader},
		{"vary", edit(atVaryLen, MaxVary+1), badVary},
	}
	for _, test := range tests {
		var h header
		if got := check(&h, test.b, []byte(key), crc32.ChecksumIEEE([]byte(key)), len(good), 4096); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestCheckAllocatesNothing(t *testing.T) {
	const key = "http://a/b"
	b, k := file(key, header{etag: []byte(`"x"`)}), []byte(key)
	crc := crc32.ChecksumIEEE(k)
	var h header
	if n := testing.AllocsPerRun(100, func() { check(&h, b, k, crc, len(b), 4096) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzCheck: whatever a file contains, what is read of it stays within it.
func FuzzCheck(f *testing.F) {
	f.Add(file("k", header{}), "k")
	f.Add(file("http://a/b?c", header{etag: []byte(`"abc"`), vary: []byte("Accept-Encoding"), bodyStart: 999}), "http://a/b?c")
	f.Add([]byte{version}, "")
	f.Fuzz(func(t *testing.T, b []byte, key string) {
		start := headerSize + len(keyMark) + len(key) + 1
		if start > MaxStart {
			return
		}
		var h header
		const limit = 4096
		if check(&h, b, []byte(key), crc32.ChecksumIEEE([]byte(key)), start, limit) != sound {
			return
		}
		if int(h.bodyStart) > limit || len(h.etag) > maxETag || len(h.vary) > MaxVary {
			t.Errorf("accepted %+v", h)
		}
		again := make([]byte, headerSize)
		h.put(again)
		var h2 header
		h2.parse(again)
		if h2.valid != h.valid || !bytes.Equal(h2.etag, h.etag) || !bytes.Equal(h2.vary, h.vary) {
			t.Errorf("%+v written and read is %+v", h, h2)
		}
	})
}
