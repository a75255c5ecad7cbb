package charset

import (
	"bytes"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// koi8 has two letters only.
func koi8(t testing.TB) charsetMap {
	cm := charsetMap{there: &table{}, back: &table{}}
	cm.init(true)
	for src, dst := range map[byte]string{0xc1: "D0B0", 0xc2: "D0B1", 0xc3: "E282AC"} {
		if !cm.line(src, dst) {
			t.Fatalf("%x %s", src, dst)
		}
	}
	return cm
}

func convert(t *table, pieces ...string) string {
	x := &ctx{table: t}
	var b []byte
	for _, p := range pieces {
		b = x.convert(b, []byte(p))
	}
	return string(b)
}

func TestConvert(t *testing.T) {
	cm := koi8(t)
	bytesMap := charsetMap{there: &table{}, back: &table{}}
	bytesMap.init(false)
	bytesMap.line(0x80, "90")
	tests := []struct {
		name   string
		table  *table
		pieces []string
		want   string
	}{
		{"to UTF-8", cm.there, []string{"a\xc1\xc2\xc3\xff"}, "aаб€?"},
		{"from UTF-8", cm.back, []string{"aаб€"}, "a\xc1\xc2\xc3"},
		{"references", cm.back, []string{"вé𐍈"}, "&#1074;&#233;&#66376;"},
		{"in pieces", cm.back, []string{"\xd0", "\xb0\xe2", "\x82", "\xac"}, "\xc1\xc3"},
		{"invalid", cm.back, []string{"\xc1a\x80b\xff"}, "?a?b?"},
		{"invalid, with what follows", cm.back, []string{"\xd0ab"}, "?b"},
		{"invalid in pieces", cm.back, []string{"\xe2", "ab"}, "?b"},
		{"incomplete at the end", cm.back, []string{"a\xd0"}, "a"},
		{"bytes", bytesMap.there, []string{"a\x80\x90"}, "a\x90?"},
		{"bytes back", bytesMap.back, []string{"a\x80\x90"}, "a?\x80"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, convert(tt.table, tt.pieces...)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLineRefuses(t *testing.T) {
	cm := koi8(t)
	for _, dst := range []string{"41", "D0", "D0B", "F0908D88", "zz", "C0AF", "D0B0D0B1"} {
		if cm.line(0x80, dst) {
			t.Errorf("%s was taken", dst)
		}
	}
}

func TestDecodeLikeTheLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rapid.Rune().Filter(func(r rune) bool { return r >= utf8.RuneSelf }).Draw(t, "char")
		char, n := decode([]byte(string(r)))
		if char != uint32(r) || n != utf8.RuneLen(r) {
			t.Fatalf("%U: %x, %d", r, char, n)
		}
	})
}

func FuzzConvert(f *testing.F) {
	cm := koi8(f)
	f.Add([]byte("aа\xd0€\xff"), 3)
	f.Fuzz(func(t *testing.T, s []byte, cut int) {
		cut = min(max(cut, 0), len(s))
		for _, tab := range []*table{cm.there, cm.back} {
			whole := convert(tab, string(s))
			cutUp := convert(tab, string(s[:cut]), string(s[cut:]))
			// Of an invalid character that is cut, nginx takes other bytes for it.
			if whole != cutUp && utf8.Valid(s) {
				t.Errorf("%q cut at %d: %q, %q", s, cut, whole, cutUp)
			}
			if bytes.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) && len(whole) > 10*len(s) {
				t.Errorf("%q grew to %q", s, whole)
			}
		}
	})
}
