package webp

import "encoding/binary"

// Predictions of a macroblock.
const (
	predDC = iota
	predV
	predH
)

// steps are the quantizer steps of a kind of block: of the first coefficient
// and of the others.
type steps struct{ dc, ac int }

// encoder is the coding of one picture.
type encoder struct {
	src   *planes
	built *planes // what a decoder will see
	head  *boolEncoder
	data  *boolEncoder

	y1, y2, uv steps
	// above and left tell which neighbouring blocks have coefficients: four of
	// luma, two of each chroma, one of the luma's means.
	above [][9]bool
	left  [9]bool
}

// encode returns a key frame with the quantizer of an index.
func (p *planes) encode(q int) []byte { return newEncoder(p, q).frame(q) }

func newEncoder(p *planes, q int) *encoder {
	return &encoder{
		src: p, head: newBoolEncoder(), data: newBoolEncoder(), above: make([][9]bool, p.mbw),
		built: &planes{
			y: newPlane(16*p.mbw, 16*p.mbh), u: newPlane(8*p.mbw, 8*p.mbh), v: newPlane(8*p.mbw, 8*p.mbh),
		},
		y1: steps{dcSteps[q], acSteps[q]},
		y2: steps{2 * dcSteps[q], max(acSteps[q]*155/100, 8)},
		uv: steps{min(dcSteps[q], 132), acSteps[q]},
	}
}

// frame writes the key frame (RFC 6386, 9 and 19.2).
func (e *encoder) frame(q int) []byte {
	p := e.src
	e.header(q)
	for my := range p.mbh {
		e.left = [9]bool{}
		for mx := range p.mbw {
			e.macroblock(mx, my)
		}
	}
	head, data := e.head.finish(), e.data.finish()
	const shown = 1 << 4
	out := uint24(shown | len(head)<<5)
	out = append(out, 0x9d, 0x01, 0x2a)
	out = binary.LittleEndian.AppendUint16(out, uint16(p.width))
	out = binary.LittleEndian.AppendUint16(out, uint16(p.height))
	return append(append(out, head...), data...)
}

// header writes what holds for the whole frame.
func (e *encoder) header(q int) {
	h := e.head
	h.number(0, 2)   // colour space, clamping
	h.number(0, 1)   // no segments
	h.number(0, 1)   // the normal loop filter
	h.number(q/4, 6) // its level: the coarser the steps, the more to smooth
	h.number(0, 3)   // its sharpness
	h.number(0, 1)   // no adjustment of it
	h.number(0, 2)   // one partition of data
	h.number(q, 7)   // quantizer
	h.number(0, 5)   // the same for all kinds of blocks
	h.number(0, 1)   // probabilities do not last
	for i := range updateProbs {
		for j := range updateProbs[i] {
			for k := range updateProbs[i][j] {
				for _, p := range updateProbs[i][j][k] {
					h.bit(false, p)
				}
			}
		}
	}
	h.number(0, 1) // no macroblock is skipped
}

// macroblock codes 16 by 16 pixels.
func (e *encoder) macroblock(mx, my int) {
	var pred [256]uint8
	mode := choose(pred[:], 16, mx, my, area{&e.src.y, &e.built.y})
	e.head.bit(true, 145) // the macroblock as a whole is predicted
	e.head.bit(mode == predH, 156)
	if mode == predH {
		e.head.bit(false, 128)
	} else {
		e.head.bit(mode == predV, 163)
	}
	var predU, predV8 [64]uint8
	u, v := area{&e.src.u, &e.built.u}, area{&e.src.v, &e.built.v}
	mode = choose(predU[:], 8, mx, my, u, v)
	predict(predV8[:], 8, mx, my, v.built, mode)
	if e.head.bit(mode != predDC, 142); mode != predDC {
		if e.head.bit(mode != predV, 114); mode != predV {
			e.head.bit(false, 183)
		}
	}
	above := &e.above[mx]
	e.luma(&pred, mx, my, above)
	e.chroma(&predU, mx, my, u, above[4:6], e.left[4:6])
	e.chroma(&predV8, mx, my, v, above[6:8], e.left[6:8])
}

