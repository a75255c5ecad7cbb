package openssl

import (
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"slices"
)

// Key wrap (RFC 3394) works on halves of blocks, of which there are two at least.
const (
	wrapSize = 8
	// wrapLimit bounds what is wrapped, in bytes: a key is no longer.
	wrapLimit = 1 << 16
)

var errWrap = errors.New("unwrap failed")

// wrapKey wraps a key.
func wrapKey(block cipher.Block, iv, key []byte) ([]byte, error) {
	if len(key)%wrapSize != 0 || len(key) < 2*wrapSize || len(key) > wrapLimit {
		return nil, errBlockLength
	}
	out := append(slices.Clone(iv), key...)
	b := make([]byte, 2*wrapSize)
	copy(b, out)
	for step, n := uint64(1), uint64(len(key)/wrapSize); step <= 6*n; step++ {
		half := out[((step-1)%n+1)*wrapSize:][:wrapSize]
		copy(b[wrapSize:], half)
		block.Encrypt(b, b)
		copy(half, b[wrapSize:])
		binary.BigEndian.PutUint64(b, binary.BigEndian.Uint64(b)^step)
	}
	copy(out, b[:wrapSize])
	return out, nil
}

// unwrapKey gives the key that was wrapped.
func unwrapKey(block cipher.Block, iv, text []byte) ([]byte, error) {
	if len(text)%wrapSize != 0 || len(text) < 3*wrapSize || len(text) > wrapLimit {
		return nil, errBlockLength
	}
	out := slices.Clone(text)
	b := make([]byte, 2*wrapSize)
	copy(b, out)
	n := uint64(len(out)/wrapSize - 1)
	for step := 6 * n; step > 0; step-- {
		half := out[((step-1)%n+1)*wrapSize:][:wrapSize]
		binary.BigEndian.PutUint64(b, binary.BigEndian.Uint64(b)^step)
		copy(b[wrapSize:], half)
		block.Decrypt(b, b)
		copy(half, b[wrapSize:])
	}
	if subtle.ConstantTimeCompare(b[:wrapSize], iv) == 0 {
		return nil, errWrap
	}
	return out[wrapSize:], nil
}
