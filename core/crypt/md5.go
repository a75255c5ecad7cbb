package crypt

import "crypto/md5"

const (
	md5Rounds  = 1000
	md5MaxSalt = 8
)

// md5Crypt hashes a password as Poul-Henning Kamp's MD5 crypt, with the salt
// of hash; prefix is "$1$" or Apache's "$apr1$".
func md5Crypt(password, prefix, hash string) string {
	key, salt := []byte(password), saltOf(hash[len(prefix):], md5MaxSalt)
	inner := md5.Sum([]byte(password + salt + password))

	b := []byte(password + prefix + salt)
	b = append(b, repeated(inner[:], len(key))...)
	for n := len(key); n > 0; n >>= 1 {
		switch {
		case n&1 != 0:
			b = append(b, 0)
		default:
			b = append(b, password[0])
		}
	}
	sum := md5.Sum(b)
	for i := range md5Rounds {
		b = b[:0]
		if i&1 != 0 {
			b = append(b, key...)
		} else {
			b = append(b, sum[:]...)
		}
		if i%3 != 0 {
			b = append(b, salt...)
		}
		if i%7 != 0 {
			b = append(b, key...)
		}
		if i&1 != 0 {
			b = append(b, sum[:]...)
		} else {
			b = append(b, key...)
		}
		sum = md5.Sum(b)
	}

	b = append(b[:0], prefix+salt+"$"...)
	for i := range 5 {
		last := i + 12
		if last == 16 {
			last = 5
		}
		b = appendBase64(b, uint32(sum[i])<<16|uint32(sum[i+6])<<8|uint32(sum[last]), 4)
	}
	return string(appendBase64(b, uint32(sum[11]), 2))
}
