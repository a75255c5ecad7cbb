package wire

import (
	"encoding/binary"
	"hash/crc32"
	"net/netip"
	"strconv"
)

// AppendProxyV1 appends a version 1 header for a connection from src to dst
// (ngx_proxy_protocol_write). Invalid addresses, of a unix socket, give
// "UNKNOWN".
func AppendProxyV1(b []byte, src, dst netip.AddrPort) []byte {
	switch {
	case !src.IsValid():
		return append(b, "PROXY UNKNOWN\r\n"...)
	case src.Addr().Is4():
		b = append(b, "PROXY TCP4 "...)
	default:
		b = append(b, "PROXY TCP6 "...)
	}
	b = src.Addr().AppendTo(b)
	b = append(b, ' ')
	if dst.IsValid() {
		b = dst.Addr().AppendTo(b)
	}
	b = append(b, ' ')
	b = strconv.AppendUint(b, uint64(src.Port()), 10)
	b = append(b, ' ')
	b = strconv.AppendUint(b, uint64(dst.Port()), 10)
	return append(b, '\r', '\n')
}

// Flags of ProxySSL.Client.
const (
	ProxyClientSSL      byte = 0x01
	ProxyClientCertConn byte = 0x02 // a certificate was presented in this connection
	ProxyClientCertSess byte = 0x04 // or in the TLS session
)

// TLV is one type-length-value of the PROXY protocol.
type TLV struct {
	Type  byte
	Value []byte
}

// ProxySSL is what version 2 says about the TLS of the connection.
type ProxySSL struct {
	Client byte
	Verify uint32 // 0 if the client's certificate was verified
	TLVs   []TLV  // of the types TLVSSLVersion …
}

// ProxyV2 is what AppendTo writes as a version 2 header
// (ngx_proxy_protocol_v2_write).
type ProxyV2 struct {
	Src, Dst netip.AddrPort // not valid for unix sockets: then the command is LOCAL
	Datagram bool
	TLVs     []TLV
	SSL      *ProxySSL
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// AppendTo appends the header, with its checksum as the last TLV. A mix of
// IPv4 and IPv6 becomes IPv6, and IPv6 addresses that both stand for IPv4
// become IPv4. It reports false when the header would exceed MaxProxyHeader
// bytes.
func (v *ProxyV2) AppendTo(b []byte) ([]byte, bool) {
	start := len(b)
	b = append(b, proxySignature...)
	b = v.appendAddrs(b)
	for _, t := range v.TLVs {
		b = appendTLV(b, t)
	}
	if v.SSL != nil {
		at := len(b)
		b = append(b, TLVSSL, 0, 0, v.SSL.Client)
		b = binary.BigEndian.AppendUint32(b, v.SSL.Verify)
		for _, t := range v.SSL.TLVs {
			b = appendTLV(b, t)
		}
		binary.BigEndian.PutUint16(b[at+1:], uint16(len(b)-at-3))
	}
	b = append(b, TLVCRC32C, 0, 4, 0, 0, 0, 0)
	header := b[start:]
	if len(header) > MaxProxyHeader {
		return b[:start], false
	}
	binary.BigEndian.PutUint16(header[14:], uint16(len(header)-proxyFixed))
	// The checksum is that of the header with zeros in its own place.
	binary.BigEndian.PutUint32(header[len(header)-4:], crc32.Checksum(header, castagnoli))
	return b, true
}

// appendAddrs appends what lies between the signature and the TLVs; the length
// is filled in later.
func (v *ProxyV2) appendAddrs(b []byte) []byte {
	src, dst := v.Src.Addr(), v.Dst.Addr()
	if !src.IsValid() || !dst.IsValid() {
		return append(b, 0x20, 0, 0, 0)
	}
	transport := byte(proxyStream)
	if v.Datagram {
		transport = proxyDgram
	}
	if src.Unmap().Is4() && dst.Unmap().Is4() && src.Is4() == dst.Is4() {
		b = append(b, 0x21, proxyInet<<4|transport, 0, 0)
		s, d := src.Unmap().As4(), dst.Unmap().As4()
		b = append(append(b, s[:]...), d[:]...)
	} else {
		b = append(b, 0x21, proxyInet6<<4|transport, 0, 0)
		s, d := src.As16(), dst.As16()
		b = append(append(b, s[:]...), d[:]...)
	}
	b = binary.BigEndian.AppendUint16(b, v.Src.Port())
	return binary.BigEndian.AppendUint16(b, v.Dst.Port())
}

func appendTLV(b []byte, t TLV) []byte {
	b = append(b, t.Type, byte(len(t.Value)>>8), byte(len(t.Value)))
	return append(b, t.Value...)
}
