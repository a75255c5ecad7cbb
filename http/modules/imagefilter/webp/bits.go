package webp

// boolEncoder is VP8's arithmetic coder (RFC 6386, 7.3).
type boolEncoder struct {
	out    []byte
	bottom uint32
	width  uint32 // of the interval, from 128 to 255
	free   int    // shifts until a byte is complete
}

func newBoolEncoder() *boolEncoder { return &boolEncoder{width: 255, free: 24} }

// bit writes a bit that is 0 with a probability of prob in 256.
func (e *boolEncoder) bit(b bool, prob uint8) {
	split := 1 + (e.width-1)*uint32(prob)>>8
	if b {
		e.bottom += split
		if e.bottom < split {
			e.carry()
		}
		e.width -= split
	} else {
		e.width = split
	}
	for e.width < 128 {
		e.shift()
	}
}

func (e *boolEncoder) shift() {
	e.width <<= 1
	if e.bottom&(1<<31) != 0 {
		e.carry()
	}
	e.bottom <<= 1
	if e.free--; e.free == 0 {
		e.out = append(e.out, byte(e.bottom>>24))
		e.bottom &= 1<<24 - 1
		e.free = 8
	}
}

// carry adds one to what was written.
func (e *boolEncoder) carry() {
	i := len(e.out) - 1
	for ; i >= 0 && e.out[i] == 255; i-- {
		e.out[i] = 0
	}
	if i >= 0 {
		e.out[i]++
	}
}

// number writes the lowest bits of v, the highest first.
func (e *boolEncoder) number(v, bits int) {
	for bits--; bits >= 0; bits-- {
		e.bit(v>>bits&1 != 0, 128)
	}
}

// finish returns what was written.
func (e *boolEncoder) finish() []byte {
	e.number(0, 32)
	return e.out
}

// Kinds of blocks.
const (
	kindAfterY2 = iota // luma without the first coefficient
	kindY2
	kindChroma
)

var (
	zigzag = [16]int{0, 1, 4, 8, 5, 2, 3, 6, 9, 12, 13, 10, 7, 11, 14, 15}
	bands  = [16]int{0, 1, 2, 3, 6, 4, 5, 6, 6, 6, 6, 6, 6, 6, 6, 7}
)

// categories are the tokens of large values: where they begin, and the
// probabilities of the bits that follow (RFC 6386, 13.2).
var categories = [...]struct {
	base  int
	extra []uint8
}{
	{5, []uint8{159}},
	{7, []uint8{165, 145}},
	{11, []uint8{173, 148, 140}},
	{19, []uint8{176, 155, 140, 135}},
	{35, []uint8{180, 157, 141, 134, 130}},
	{67, []uint8{254, 254, 243, 230, 196, 177, 153, 140, 133, 130, 129}},
}

// block writes the coefficients of a block, and reports whether there are any.
// context is how many of the blocks beside and above it have some.
func (e *boolEncoder) block(kind int, c *[16]int, context int) bool {
	first := 0
	if kind == kindAfterY2 {
		first = 1
	}
	last := 15
	for last >= first && c[zigzag[last]] == 0 {
		last--
	}
	for i := first; i <= last; i++ {
		p := &tokenProbs[kind][bands[i]][context]
		v := c[zigzag[i]]
		if i == first || c[zigzag[i-1]] != 0 {
			e.bit(true, p[0]) // not the end
		}
		e.bit(v != 0, p[1])
		if v == 0 {
			context = 0
			continue
		}
		context = e.value(max(v, -v), p)
		e.bit(v < 0, 128)
	}
	if last < 15 {
		e.bit(false, tokenProbs[kind][bands[last+1]][context][0])
	}
	return last >= first
}

// value writes a value from 1 to 2048, and returns the context of the next.
func (e *boolEncoder) value(v int, p *[11]uint8) (context int) {
	if e.bit(v > 1, p[2]); v == 1 {
		return 1
	}
	if e.bit(v > 4, p[3]); v <= 4 {
		if e.bit(v > 2, p[4]); v > 2 {
			e.bit(v > 3, p[5])
		}
		return 2
	}
	n := len(categories) - 1
	for v < categories[n].base {
		n--
	}
	if e.bit(n > 1, p[6]); n <= 1 {
		e.bit(n > 0, p[7])
	} else {
		e.bit(n > 3, p[8])
		e.bit(n&1 != 0, p[9+n/4])
	}
	extra := categories[n].extra
	for i, prob := range extra {
		e.bit((v-categories[n].base)>>(len(extra)-1-i)&1 != 0, prob)
	}
	return 2
}
