package wire

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
)

const v2v4 = proxySignature + "\x21\x11\x00\x0c\x01\x02\x03\x04\x05\x06\x07\x08\x00\x50\x01\xbb"

func TestProxyHeader(t *testing.T) {
	tests := []struct {
		in, src, dst     string
		srcPort, dstPort uint16
		tlvs             string
	}{
		{"PROXY TCP4 1.2.3.4 5.6.7.8 9 65535\r\n", "1.2.3.4", "5.6.7.8", 9, 65535, ""},
		{"PROXY TCP6 ::1 FF::2 0 1\r\n", "::1", "FF::2", 0, 1, ""},
		{"PROXY UNKNOWN\r\n", "", "", 0, 0, ""},
		{"PROXY UNKNOWN anything at all\r\n", "", "", 0, 0, ""},
		{v2v4, "1.2.3.4", "5.6.7.8", 80, 443, ""},
		{strings.Replace(v2v4, "\x00\x0c", "\x00\x10", 1) + "\x01\x00\x01h", "1.2.3.4", "5.6.7.8", 80, 443, "\x01\x00\x01h"},
		{strings.Replace(v2v4, "\x21\x11", "\x20\x11", 1), "", "", 0, 0, ""},
		{strings.Replace(v2v4, "\x21\x11", "\x21\x12", 1), "", "", 0, 0, ""},
		{strings.Replace(v2v4, "\x21\x11", "\x21\x31", 1), "", "", 0, 0, ""},
		{proxySignature + "\x21\x21\x00\x24" + "\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x01" +
			strings.Repeat("\x00", 15) + "\x01" + "\x00\x50\x01\xbb", "2001:db8::1", "::1", 80, 443, ""},
	}
	for _, tt := range tests {
		var h ProxyHeader
		n, err := h.Parse([]byte(tt.in + "GET /"))
		if err != nil || n != len(tt.in) || h.Known != (tt.src != "") || string(h.SrcAddr) != tt.src ||
			string(h.DstAddr) != tt.dst || h.SrcPort != tt.srcPort || h.DstPort != tt.dstPort || string(h.TLVs) != tt.tlvs {
			t.Errorf("%q: %d, %v, %q %q %d %d %q", tt.in, n, err, h.SrcAddr, h.DstAddr, h.SrcPort, h.DstPort, h.TLVs)
		}
	}
}

func TestProxyHeaderErrors(t *testing.T) {
	for in, want := range map[string]string{
		"GET / HTTP/1.1\r\n":                     `broken header: "GET / HTTP/1.1"`,
		"":                                       `broken header: ""`,
		"PROXY TCP5 1.2.3.4 5.6.7.8 9 1\r\n":     `broken header: "PROXY TCP5 1.2.3.4 5.6.7.8 9 1"`,
		"PROXY TCP4 1.2.3.4 5.6.7.8 9 1":         `broken header: "PROXY TCP4 1.2.3.4 5.6.7.8 9 1"`,
		"PROXY TCP4 1.2.3.g 5.6.7.8 9 1\r\n":     `broken header: "PROXY TCP4 1.2.3.g 5.6.7.8 9 1"`,
		"PROXY TCP4 1.1.1.1 2.2.2.2 9 \r\n":      `broken header: "PROXY TCP4 1.1.1.1 2.2.2.2 9 "`,
		"PROXY TCP4 1.1.1.1 2.2.2.2 9 65536\r\n": `broken header: "PROXY TCP4 1.1.1.1 2.2.2.2 9 65536"`,
		"PROXY TCP4 1.1.1.1 2.2.2.2 9 1\rx":      `broken header: "PROXY TCP4 1.1.1.1 2.2.2.2 9 1"`,
		"PROXY UNKNOWN":                          `broken header: "PROXY UNKNOWN"`,
		proxySignature + "\x11\x11\x00\x00":      "unknown PROXY protocol version: 1",
		v2v4[:len(v2v4)-1]:                       "header is too large",
		proxySignature + "\x21\x11\x00\x01x":     ErrProxyTruncated.Error(),
	} {
		var h ProxyHeader
		if n, err := h.Parse([]byte(in)); err == nil || err.Error() != want || n != 0 || h.Known {
			t.Errorf("%q: %d, %v", in, n, err)
		}
	}
}

