// Package crypt compares passwords with what password files have of them:
// nginx's ngx_crypt, and what it leaves to crypt(3).
//
// Known are the schemes of RFC 2307 ({PLAIN}, {SHA}, {SSHA}), those of Apache
// ($apr1$), and of crypt(3): DES, MD5 ($1$), bcrypt ($2a$, $2b$, $2y$),
// SHA-256 ($5$) and SHA-512 ($6$).
package crypt

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// ErrUnknown says that a hash names a scheme that is not known.
var ErrUnknown = errors.New("unknown password scheme")

// alphabet has the digits of crypt(3)'s base 64.
const alphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// Match reports whether a password is the one that was hashed. What follows a
// NUL in it does not count, as in C. Most schemes take their time on purpose:
// see Slow.
func Match(password, hash string) (bool, error) {
	password, _, _ = strings.Cut(password, "\x00")
	for _, s := range schemes {
		if strings.HasPrefix(hash, s.prefix) {
			return s.match(password, hash)
		}
	}
	switch {
	case isDES(hash):
		return equal(desCrypt(password, hash), hash)
	case strings.HasPrefix(hash, "$"):
		return false, ErrUnknown
	}
	return false, nil
}

// Slow reports whether Match takes milliseconds rather than microseconds, so
// that it is better called on another goroutine.
func Slow(hash string) bool { return strings.HasPrefix(hash, "$") }

// schemes are those that a prefix tells.
var schemes = []struct {
	prefix string
	match  func(password, hash string) (bool, error)
}{
	{"$apr1$", func(password, hash string) (bool, error) { return equal(md5Crypt(password, "$apr1$", hash), hash) }},
	{"{PLAIN}", func(password, hash string) (bool, error) { return equal("{PLAIN}"+password, hash) }},
	{"{SSHA}", matchSSHA},
	{"{SHA}", matchSHA},
	{"$1$", func(password, hash string) (bool, error) { return equal(md5Crypt(password, "$1$", hash), hash) }},
	{"$2a$", matchBcrypt}, {"$2b$", matchBcrypt}, {"$2y$", matchBcrypt},
	{"$5$", func(password, hash string) (bool, error) {
		return equal(shaCrypt(password, "$5$", hash, sha256.New, encodeSHA256), hash)
	}},
	{"$6$", func(password, hash string) (bool, error) {
		return equal(shaCrypt(password, "$6$", hash, sha512.New, encodeSHA512), hash)
	}},
}

func equal(a, b string) (bool, error) {
	return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1, nil
}

// matchSHA knows base64(SHA1(password)).
func matchSHA(password, hash string) (bool, error) {
	sum := sha1.Sum([]byte(password))
	return equal("{SHA}"+base64.StdEncoding.EncodeToString(sum[:]), hash)
}

// matchSSHA knows base64(SHA1(password salt) salt).
func matchSSHA(password, hash string) (bool, error) {
	decoded, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.TrimPrefix(hash, "{SSHA}"), "="))
	if err != nil || len(decoded) < sha1.Size {
		return false, nil
	}
	sum, salt := decoded[:sha1.Size], decoded[sha1.Size:]
	got := sha1.Sum(append([]byte(password), salt...))
	return subtle.ConstantTimeCompare(got[:], sum) == 1, nil
}

func matchBcrypt(password, hash string) (bool, error) {
	switch err := bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)); {
	case err == nil:
		return true, nil
	case errors.Is(err, bcrypt.ErrMismatchedHashAndPassword):
		return false, nil
	}
	return false, ErrUnknown
}

// appendBase64 appends n digits of crypt(3)'s base 64, the lowest first.
func appendBase64(b []byte, v uint32, n int) []byte {
	for range n {
		b = append(b, alphabet[v&0x3f])
		v >>= 6
	}
	return b
}

// saltOf cuts the salt, of at most limit bytes, from what follows the prefix.
func saltOf(s string, limit int) string {
	s, _, _ = strings.Cut(s, "$")
	return s[:min(len(s), limit)]
}

// repeated is sum repeated up to a length of n.
func repeated(sum []byte, n int) []byte {
	return bytes.Repeat(sum, n/len(sum)+1)[:n]
}
