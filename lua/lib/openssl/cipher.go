package openssl

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/crypto/chacha20"
	"golang.org/x/crypto/chacha20poly1305"
)

// cipherKind is a symmetric cipher in one of its modes.
type cipherKind struct {
	name     string
	key      int    // bytes
	iv       int    // bytes, 0 for none
	mode     string // ecb, cbc, ctr, ofb, cfb, cfb1, cfb8, gcm, wrap or poly1305
	newBlock func(key []byte) (cipher.Block, error)
}

// tagSize is the size of the tag of the modes that authenticate, in bytes.
const tagSize = 16

// ciphers are the algorithms by their names in lower case.
var ciphers = func() map[string]*cipherKind {
	all := map[string]*cipherKind{}
	add := func(name, mode string, key, iv int, newBlock func([]byte) (cipher.Block, error)) {
		all[name] = &cipherKind{name, key, iv, mode, newBlock}
	}
	for _, bits := range []int{128, 192, 256} {
		for mode, iv := range map[string]int{"ecb": 0, "cbc": 16, "ctr": 16, "ofb": 16, "cfb": 16, "cfb1": 16, "cfb8": 16, "gcm": 12, "wrap": wrapSize} {
			add(fmt.Sprintf("aes-%d-%s", bits, mode), mode, bits/8, iv, aes.NewCipher)
		}
	}
	for mode, iv := range map[string]int{"ecb": 0, "cbc": 8, "ofb": 8, "cfb": 8, "cfb8": 8, "cfb1": 8} {
		add("des-ede3-"+mode, mode, 24, iv, des.NewTripleDESCipher)
	}
	add("chacha20-poly1305", "poly1305", chacha20poly1305.KeySize, chacha20poly1305.NonceSize, nil)
	return all
}()

// cipherAliases are other names of them.
var cipherAliases = map[string]string{
	"aes128": "aes-128-cbc", "aes192": "aes-192-cbc", "aes256": "aes-256-cbc", "id-aes128-gcm": "aes-128-gcm",
	"aes128-wrap": "aes-128-wrap", "aes192-wrap": "aes-192-wrap", "aes256-wrap": "aes-256-wrap",
	"id-aes128-wrap": "aes-128-wrap", "id-aes192-wrap": "aes-192-wrap", "id-aes256-wrap": "aes-256-wrap",
	"id-aes192-gcm": "aes-192-gcm", "id-aes256-gcm": "aes-256-gcm", "aes-128-cfb128": "aes-128-cfb",
	"aes-192-cfb128": "aes-192-cfb", "aes-256-cfb128": "aes-256-cfb", "des3": "des-ede3-cbc", "des-ede3": "des-ede3-ecb",
}

// cipherBy finds an algorithm by its name in any case, nil if there is none.
func cipherBy(name string) *cipherKind {
	name = strings.ToLower(name)
	if alias, ok := cipherAliases[name]; ok {
		name = alias
	}
	return ciphers[name]
}

// cipherNames are the algorithms that can be listed.
func cipherNames() []string { return slices.Collect(maps.Keys(ciphers)) }

// session is an encryption or decryption under way.
type session struct {
	kind    *cipherKind
	encrypt bool
	padding bool

	blocks cipher.BlockMode // in the modes ecb and cbc
	rest   []byte           // what fills no block yet
	stream cipher.Stream    // in the others

	wrapper cipher.Block // in the mode wrap

	aead          cipher.AEAD // in those that authenticate, with all that their tag is of
	iv, aad, text []byte
	tag           []byte
}

