package setmisc

import (
	"encoding/base64"
	"encoding/hex"
	"strings"

	"moongate/core/buf"
	"moongate/http"
)

const (
	base32Size = 32   // letters of the alphabet
	noDigit    = 0xff // a byte that is not in it
)

// encodeBase32 is set_encode_base32: RFC 4648 with the location's alphabet.
func encodeBase32(r *http.Request, v []string) (string, bool) {
	c, s := slot.Of(r.Scope), v[0]
	b := r.Pool.Alloc((len(s) + 4) / 5 * 8)[:0]
	var bits uint
	acc := 0
	for i := range len(s) {
		acc = acc<<8 | int(s[i])
		for bits += 8; bits >= 5; {
			bits -= 5
			b = append(b, c.alphabet.V[acc>>bits&31])
		}
		acc &= 1<<bits - 1
	}
	if bits > 0 {
		b = append(b, c.alphabet.V[acc<<(5-bits)&31])
	}
	for c.padding.V && len(b)%8 != 0 {
		b = append(b, '=')
	}
	return buf.String(b), true
}

// decodeBase32 is set_decode_base32; what is not base32 gives an empty value.
func decodeBase32(r *http.Request, v []string) (string, bool) {
	c := slot.Of(r.Scope)
	s, _, _ := strings.Cut(v[0], "=")
	switch len(s) % 8 {
	case 1, 3, 6:
		return "", true
	}
	b := r.Pool.Alloc(len(s) * 5 / 8)[:0]
	var bits uint
	acc := 0
	for i := range len(s) {
		digit := c.digits[s[i]]
		if digit == noDigit {
			return "", true
		}
		acc = acc<<5 | int(digit)
		if bits += 5; bits >= 8 {
			bits -= 8
			b = append(b, byte(acc>>bits))
			acc &= 1<<bits - 1
		}
	}
	return buf.String(b), true
}

func encodeBase64(r *http.Request, v []string) (string, bool) {
	return encode64(r, base64.StdEncoding, v[0])
}

func encodeBase64URL(r *http.Request, v []string) (string, bool) {
	return encode64(r, base64.RawURLEncoding, v[0])
}

func encode64(r *http.Request, enc *base64.Encoding, s string) (string, bool) {
	b := r.Pool.Alloc(enc.EncodedLen(len(s)))
	enc.Encode(b, buf.Bytes(s))
	return buf.String(b), true
}

func decodeBase64(r *http.Request, v []string) (string, bool) {
	return decode64(r, "set_decode_base64", base64.RawStdEncoding, v[0])
}

func decodeBase64URL(r *http.Request, v []string) (string, bool) {
	return decode64(r, "set_decode_base64url", base64.RawURLEncoding, v[0])
}

// decode64 decodes up to the first "=", as nginx's ngx_decode_base64 does. Line
// ends, which Go's decoder skips, are errors.
func decode64(r *http.Request, name string, enc *base64.Encoding, s string) (string, bool) {
	s, _, _ = strings.Cut(s, "=")
	b := r.Pool.Alloc(enc.DecodedLen(len(s)))
	n, err := enc.Decode(b, buf.Bytes(s))
	if err != nil || strings.ContainsAny(s, "\r\n") {
		r.Error("%s: invalid value", name)
		return "", false
	}
	return buf.String(b[:n]), true
}

func encodeHex(r *http.Request, v []string) (string, bool) {
	b := r.Pool.Alloc(2 * len(v[0]))
	hex.Encode(b, buf.Bytes(v[0]))
	return buf.String(b), true
}

func decodeHex(r *http.Request, v []string) (string, bool) {
	b := r.Pool.Alloc(len(v[0]) / 2)
	if _, err := hex.Decode(b, buf.Bytes(v[0])); err != nil {
		r.Error("set_decode_hex: invalid value")
		return "", false
	}
	return buf.String(b), true
}

// mustEscape tells the bytes that set_escape_uri escapes: more than nginx does
// in a path.
func mustEscape(c byte) bool {
	return c <= ' ' || c >= 0x7f || strings.IndexByte("\"#%&+/:;<=>?[\\]^{}", c) >= 0
}

func escapeURI(r *http.Request, v []string) (string, bool) {
	s, n := v[0], 0
	for i := range len(s) {
		if mustEscape(s[i]) {
			n++
		}
	}
	if n == 0 {
		return s, true
	}
	const digits = "0123456789ABCDEF"
	b := r.Pool.Alloc(len(s) + 2*n)[:0]
	for i := range len(s) {
		if c := s[i]; mustEscape(c) {
			b = append(b, '%', digits[c>>4], digits[c&15])
		} else {
			b = append(b, c)
		}
	}
	return buf.String(b), true
}

// unescapeURI is set_unescape_uri, which takes "+" for a blank. A "%" without
// two hexadecimal digits is dropped, together with a wrong second digit.
func unescapeURI(r *http.Request, v []string) (string, bool) {
	s := v[0]
	b := r.Pool.Alloc(len(s))[:0]
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '+':
			b = append(b, ' ')
		case c != '%':
			b = append(b, c)
		case i+1 < len(s):
			i++
			high, ok := hexDigit(s[i])
			if !ok {
				b = append(b, s[i])
				break
			}
			if i++; i < len(s) {
				if low, ok := hexDigit(s[i]); ok {
					b = append(b, high<<4|low)
				}
			}
		}
	}
	return buf.String(b), true
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}
