package tls

import "encoding/binary"

// ClientHello is the first message of a client as it came (RFC 8446, section
// 4.1.2), for who wants to know more of it than crypto/tls tells. Its slices
// are parts of what was parsed.
type ClientHello struct {
	// Version is the legacy one: 0x0303 for TLSv1.2 and newer.
	Version   uint16
	Random    []byte // 32 bytes
	SessionID []byte
	// Ciphers are the numbers of the ciphers, two bytes each.
	Ciphers    []byte
	Extensions []Extension
}

// Extension is one of a ClientHello.
type Extension struct {
	Type uint16
	Data []byte
}

// Extension returns the contents of an extension; ok reports that it is there.
func (h *ClientHello) Extension(kind uint16) (data []byte, ok bool) {
	for _, e := range h.Extensions {
		if e.Type == kind {
			return e.Data, true
		}
	}
	return nil, false
}

// Numbers of extensions.
const (
	ExtServerName        = 0
	statusRequest        = 5
	ExtSessionTicket     = 35
	ExtSupportedVersions = 43
)

// knownExtensions are those that OpenSSL looks at, and so the ones that
// SSL_client_hello_get1_extensions_present lists.
var knownExtensions = map[uint16]bool{
	ExtServerName: true, 1: true, statusRequest: true, 10: true, 11: true, 12: true, 13: true, 14: true, 16: true, 18: true, 19: true,
	20: true, 21: true, 22: true, 23: true, 27: true, ExtSessionTicket: true, 41: true, 42: true, ExtSupportedVersions: true,
	44: true, 45: true, 47: true, 49: true, 50: true, 51: true, 13172: true, 65281: true,
}

// KnownExtension reports whether OpenSSL knows an extension.
func KnownExtension(kind uint16) bool { return knownExtensions[kind] }

// IsGREASE reports whether a number is one of those that clients send to keep
// servers from choking on what they do not know (RFC 8701).
func IsGREASE(id uint16) bool { return id&0x0f0f == 0x0a0a && id>>8 == id&0xff }

// typeClientHello is the number of the message.
const typeClientHello = 1

// ParseClientHello reads a ClientHello from the beginning of a handshake
// message with its header of four bytes.
func ParseClientHello(message []byte) (h ClientHello, ok bool) {
	r := reader(message)
	kind, high, low := r.uint8(), r.uint8(), r.uint16()
	if r == nil || kind != typeClientHello {
		return h, false
	}
	r = r.take(high<<16 | low)
	h.Version = uint16(r.uint16())
	h.Random = r.take(32)
	h.SessionID = r.take(r.uint8())
	h.Ciphers = r.take(r.uint16())
	r.take(r.uint8()) // methods of compression
	if r == nil || len(h.Ciphers)%2 != 0 {
		return ClientHello{}, false
	}
	if len(r) == 0 {
		return h, true // before extensions were invented
	}
	list := r.take(r.uint16())
	for len(list) > 0 {
		e := Extension{Type: uint16(list.uint16())}
		e.Data = list.take(list.uint16())
		if list == nil {
			return ClientHello{}, false
		}
		h.Extensions = append(h.Extensions, e)
	}
	return h, r != nil && len(r) == 0
}

// ServerName returns the name in the extension server_name (RFC 6066), as
// OpenSSL finds it. found is false without the extension; ok is false when it
// is malformed.
func (h *ClientHello) ServerName() (name []byte, found, ok bool) {
	data, found := h.Extension(ExtServerName)
	if !found {
		return nil, false, true
	}
	r := reader(data)
	list := r.take(r.uint16())
	if r == nil || len(r) != 0 {
		return nil, true, false
	}
	const hostName = 0
	kind := list.uint8()
	name = list.take(list.uint16())
	return name, true, list != nil && kind == hostName && len(name) > 0
}

// firstMessage takes the first handshake message out of records, nil when it
// is not there whole. It makes a copy only of a message in several records.
func firstMessage(stream []byte) []byte {
	const contentHandshake = 22
	var message []byte
	for r := reader(stream); len(r) > 0; {
		kind := r.uint8()
		r.uint16()
		body := r.take(r.uint16())
		if r == nil || kind != contentHandshake {
			return nil
		}
		if message == nil {
			message = body[:len(body):len(body)]
		} else {
			message = append(message, body...)
		}
		if len(message) >= 4 {
			if n := 4 + int(message[1])<<16 + int(binary.BigEndian.Uint16(message[2:])); len(message) >= n {
				return message[:n]
			}
		}
	}
	return nil
}

// reader takes a message apart. Once there is too little it is nil, and so is
// everything taken from it.
type reader []byte

func (r *reader) take(n int) reader {
	if *r == nil || len(*r) < n {
		*r = nil
		return nil
	}
	b := (*r)[:n:n]
	*r = (*r)[n:]
	return b
}

func (r *reader) uint8() int {
	if b := r.take(1); b != nil {
		return int(b[0])
	}
	return 0
}

func (r *reader) uint16() int {
	if b := r.take(2); b != nil {
		return int(binary.BigEndian.Uint16(b))
	}
	return 0
}
