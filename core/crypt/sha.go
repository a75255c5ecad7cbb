package crypt

import (
	"fmt"
	"hash"
	"strings"

	"moongate/conf"
)

// Bounds of Ulrich Drepper's "Unix crypt using SHA-256 and SHA-512".
const (
	shaRounds    = 5000
	shaMinRounds = 1000
	shaMaxRounds = 999999999
	shaMaxSalt   = 16
)

// shaCrypt hashes a password with the salt and the rounds of stored.
func shaCrypt(password, prefix, stored string, algorithm func() hash.Hash, encode func(b, sum []byte) []byte) string {
	rest, rounds := stored[len(prefix):], int64(shaRounds)
	head := prefix
	if s, ok := strings.CutPrefix(rest, "rounds="); ok {
		number, after, _ := strings.Cut(s, "$")
		if n, ok := conf.ParseInt(number); ok {
			rest, rounds = after, min(max(n, shaMinRounds), shaMaxRounds)
			head += fmt.Sprintf("rounds=%d$", rounds)
		}
	}
	salt := saltOf(rest, shaMaxSalt)

	d := algorithm()
	digest := func(parts ...[]byte) []byte {
		d.Reset()
		for _, p := range parts {
			d.Write(p)
		}
		return d.Sum(nil)
	}
	key, seed := []byte(password), []byte(salt)
	inner := digest(key, seed, key)
	parts := [][]byte{key, seed, repeated(inner, len(key))}
	for n := len(key); n > 0; n >>= 1 {
		if n&1 != 0 {
			parts = append(parts, inner)
		} else {
			parts = append(parts, key)
		}
	}
	sum := digest(parts...)

	keys := make([][]byte, len(key))
	for i := range keys {
		keys[i] = key
	}
	p := repeated(digest(keys...), len(key))
	seeds := make([][]byte, 16+int(sum[0]))
	for i := range seeds {
		seeds[i] = seed
	}
	s := repeated(digest(seeds...), len(seed))
	for i := range rounds {
		d.Reset()
		if i&1 != 0 {
			d.Write(p)
		} else {
			d.Write(sum)
		}
		if i%3 != 0 {
			d.Write(s)
		}
		if i%7 != 0 {
			d.Write(p)
		}
		if i&1 != 0 {
			d.Write(sum)
		} else {
			d.Write(p)
		}
		sum = d.Sum(sum[:0])
	}
	return string(encode([]byte(head+salt+"$"), sum))
}

// encodeSHA256 and encodeSHA512 append a sum in base 64; three bytes a third
// of the sum apart make four digits, and their order rotates.
func encodeSHA256(b, sum []byte) []byte {
	i, j, k := 0, 10, 20
	for range 10 {
		b = appendBase64(b, uint32(sum[i])<<16|uint32(sum[j])<<8|uint32(sum[k]), 4)
		i, j, k = k+1, i+1, j+1
	}
	return appendBase64(b, uint32(sum[31])<<8|uint32(sum[30]), 3)
}

func encodeSHA512(b, sum []byte) []byte {
	i, j, k := 0, 21, 42
	for range 21 {
		b = appendBase64(b, uint32(sum[i])<<16|uint32(sum[j])<<8|uint32(sum[k]), 4)
		i, j, k = j+1, k+1, i+1
	}
	return appendBase64(b, uint32(sum[63]), 2)
}