// begin starts a session. Key and vector have the sizes of the kind.
func (k *cipherKind) begin(key, iv []byte, encrypt, padding bool) (*session, error) {
	s := &session{kind: k, encrypt: encrypt, padding: padding, iv: iv}
	if k.mode == "poly1305" {
		return s, s.beginPoly1305(key)
	}
	block, err := k.newBlock(key)
	if err != nil {
		return nil, err
	}
	switch k.mode {
	case "ecb":
		s.blocks = ecb{block, encrypt}
	case "cbc":
		s.blocks = cipher.NewCBCDecrypter(block, iv)
		if encrypt {
			s.blocks = cipher.NewCBCEncrypter(block, iv)
		}
	case "ctr":
		s.stream = cipher.NewCTR(block, iv)
	case "ofb":
		s.stream = NewOFB(block, iv)
	case "wrap":
		s.wrapper = block
	case "gcm":
		s.stream = cipher.NewCTR(block, append(slices.Clone(iv), 0, 0, 0, 2)) // the first counter makes the tag
		s.aead, err = cipher.NewGCM(block)
	default:
		s.stream = NewCFB(block, iv, k.mode, encrypt)
	}
	return s, err
}

// beginPoly1305 starts a session of ChaCha20-Poly1305.
func (s *session) beginPoly1305(key []byte) error {
	stream, err := chacha20.NewUnauthenticatedCipher(key, s.iv)
	if err != nil {
		return err
	}
	stream.SetCounter(1) // the first one makes the tag
	s.stream = stream
	s.aead, err = chacha20poly1305.New(key)
	return err
}

// ecb is a block cipher without a mode.
type ecb struct {
	cipher.Block
	encrypt bool
}

// CryptBlocks implements cipher.BlockMode.
func (e ecb) CryptBlocks(dst, src []byte) {
	for n := e.BlockSize(); len(src) > 0; dst, src = dst[n:], src[n:] {
		if e.encrypt {
			e.Encrypt(dst, src)
		} else {
			e.Decrypt(dst, src)
		}
	}
}

// update takes in a part of the text and gives what is done. A decryption with padding keeps the last block back.
func (s *session) update(b []byte) []byte {
	if s.stream != nil {
		out := make([]byte, len(b))
		s.stream.XORKeyStream(out, b)
		if s.aead != nil {
			s.text = append(s.text, b...)
		}
		return out
	}
	s.rest = append(s.rest, b...)
	if s.wrapper != nil {
		return nil
	}
	size := s.blocks.BlockSize()
	n := len(s.rest) / size * size
	if n == len(s.rest) && n > 0 && !s.encrypt && s.padding {
		n -= size
	}
	out := make([]byte, n)
	s.blocks.CryptBlocks(out, s.rest[:n])
	s.rest = append(s.rest[:0], s.rest[n:]...)
	return out
}

// What final says of a text that does not fit, in OpenSSL's words.
var (
	errBlockLength = errors.New("wrong final block length")
	errPadding     = errors.New("bad decrypt")
	errTag         = errors.New("tag does not match")
)

// final ends the text and gives the rest of it.
func (s *session) final() ([]byte, error) {
	switch {
	case s.aead != nil:
		return nil, s.authenticate()
	case s.stream != nil:
		return nil, nil
	case s.wrapper != nil && s.encrypt:
		return wrapKey(s.wrapper, s.iv, s.rest)
	case s.wrapper != nil:
		return unwrapKey(s.wrapper, s.iv, s.rest)
	}
	b, size := bytes.Clone(s.rest), s.blocks.BlockSize()
	if s.encrypt && s.padding {
		b = Pad(b, size)
	}
	if len(b)%size != 0 || len(b) == 0 && s.padding {
		return nil, errBlockLength
	}
	s.rest = nil
	s.blocks.CryptBlocks(b, b)
	if s.encrypt || !s.padding {
		return b, nil
	}
	b, ok := Unpad(b, size)
	if !ok {
		return nil, errPadding
	}
	return b, nil
}

// authenticate makes the tag, or compares it with the one that was set.
func (s *session) authenticate() error {
	if s.encrypt {
		sealed := s.aead.Seal(nil, s.iv, s.text, s.aad)
		s.tag = sealed[len(sealed)-tagSize:]
		return nil
	}
	if _, err := s.aead.Open(nil, s.iv, append(slices.Clip(s.text), s.tag...), s.aad); err != nil || len(s.tag) != tagSize {
		return errTag
	}
	return nil
}
