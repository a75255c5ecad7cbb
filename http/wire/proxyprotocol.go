package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
)

// MaxProxyHeader is the size of the buffer nginx reads a PROXY protocol header
// with; a longer one is refused.
const MaxProxyHeader = 4096

const (
	proxySignature = "\r\n\r\n\x00\r\nQUIT\n"
	proxyFixed     = len(proxySignature) + 4

	proxyInet   = 1
	proxyInet6  = 2
	proxyStream = 1
	proxyDgram  = 2
)

// The types of the PROXY protocol's TLVs, and of those inside TLVSSL.
const (
	TLVALPN      byte = 0x01
	TLVAuthority byte = 0x02
	TLVCRC32C    byte = 0x03
	TLVUniqueID  byte = 0x05
	TLVSSL       byte = 0x20
	TLVNetNS     byte = 0x30

	TLVSSLVersion byte = 0x21
	TLVSSLCN      byte = 0x22
	TLVSSLCipher  byte = 0x23
	TLVSSLSigAlg  byte = 0x24
	TLVSSLKeyAlg  byte = 0x25
)

// ProxyHeader is a PROXY protocol header, version 1 or 2, as received.
type ProxyHeader struct {
	// Known tells that there are addresses: not so for UNKNOWN, LOCAL, and
	// what is not a stream over IP.
	Known bool

	// Addresses in text. In version 1 they are as sent, in the letters of an
	// address but not checked any further, and part of the input. In version 2
	// they are written as RFC 5952 has it.
	SrcAddr, DstAddr []byte
	SrcPort, DstPort uint16

	// TLVs is what follows the addresses in version 2; part of the input.
	TLVs []byte

	text [2][netipTextLen]byte
}

// netipTextLen is enough for an IPv6 address with an IPv4 tail.
const netipTextLen = len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255")

// ErrProxyTruncated is the error, which nginx does not log, of a version 2
// header too short for its addresses.
var ErrProxyTruncated = errors.New("truncated PROXY protocol addresses")

var errProxySize = errors.New("header is too large")

// Parse reads a header at the start of b, which must be there whole, and
// returns its length (ngx_proxy_protocol_read). The text of an error is what
// nginx logs, except for ErrProxyTruncated.
func (h *ProxyHeader) Parse(b []byte) (n int, err error) {
	*h = ProxyHeader{}
	if len(b) >= proxyFixed && string(b[:len(proxySignature)]) == proxySignature {
		return h.parseV2(b)
	}
	n, ok := h.parseV1(b)
	if !ok {
		end := bytes.IndexAny(b, "\r\n")
		if end < 0 {
			end = len(b)
		}
		return 0, fmt.Errorf("broken header: \"%s\"", b[:end])
	}
	return n, nil
}

func (h *ProxyHeader) parseV1(b []byte) (n int, ok bool) {
	rest, ok := bytes.CutPrefix(b, []byte("PROXY "))
	if !ok || len(b) < 8 {
		return 0, false
	}
	if bytes.HasPrefix(rest, []byte("UNKNOWN")) {
		end := bytes.Index(rest, []byte("\r\n"))
		return len(b) - len(rest) + end + 2, end >= 0
	}
	if len(rest) < 5 || string(rest[:3]) != "TCP" || rest[3] != '4' && rest[3] != '6' || rest[4] != ' ' {
		return 0, false
	}
	rest = rest[5:]
	var src, dst []byte
	if src, rest, ok = proxyAddr(rest); !ok {
		return 0, false
	}
	if dst, rest, ok = proxyAddr(rest); !ok {
		return 0, false
	}
	var srcPort, dstPort uint16
	if srcPort, rest, ok = proxyPort(rest, ' '); !ok {
		return 0, false
	}
	if dstPort, rest, ok = proxyPort(rest, '\r'); !ok {
		return 0, false
	}
	if len(rest) == 0 || rest[0] != '\n' {
		return 0, false
	}
	h.Known = true
	h.SrcAddr, h.DstAddr, h.SrcPort, h.DstPort = src, dst, srcPort, dstPort
	return len(b) - len(rest) + 1, true
}

// proxyAddr takes the letters of an address up to a blank.
func proxyAddr(b []byte) (addr, rest []byte, ok bool) {
	for i, c := range b {
		if c == ' ' {
			return b[:i], b[i+1:], true
		}
		if _, hex := hexValue(c); !hex && c != ':' && c != '.' {
			break
		}
	}
	return nil, nil, false
}

func proxyPort(b []byte, end byte) (port uint16, rest []byte, ok bool) {
	i := bytes.IndexByte(b, end)
	if i < 0 {
		return 0, nil, false
	}
	n, ok := ParseLength(b[:i])
	return uint16(n), b[i+1:], ok && n <= 65535
}