func TestProxyTLV(t *testing.T) {
	h := ProxyHeader{TLVs: []byte("\x01\x00\x02h2" + "\x20\x00\x0c\x01\x00\x00\x00\x0a" + "\x22\x00\x04name" + "\xea\x00\x01x")}
	for name, want := range map[string]string{
		"alpn": "h2", "0x01": "h2", "0xea": "x", "ssl_cn": "name", "ssl_0x22": "name", "ssl_verify": "10",
		"authority": "-", "ssl_version": "-", "0x1ea": "-",
		"0x":      `invalid PROXY protocol TLV "0x"`,
		"ssl_0xg": `invalid PROXY protocol TLV "ssl_0xg"`,
		"what":    `unknown PROXY protocol TLV "what"`,
		"ssl_ssl": `unknown PROXY protocol TLV "ssl_ssl"`,
	} {
		value, ok, err := h.TLV(nil, name)
		got := string(value)
		if err != nil {
			got = err.Error()
		} else if !ok {
			got = "-"
		}
		if got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	h.TLVs = []byte("\x01\x00\x05h2")
	if _, _, err := h.TLV(nil, "alpn"); err != ErrTLV {
		t.Error(err)
	}
	h.TLVs = []byte("\x20\x00\x01x")
	if _, _, err := h.TLV(nil, "ssl_cn"); err != ErrTLVShort {
		t.Error(err)
	}
}

func TestAppendProxyV1(t *testing.T) {
	v4, v6 := netip.MustParseAddrPort("1.2.3.4:5"), netip.MustParseAddrPort("[::1]:6")
	if got := string(AppendProxyV1(nil, v4, v4)); got != "PROXY TCP4 1.2.3.4 1.2.3.4 5 5\r\n" {
		t.Errorf("%q", got)
	}
	if got := string(AppendProxyV1(nil, v6, v6)); got != "PROXY TCP6 ::1 ::1 6 6\r\n" {
		t.Errorf("%q", got)
	}
	if got := string(AppendProxyV1(nil, netip.AddrPort{}, v4)); got != "PROXY UNKNOWN\r\n" {
		t.Errorf("%q", got)
	}
}

func TestAppendProxyV2(t *testing.T) {
	tests := []struct{ src, dst, wantSrc, wantDst string }{
		{"1.2.3.4:5", "6.7.8.9:10", "1.2.3.4", "6.7.8.9"},
		{"[::1]:5", "[::2]:10", "::1", "::2"},
		{"[::ffff:1.2.3.4]:5", "[::ffff:6.7.8.9]:10", "1.2.3.4", "6.7.8.9"},
		{"1.2.3.4:5", "[::2]:10", "::ffff:1.2.3.4", "::2"},
		{"1.2.3.4:5", "[::ffff:6.7.8.9]:10", "::ffff:1.2.3.4", "::ffff:6.7.8.9"},
	}
	for _, tt := range tests {
		v := ProxyV2{
			Src:  netip.MustParseAddrPort(tt.src),
			Dst:  netip.MustParseAddrPort(tt.dst),
			TLVs: []TLV{{TLVALPN, []byte("h2")}},
			SSL:  &ProxySSL{Client: ProxyClientSSL, Verify: 1, TLVs: []TLV{{TLVSSLVersion, []byte("TLSv1.3")}}},
		}
		b, ok := v.AppendTo([]byte("x"))
		var h ProxyHeader
		n, err := h.Parse(b[1:])
		if !ok || err != nil || n != len(b)-1 || string(h.SrcAddr) != tt.wantSrc || string(h.DstAddr) != tt.wantDst ||
			h.SrcPort != 5 || h.DstPort != 10 {
			t.Errorf("%s %s: %d, %v, %q, %q", tt.src, tt.dst, n, err, h.SrcAddr, h.DstAddr)
		}
		if version, _, err := h.TLV(nil, "ssl_version"); string(version) != "TLSv1.3" || err != nil {
			t.Errorf("%q, %v", version, err)
		}
	}

	// A known header: LOCAL, whose only TLV is the checksum.
	b, ok := (&ProxyV2{}).AppendTo(nil)
	if want := proxySignature + "\x20\x00\x00\x07\x03\x00\x04"; !ok || !bytes.HasPrefix(b, []byte(want)) || len(b) != 23 {
		t.Errorf("%q", b)
	}
	big := ProxyV2{TLVs: []TLV{{TLVAuthority, make([]byte, MaxProxyHeader)}}}
	if b, ok := big.AppendTo(nil); ok || len(b) != 0 {
		t.Error("too large a header")
	}
}

func FuzzProxyHeader(f *testing.F) {
	f.Add([]byte("PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n"), "ssl_verify")
	f.Add([]byte(v2v4+"\x20\x00\x05abcde"), "0x20")
	f.Fuzz(func(t *testing.T, in []byte, name string) {
		var h ProxyHeader
		n, err := h.Parse(in)
		if err != nil && (n != 0 || h.Known) || n > len(in) {
			t.Fatal(n, err)
		}
		h.TLV(nil, name)
		h.TLVs = in
		h.TLV(nil, name)
	})
}

func TestProxyAllocations(t *testing.T) {
	v1, v2 := []byte("PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n"), []byte(v2v4)
	out := make([]byte, 0, 200)
	w := ProxyV2{Src: netip.MustParseAddrPort("1.2.3.4:5"), Dst: netip.MustParseAddrPort("[::1]:6"),
		TLVs: []TLV{{TLVALPN, []byte("h2")}}}
	var h ProxyHeader
	if n := testing.AllocsPerRun(100, func() {
		_, err1 := h.Parse(v1)
		_, err2 := h.Parse(v2)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		h.TLV(out, "alpn")
		out = AppendProxyV1(out[:0], w.Src, w.Dst)
		out, _ = w.AppendTo(out[:0])
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
