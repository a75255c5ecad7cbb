package webp

// The inverse transforms are those of RFC 6386, 14.3 and 14.4, to the bit: the
// decoder does the same. Their basis vectors are orthogonal and of length 2 in
// each direction, so that half the products with them are the coefficients.

// Sine and cosine of 22.5 degrees times the square root of 2, in 1<<16th; of the
// latter what it has above 1.
const (
	sine   = 35468
	cosine = 20091
)

func timesSine(v int) int   { return v * sine >> 16 }
func timesCosine(v int) int { return v + v*cosine>>16 }

// transform makes the coefficients of the difference between 4 by 4 pixels and
// their prediction.
func transform(c *[16]int, src []uint8, stride int, pred []uint8, predStride int) {
	const precision = 16 // of the cosines
	const s, k = sine, cosine + 1<<precision
	for y := range 4 {
		var d [4]int
		for x := range 4 {
			d[x] = int(src[y*stride+x]) - int(pred[y*predStride+x])
		}
		a, b, diff, inner := d[0]+d[3], d[1]+d[2], d[0]-d[3], d[1]-d[2]
		c[4*y], c[4*y+2] = (a+b)<<precision, (a-b)<<precision
		c[4*y+1], c[4*y+3] = diff*k+inner*s, diff*s-inner*k
	}
	const half = 1 << (2*precision + 1) / 2
	for x := range 4 {
		d := [4]int{c[x], c[4+x], c[8+x], c[12+x]}
		a, b, diff, inner := d[0]+d[3], d[1]+d[2], d[0]-d[3], d[1]-d[2]
		c[x], c[8+x] = ((a+b)<<precision+half)>>(2*precision+1), ((a-b)<<precision+half)>>(2*precision+1)
		c[4+x], c[12+x] = (diff*k+inner*s+half)>>(2*precision+1), (diff*s-inner*k+half)>>(2*precision+1)
	}
}

// inverse adds the picture of coefficients to a prediction.
func inverse(c *[16]int, dst []uint8, stride int, pred []uint8, predStride int) {
	var t [16]int
	for x := range 4 {
		a, b := c[x]+c[8+x], c[x]-c[8+x]
		p := timesSine(c[4+x]) - timesCosine(c[12+x])
		q := timesCosine(c[4+x]) + timesSine(c[12+x])
		t[x], t[4+x], t[8+x], t[12+x] = a+q, b+p, b-p, a-q
	}
	for y := range 4 {
		r := t[4*y : 4*y+4]
		a, b := r[0]+r[2], r[0]-r[2]
		p := timesSine(r[1]) - timesCosine(r[3])
		q := timesCosine(r[1]) + timesSine(r[3])
		for x, v := range [4]int{a + q, b + p, b - p, a - q} {
			dst[y*stride+x] = uint8(min(max(int(pred[y*predStride+x])+(v+4)>>3, 0), 255))
		}
	}
}

// walsh transforms the means of 16 blocks.
func walsh(c, means *[16]int) {
	var t [16]int
	for i := range 4 {
		t[i], t[4+i], t[8+i], t[12+i] = walsh4(means[i], means[4+i], means[8+i], means[12+i])
	}
	for i := 0; i < 16; i += 4 {
		c[i], c[i+1], c[i+2], c[i+3] = walsh4(t[i], t[i+1], t[i+2], t[i+3])
		for k := i; k < i+4; k++ {
			c[k] = (c[k] + 1) >> 1
		}
	}
}

// inverseWalsh is the inverse, which is the same but for the scale.
func inverseWalsh(means, c *[16]int) {
	var t [16]int
	for i := range 4 {
		t[i], t[4+i], t[8+i], t[12+i] = walsh4(c[i], c[4+i], c[8+i], c[12+i])
	}
	for i := 0; i < 16; i += 4 {
		means[i], means[i+1], means[i+2], means[i+3] = walsh4(t[i], t[i+1], t[i+2], t[i+3])
		for k := i; k < i+4; k++ {
			means[k] = (means[k] + 3) >> 3
		}
	}
}

func walsh4(a, b, c, d int) (int, int, int, int) {
	return a + b + c + d, a + b - c - d, a - b - c + d, a - b + c - d
}
