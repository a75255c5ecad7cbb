package http2

// huffmanLengths are the lengths in bits of the codes of all bytes (RFC 7541,
// appendix B). The code is canonical: the lengths make it.
var huffmanLengths = [256]uint8{
	13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
	6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
	13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
	15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
	20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
	22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
	26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
	20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
}

const (
	// shortBits is the length of the codes that one look at a table finds: those
	// of all letters, digits and most else that headers have.
	shortBits = 9
	longest   = 30
	// maxPadding is how many bits may fill the last byte up. RFC 7541, 5.2, allows
	// seven; nginx takes what encoders send that always add some.
	maxPadding = 8
)

// huffmanTables are made of huffmanLengths.
type huffmanTables struct {
	short [1 << shortBits]struct{ symbol, length uint8 }
	// Codes of one length are a range. end[n] is the first code behind those of n
	// bits, first[n] is their first one, both in the upper bits of a word; they
	// stand for symbols[at[n]] and those after it.
	first, end [longest + 1]uint32
	at         [longest + 1]uint8
	symbols    [256]uint8
	codes      [256]uint32
}

var huffman = makeHuffman()

func makeHuffman() *huffmanTables {
	t, code, n := &huffmanTables{}, uint32(0), 0
	for length := uint8(1); length <= longest; length++ {
		t.first[length], t.at[length] = code<<(32-length), uint8(n)
		for c, l := range huffmanLengths {
			if l != length {
				continue
			}
			t.symbols[n], t.codes[c] = uint8(c), code
			n++
			if length <= shortBits {
				for i := range 1 << (shortBits - length) {
					e := &t.short[int(code)<<(shortBits-length)|i]
					e.symbol, e.length = uint8(c), length
				}
			}
			code++
		}
		t.end[length] = code << (32 - length)
		code <<= 1
	}
	return t
}

// decodeHuffman appends what b stands for to dst, which has room for it: 8/5 of
// b. False when b is not code.
func decodeHuffman(dst, b []byte) ([]byte, bool) {
	t := huffman
	var acc uint64 // the next bits, from the top
	n := uint8(0)  // how many there are
	for {
		for n <= 56 && len(b) > 0 {
			acc |= uint64(b[0]) << (56 - n)
			n += 8
			b = b[1:]
		}
		e := t.short[acc>>(64-shortBits)]
		if e.length == 0 {
			word := uint32(acc >> 32)
			length := uint8(shortBits + 1)
			for length <= longest && word >= t.end[length] {
				length++
			}
			if length > longest {
				return dst, padding(acc, n) // the end of the string is not a symbol
			}
			e.symbol, e.length = t.symbols[t.at[length]+uint8((word-t.first[length])>>(32-length))], length
		}
		if e.length > n {
			return dst, padding(acc, n)
		}
		dst = append(dst, e.symbol)
		acc <<= e.length
		n -= e.length
	}
}

// padding reports whether the last n bits are no more than what fills a byte
// up: ones.
func padding(acc uint64, n uint8) bool {
	return n <= maxPadding && acc>>(64-n) == 1<<n-1
}

// huffmanSize is the size of s when encoded.
func huffmanSize(s string) int {
	n := 0
	for i := range len(s) {
		n += int(huffmanLengths[s[i]])
	}
	return (n + 7) / 8
}

// appendHuffman appends s in Huffman's code.
func appendHuffman(b []byte, s string) []byte {
	t := huffman
	var acc uint64 // the last n bits are still to be appended
	n := uint8(0)
	for i := range len(s) {
		length := huffmanLengths[s[i]]
		acc = acc<<length | uint64(t.codes[s[i]])
		for n += length; n >= 8; {
			n -= 8
			b = append(b, byte(acc>>n))
		}
	}
	if n > 0 {
		b = append(b, byte(acc<<(8-n))|(1<<(8-n)-1))
	}
	return b
}
