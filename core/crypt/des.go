package crypt

import "strings"

// The tables of FIPS 46: bits are numbered from 1.
var (
	desInitial = [64]byte{
		58, 50, 42, 34, 26, 18, 10, 2, 60, 52, 44, 36, 28, 20, 12, 4, 62, 54, 46, 38, 30, 22, 14, 6, 64, 56, 48, 40, 32, 24, 16, 8,
		57, 49, 41, 33, 25, 17, 9, 1, 59, 51, 43, 35, 27, 19, 11, 3, 61, 53, 45, 37, 29, 21, 13, 5, 63, 55, 47, 39, 31, 23, 15, 7,
	}
	desFinal = [64]byte{
		40, 8, 48, 16, 56, 24, 64, 32, 39, 7, 47, 15, 55, 23, 63, 31, 38, 6, 46, 14, 54, 22, 62, 30, 37, 5, 45, 13, 53, 21, 61, 29,
		36, 4, 44, 12, 52, 20, 60, 28, 35, 3, 43, 11, 51, 19, 59, 27, 34, 2, 42, 10, 50, 18, 58, 26, 33, 1, 41, 9, 49, 17, 57, 25,
	}
	desExpansion = [48]byte{
		32, 1, 2, 3, 4, 5, 4, 5, 6, 7, 8, 9, 8, 9, 10, 11, 12, 13, 12, 13, 14, 15, 16, 17,
		16, 17, 18, 19, 20, 21, 20, 21, 22, 23, 24, 25, 24, 25, 26, 27, 28, 29, 28, 29, 30, 31, 32, 1,
	}
	desPermutation = [32]byte{
		16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10, 2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25,
	}
	desChoice1 = [56]byte{
		57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43, 35, 27, 19, 11, 3, 60, 52, 44, 36,
		63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37, 29, 21, 13, 5, 28, 20, 12, 4,
	}
	desChoice2 = [48]byte{
		14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2,
		41, 52, 31, 37, 47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32,
	}
	desShifts = [16]int{1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1}
	// desBoxes are the selection functions, a hexadecimal digit for each of
	// four rows of sixteen columns.
	desBoxes = [8]string{
		"e4d12fb83a6c59070f74e2d1a6cb953841e8d62bfc973a50fc8249175b3ea06d",
		"f18e6b34972dc05a3d47f28ec01a69b50e7ba4d158c6932fd8a13f42b67c05e9",
		"a09e63f51dc7b428d709346a285ecbf1d6498f30b12c5ae71ad069874fe3b52c",
		"7de3069a1285bc4fd8b56f03472c1ae9a690cb7df13e52843f06a1d8945bc72e",
		"2c417ab6853fd0e9eb2c47d150fa3986421bad78f9c5630eb8c71e2d6f09a453",
		"c1af92680d34e75baf427c9561de0b389ef528c3704a1db6432c95fabe17608d",
		"4b2ef08d3c975a61d0b7491ae35c2f8614bdc37eaf6805926bd814a7950fe23c",
		"d2846fb1a93e50c71fd8a374c56b0e927b419ce206adf35821e74a8dfc90356b",
	}
)

// desKeys are the sixteen round keys.
type desKeys [16][48]byte

// desSchedule makes the round keys of a password's first eight bytes.
func desSchedule(password string) (keys desKeys) {
	var bits [64]byte
	for i := range min(len(password), 8) {
		for j := range 7 {
			bits[8*i+j] = password[i] >> (6 - j) & 1
		}
	}
	var cd [56]byte
	for i, n := range desChoice1 {
		cd[i] = bits[n-1]
	}
	for round, shift := range desShifts {
		var next [56]byte
		for i := range 28 {
			next[i] = cd[(i+shift)%28]
			next[28+i] = cd[28+(i+shift)%28]
		}
		cd = next
		for i, n := range desChoice2 {
			keys[round][i] = cd[n-1]
		}
	}
	return keys
}

// encrypt encrypts a block of 64 bits.
func (keys *desKeys) encrypt(block *[64]byte, expansion *[48]byte) {
	var lr [64]byte
	for i, n := range desInitial {
		lr[i] = block[n-1]
	}
	left, right := [32]byte(lr[:32]), [32]byte(lr[32:])
	for round := range keys {
		var mixed, chosen [32]byte
		for box := range 8 {
			var in [6]byte
			for i := range in {
				in[i] = right[expansion[6*box+i]-1] ^ keys[round][6*box+i]
			}
			row, column := in[0]<<1|in[5], in[1]<<3|in[2]<<2|in[3]<<1|in[4]
			out := hexDigit(desBoxes[box][16*row+column])
			for i := range 4 {
				chosen[4*box+i] = out >> (3 - i) & 1
			}
		}
		for i, n := range desPermutation {
			mixed[i] = left[i] ^ chosen[n-1]
		}
		left, right = right, mixed
	}
	copy(lr[:32], right[:])
	copy(lr[32:], left[:])
	for i, n := range desFinal {
		block[i] = lr[n-1]
	}
}

func hexDigit(c byte) byte {
	if c >= 'a' {
		return c - 'a' + 10
	}
	return c - '0'
}

// isDES tells the hashes of the traditional crypt(3): two digits of salt and
// eleven.
func isDES(hash string) bool {
	return len(hash) >= 2 && strings.IndexByte(alphabet, hash[0]) >= 0 && strings.IndexByte(alphabet, hash[1]) >= 0
}

// desRounds is how often the block of zeros is encrypted.
const desRounds = 25

// desCrypt hashes a password with the salt of hash, which exchanges bits of
// the expansion.
func desCrypt(password, hash string) string {
	expansion := desExpansion
	for i := range 2 {
		salt := strings.IndexByte(alphabet, hash[i])
		for j := range 6 {
			if a := 6*i + j; salt>>j&1 != 0 {
				expansion[a], expansion[a+24] = expansion[a+24], expansion[a]
			}
		}
	}
	keys := desSchedule(password)
	var block [66]byte // 64 bits and two for the last digit
	for range desRounds {
		keys.encrypt((*[64]byte)(block[:64]), &expansion)
	}
	out := []byte(hash[:2])
	for i := 0; i < len(block); i += 6 {
		digit := 0
		for _, bit := range block[i : i+6] {
			digit = digit<<1 | int(bit)
		}
		out = append(out, alphabet[digit])
	}
	return string(out)
}