func (h *ProxyHeader) parseV2(b []byte) (int, error) {
	command, family := b[12], b[13]
	if version := command >> 4; version != 2 {
		return 0, fmt.Errorf("unknown PROXY protocol version: %d", version)
	}
	end := proxyFixed + int(binary.BigEndian.Uint16(b[14:]))
	if end > len(b) {
		return 0, errProxySize
	}
	if command&15 != 1 || family&15 != proxyStream {
		return end, nil
	}
	size := 0
	switch family >> 4 {
	case proxyInet:
		size = 4
	case proxyInet6:
		size = 16
	default:
		return end, nil
	}
	rest := b[proxyFixed:end]
	if len(rest) < 2*size+4 {
		return 0, ErrProxyTruncated
	}
	src, _ := netip.AddrFromSlice(rest[:size])
	dst, _ := netip.AddrFromSlice(rest[size : 2*size])
	ports := rest[2*size:]
	h.Known = true
	h.SrcAddr = src.AppendTo(h.text[0][:0])
	h.DstAddr = dst.AppendTo(h.text[1][:0])
	h.SrcPort = binary.BigEndian.Uint16(ports)
	h.DstPort = binary.BigEndian.Uint16(ports[2:])
	h.TLVs = ports[4:]
	return end, nil
}

// ErrTLV is the error of TLVs that are cut off, as nginx logs it.
var ErrTLV = errors.New("broken PROXY protocol TLV")

// LookupTLV finds the first TLV of the type.
func LookupTLV(tlvs []byte, kind byte) (value []byte, ok bool, err error) {
	return lookupTLV(tlvs, int64(kind))
}

func lookupTLV(tlvs []byte, kind int64) (value []byte, ok bool, err error) {
	for len(tlvs) > 0 {
		if len(tlvs) < 3 {
			return nil, false, ErrTLV
		}
		size := int(binary.BigEndian.Uint16(tlvs[1:]))
		rest := tlvs[3:]
		if size > len(rest) {
			return nil, false, ErrTLV
		}
		if int64(tlvs[0]) == kind {
			return rest[:size], true, nil
		}
		tlvs = rest[size:]
	}
	return nil, false, nil
}

// TLV finds a TLV by the name it has in $proxy_protocol_tlv_name: alpn,
// authority, unique_id, ssl, netns, those of ssl as ssl_version, ssl_cn,
// ssl_cipher, ssl_sig_alg, ssl_key_alg, or a number as 0x30 or ssl_0x25. The
// value of ssl_verify is a number, in text appended to dst[:0]. An error's
// text is what nginx logs, unless it is ErrTLVShort.
func (h *ProxyHeader) TLV(dst []byte, name string) (value []byte, ok bool, err error) {
	const sslPrefix = "ssl_"
	tlvs, short := h.TLVs, name
	inSSL := len(name) >= len(sslPrefix) && name[:len(sslPrefix)] == sslPrefix
	if inSSL {
		ssl, ok, err := LookupTLV(tlvs, TLVSSL)
		if !ok {
			return nil, false, err
		}
		if len(ssl) < sslTLVFixed {
			return nil, false, ErrTLVShort
		}
		short = name[len(sslPrefix):]
		if short == "verify" {
			verify := binary.BigEndian.Uint32(ssl[1:])
			return strconv.AppendUint(dst[:0], uint64(verify), 10), true, nil
		}
		tlvs = ssl[sslTLVFixed:]
	}
	kind, ok := tlvKind(short, inSSL)
	switch {
	case ok:
		return lookupTLV(tlvs, kind)
	case len(short) >= 2 && short[:2] == "0x":
		return nil, false, fmt.Errorf("invalid PROXY protocol TLV \"%s\"", name)
	}
	return nil, false, fmt.Errorf("unknown PROXY protocol TLV \"%s\"", name)
}

// ErrTLVShort is the error, which nginx does not log, of a TLV "ssl" too short
// for its fixed part.
var ErrTLVShort = errors.New("truncated PROXY protocol TLV")

// sslTLVFixed is the length of the flags and the result of the verification
// before the TLVs inside TLVSSL.
const sslTLVFixed = 5

// tlvKind is the type of a TLV by its name or hexadecimal number.
func tlvKind(name string, inSSL bool) (kind int64, ok bool) {
	if len(name) >= 2 && name[:2] == "0x" {
		n, err := strconv.ParseUint(name[2:], 16, 63)
		return int64(n), err == nil
	}
	type row struct {
		name string
		kind byte
	}
	rows := [...]row{
		{"alpn", TLVALPN}, {"authority", TLVAuthority}, {"unique_id", TLVUniqueID},
		{"ssl", TLVSSL}, {"netns", TLVNetNS},
	}
	if inSSL {
		rows = [...]row{
			{"version", TLVSSLVersion}, {"cn", TLVSSLCN}, {"cipher", TLVSSLCipher},
			{"sig_alg", TLVSSLSigAlg}, {"key_alg", TLVSSLKeyAlg},
		}
	}
	for _, r := range rows {
		if r.name == name {
			return int64(r.kind), true
		}
	}
	return 0, false
}
