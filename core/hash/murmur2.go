// Package hash has the hash functions whose results users see.
package hash

import "encoding/binary"

// Murmur2 is MurmurHash2 of 32 bits with seed 0: nginx's ngx_murmur_hash2,
// which decides about the shares of split_clients.
func Murmur2(data []byte) uint32 {
	const m = 0x5bd1e995
	h := uint32(len(data))
	for ; len(data) >= 4; data = data[4:] {
		k := binary.LittleEndian.Uint32(data) * m
		k ^= k >> 24
		h = h*m ^ k*m
	}
	switch len(data) {
	case 3:
		h ^= uint32(data[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(data[1]) << 8
		fallthrough
	case 1:
		h = (h ^ uint32(data[0])) * m
	}
	h = (h ^ h>>13) * m
	return h ^ h>>15
}
