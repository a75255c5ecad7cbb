package setmisc

import (
	"crypto/hmac"
	"crypto/md5"
	crand "crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"math/rand/v2"
	"time"

	"moongate/conf"
	"moongate/core/buf"
	"moongate/core/strftime"
	"moongate/http"
)

func hexOf(r *http.Request, sum []byte) (string, bool) {
	b := r.Pool.Alloc(2 * len(sum))
	hex.Encode(b, sum)
	return buf.String(b), true
}

func md5Hex(r *http.Request, v []string) (string, bool) {
	sum := md5.Sum(buf.Bytes(v[0]))
	return hexOf(r, sum[:])
}

func sha1Hex(r *http.Request, v []string) (string, bool) {
	sum := sha1.Sum(buf.Bytes(v[0]))
	return hexOf(r, sum[:])
}

func hmacSHA1(r *http.Request, v []string) (string, bool)   { return mac(r, sha1.New, v) }
func hmacSHA256(r *http.Request, v []string) (string, bool) { return mac(r, sha256.New, v) }

// mac is the digest, in binary, of the second value with the first as the key.
func mac(r *http.Request, digest func() hash.Hash, v []string) (string, bool) {
	h := hmac.New(digest, buf.Bytes(v[0]))
	h.Write(buf.Bytes(v[1]))
	return buf.String(h.Sum(r.Pool.Alloc(h.Size())[:0])), true
}

// random is set_random: a number between two others, which it may be.
func random(r *http.Request, v []string) (string, bool) {
	from, ok := conf.ParseInt(v[0])
	if !ok {
		r.Error(`set_random: bad "from" argument: %s`, v[0])
		return "", false
	}
	to, ok := conf.ParseInt(v[1])
	if !ok {
		r.Error(`set_random: bad "to" argument: %s`, v[1])
		return "", false
	}
	from, to = min(from, to), max(from, to)
	return r.Pool.Int(from + int64(rand.Uint64N(uint64(to-from)+1))), true
}

// maxRandom bounds the length of random strings.
const maxRandom = 64

const letters = "abcdefghijklmnopqrstuvwxyz"

func randomLetters(r *http.Request, v []string) (string, bool) { return randomOf(r, v, letters) }

func randomAlphanum(r *http.Request, v []string) (string, bool) {
	return randomOf(r, v, letters+"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
}

func randomOf(r *http.Request, v []string, alphabet string) (string, bool) {
	n, ok := conf.ParseInt(v[0])
	if !ok || n < 1 || n > maxRandom {
		r.Error(`set_random: bad "length" argument: %s`, v[0])
		return "", false
	}
	b := r.Pool.Alloc(int(n))
	if _, err := crand.Read(b); err != nil {
		r.Error("set_secure_random: could not read all %d byte(s) from /dev/urandom", n)
		return "", false
	}
	for i := range b {
		b[i] = alphabet[int(b[i])%len(alphabet)]
	}
	return buf.String(b), true
}

// rotate is set_rotate: one more than the variable's value or, without one, than
// the last number of the location in this worker.
func rotate(r *http.Request, v []string) (string, bool) {
	from, ok := conf.ParseInt(v[1])
	if !ok {
		r.Error(`set_rotate: bad "from" argument value: "%s"`, v[1])
		return "", false
	}
	to, ok := conf.ParseInt(v[2])
	if !ok {
		r.Error(`set_rotate: bad "to" argument value: "%s"`, v[2])
		return "", false
	}
	from, to = min(from, to), max(from, to)
	c := slot.Of(r.Scope)
	current, ok := conf.ParseInt(v[0])
	if !ok && v[0] != "" {
		r.Error(`set_rotate: bad current value: "%s"`, v[0])
	}
	switch {
	case ok:
	case c.rotated.Set:
		current = c.rotated.V
	default:
		current = from - 1
	}
	if current++; current > to || current < from {
		current = from
	}
	c.rotated.Put(current)
	return r.Pool.Int(current), true
}

func localToday(r *http.Request, _ []string) (string, bool) {
	return formatted(r, r.Loop().Now().Local(), "%Y-%m-%d")
}

func gmtTime(r *http.Request, v []string) (string, bool) {
	return formatted(r, r.Loop().Now().UTC(), v[0])
}

func localTime(r *http.Request, v []string) (string, bool) {
	return formatted(r, r.Loop().Now().Local(), v[0])
}

// maxTime bounds the text of a time, with the NUL byte that C puts behind it.
const maxTime = 256

func formatted(r *http.Request, t time.Time, format string) (string, bool) {
	if format == "" {
		return "", true
	}
	b := strftime.Append(r.Pool.Alloc(maxTime)[:0], format, t)
	return buf.String(b), len(b) > 0 && len(b) < maxTime
}
