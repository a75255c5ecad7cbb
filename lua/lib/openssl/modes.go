package openssl

import (
	"bytes"
	"crypto/cipher"
	"crypto/subtle"
	"hash"
)

// ofb is output feedback (NIST SP 800-38A, 6.4).
type ofb struct {
	block cipher.Block
	state []byte
	used  int
}

// NewOFB makes the stream of output feedback.
func NewOFB(block cipher.Block, iv []byte) cipher.Stream {
	return &ofb{block: block, state: bytes.Clone(iv), used: len(iv)}
}

// XORKeyStream implements cipher.Stream.
func (s *ofb) XORKeyStream(dst, src []byte) {
	for len(src) > 0 {
		if s.used == len(s.state) {
			s.block.Encrypt(s.state, s.state)
			s.used = 0
		}
		n := subtle.XORBytes(dst, src, s.state[s.used:])
		s.used += n
		dst, src = dst[n:], src[n:]
	}
}

// cfb is cipher feedback (NIST SP 800-38A, 6.3), of whole blocks or of bytes.
type cfb struct {
	block   cipher.Block
	state   []byte // what is encrypted next
	out     []byte
	used    int // of out
	bytes   bool
	encrypt bool
}

// NewCFB makes the stream of cipher feedback, of the mode cfb1, cfb8 or cfb128 (or cfb).
func NewCFB(block cipher.Block, iv []byte, mode string, encrypt bool) cipher.Stream {
	s := cfb{block: block, state: bytes.Clone(iv), out: make([]byte, len(iv)), used: len(iv), bytes: mode == "cfb8", encrypt: encrypt}
	if mode == "cfb1" {
		return &cfbBits{s}
	}
	return &s
}

// XORKeyStream implements cipher.Stream.
func (s *cfb) XORKeyStream(dst, src []byte) {
	for i, in := range src {
		if s.bytes || s.used == len(s.out) {
			s.block.Encrypt(s.out, s.state)
			s.used = 0
		}
		fed := in ^ s.out[s.used]
		dst[i] = fed
		if !s.encrypt {
			fed = in
		}
		if s.bytes {
			copy(s.state, s.state[1:])
			s.state[len(s.state)-1] = fed
		} else {
			s.state[s.used] = fed
			s.used++
		}
	}
}

// cfbBits is cipher feedback of single bits.
type cfbBits struct{ cfb }

// XORKeyStream implements cipher.Stream.
func (s *cfbBits) XORKeyStream(dst, src []byte) {
	for i, in := range src {
		var result byte
		for shift := 7; shift >= 0; shift-- {
			s.block.Encrypt(s.out, s.state)
			bit := in >> shift & 1
			changed := bit ^ s.out[0]>>7
			result |= changed << shift
			if s.encrypt {
				bit = changed
			}
			shiftIn(s.state, bit)
		}
		dst[i] = result
	}
}

// shiftIn shifts a register left by a bit.
func shiftIn(state []byte, bit byte) {
	for i := range state {
		next := bit
		if i+1 < len(state) {
			next = state[i+1] >> 7
		}
		state[i] = state[i]<<1 | next
	}
}

// Pad appends the padding of PKCS #7 to whole blocks.
func Pad(b []byte, size int) []byte {
	n := size - len(b)%size
	return append(b, bytes.Repeat([]byte{byte(n)}, n)...)
}

// Unpad takes the padding off; false when it is none.
func Unpad(b []byte, size int) ([]byte, bool) {
	if len(b) == 0 {
		return nil, false
	}
	n := int(b[len(b)-1])
	if n == 0 || n > size || n > len(b) {
		return nil, false
	}
	for _, c := range b[len(b)-n:] {
		if int(c) != n {
			return nil, false
		}
	}
	return b[:len(b)-n], true
}

// BytesToKey is OpenSSL's EVP_BytesToKey: key and initialisation vector of a password.
func BytesToKey(newHash func() hash.Hash, password, salt string, rounds, keyLen, ivLen int) (key string, iv []byte) {
	var out, last []byte
	h := newHash()
	for len(out) < keyLen+ivLen {
		h.Reset()
		h.Write(last)
		h.Write([]byte(password))
		h.Write([]byte(salt))
		last = h.Sum(last[:0])
		for i := 1; i < rounds; i++ {
			h.Reset()
			h.Write(last)
			last = h.Sum(last[:0])
		}
		out = append(out, last...)
	}
	return string(out[:keyLen]), out[keyLen : keyLen+ivLen]
}