// luma codes the 16 blocks of luma, whose means go into a block of their own.
func (e *encoder) luma(pred *[256]uint8, mx, my int, above *[9]bool) {
	var blocks [16][16]int
	var means, y2 [16]int
	at := 16*my*e.src.y.stride + 16*mx
	for i := range blocks {
		off := i / 4 * 4 * 16
		transform(&blocks[i], e.src.y.pix[at+i/4*4*e.src.y.stride+i%4*4:], e.src.y.stride, pred[off+i%4*4:], 16)
		means[i] = blocks[i][0]
		blocks[i][0] = 0
		quantize(&blocks[i], e.y1)
	}
	walsh(&y2, &means)
	quantize(&y2, e.y2)
	above[8] = e.data.block(kindY2, &y2, count(above[8], e.left[8]))
	e.left[8] = above[8]
	for i := range blocks {
		a, l := &above[i%4], &e.left[i/4]
		*a = e.data.block(kindAfterY2, &blocks[i], count(*a, *l))
		*l = *a
	}
	dequantize(&y2, e.y2)
	inverseWalsh(&means, &y2)
	for i := range blocks {
		dequantize(&blocks[i], e.y1)
		blocks[i][0] = means[i]
		inverse(&blocks[i], e.built.y.pix[at+i/4*4*e.src.y.stride+i%4*4:], e.src.y.stride, pred[i/4*4*16+i%4*4:], 16)
	}
}

// chroma codes the four blocks of one chroma plane.
func (e *encoder) chroma(pred *[64]uint8, mx, my int, a area, above, left []bool) {
	stride := a.src.stride
	for i := range 4 {
		var b [16]int
		at := (8*my+i/2*4)*stride + 8*mx + i%2*4
		off := i/2*4*8 + i%2*4
		transform(&b, a.src.pix[at:], stride, pred[off:], 8)
		quantize(&b, e.uv)
		up, l := &above[i%2], &left[i/2]
		*up = e.data.block(kindChroma, &b, count(*up, *l))
		*l = *up
		dequantize(&b, e.uv)
		inverse(&b, a.built.pix[at:], stride, pred[off:], 8)
	}
}

func count(a, b bool) (n int) {
	if a {
		n++
	}
	if b {
		n++
	}
	return n
}

// area is a plane as it is and as a decoder will see it.
type area struct{ src, built *plane }

// choose finds the prediction that is nearest to the macroblock in all given
// planes, and leaves that of the first in pred.
func choose(pred []uint8, size, mx, my int, areas ...area) (best int) {
	least := -1
	for mode := predDC; mode <= predH; mode++ {
		if mode == predV && my == 0 || mode == predH && mx == 0 {
			continue
		}
		sum := 0
		for _, a := range areas {
			predict(pred, size, mx, my, a.built, mode)
			for y := range size {
				row := a.src.pix[(size*my+y)*a.src.stride+size*mx:]
				for x := range size {
					d := int(row[x]) - int(pred[y*size+x])
					sum += max(d, -d)
				}
			}
		}
		if least < 0 || sum < least {
			best, least = mode, sum
		}
	}
	predict(pred, size, mx, my, areas[0].built, best)
	return best
}

// predict makes the prediction of a macroblock from what is above it and on its
// left (RFC 6386, 12.2 and 12.3).
func predict(pred []uint8, size, mx, my int, p *plane, mode int) {
	at := size*my*p.stride + size*mx
	switch mode {
	case predV:
		for y := range size {
			copy(pred[y*size:(y+1)*size], p.pix[at-p.stride:])
		}
		return
	case predH:
		for y := range size {
			for x := range size {
				pred[y*size+x] = p.pix[at+y*p.stride-1]
			}
		}
		return
	}
	sum, n := 0, 0
	if my > 0 {
		for x := range size {
			sum += int(p.pix[at-p.stride+x])
		}
		n += size
	}
	if mx > 0 {
		for y := range size {
			sum += int(p.pix[at+y*p.stride-1])
		}
		n += size
	}
	mean := 128
	if n > 0 {
		mean = (sum + n/2) / n
	}
	for i := range size * size {
		pred[i] = uint8(mean)
	}
}

// quantize rounds coefficients to steps, rather down than up: small ones are
// noise.
func quantize(c *[16]int, s steps) {
	for i, v := range c {
		step := s.ac
		if i == 0 {
			step = s.dc
		}
		n := min((max(v, -v)+step*3/8)/step, 2047)
		if v < 0 {
			n = -n
		}
		c[i] = n
	}
}

func dequantize(c *[16]int, s steps) {
	c[0] *= s.dc
	for i := 1; i < 16; i++ {
		c[i] *= s.ac
	}
}
