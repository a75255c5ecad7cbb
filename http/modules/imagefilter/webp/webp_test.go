package webp

import (
	"bytes"
	"image"
	"image/color"
	"math"
	"testing"

	"golang.org/x/image/webp"
)

// picture has slopes, edges and, if asked for, alpha.
func picture(w, h int, alpha bool) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.NRGBA{uint8(x * 255 / w), uint8(y * 255 / h), 80, 255}
			if (x/9+y/7)%5 == 0 {
				c.R, c.G, c.B = 255, 255, 255
			}
			if alpha {
				c.A = uint8(x)
			}
			m.SetNRGBA(x, y, c)
		}
	}
	return m
}

// noise is the mean square error of a luma plane against the picture.
func noise(m *image.NRGBA, y []uint8, stride int) float64 {
	sum := 0.0
	for i := range m.Rect.Dy() {
		for k := range m.Rect.Dx() {
			c := m.NRGBAAt(k, i)
			d := float64(luma(int(c.R), int(c.G), int(c.B))) - float64(y[i*stride+k])
			sum += d * d
		}
	}
	return sum / float64(m.Rect.Dx()*m.Rect.Dy())
}

func TestEncode(t *testing.T) {
	for _, size := range []image.Point{{1, 1}, {16, 16}, {17, 33}, {100, 75}} {
		for _, quality := range []int{1, 50, 80, 100} {
			m := picture(size.X, size.Y, false)
			var out bytes.Buffer
			if err := Encode(&out, m, quality); err != nil {
				t.Fatal(err)
			}
			got, err := webp.Decode(&out)
			if err != nil {
				t.Fatalf("%v at quality %d: %v", size, quality, err)
			}
			p := got.(*image.YCbCr)
			if p.Rect != m.Rect {
				t.Errorf("%v became %v", m.Rect, p.Rect)
			}
			if most := 600 * math.Pow(0.93, float64(quality)); noise(m, p.Y, p.YStride) > most+3 {
				t.Errorf("%v at quality %d: the error is %.1f", size, quality, noise(m, p.Y, p.YStride))
			}
		}
	}
}

func TestEncodeAlpha(t *testing.T) {
	m := picture(50, 30, true)
	var out bytes.Buffer
	if err := Encode(&out, m, 80); err != nil {
		t.Fatal(err)
	}
	got, err := webp.Decode(&out)
	if err != nil {
		t.Fatal(err)
	}
	p := got.(*image.NYCbCrA)
	for x := range 50 {
		if a := p.A[10*p.AStride+x]; a != uint8(x) {
			t.Errorf("alpha %d became %d", x, a)
		}
	}
}

// What the encoder predicts from is what a decoder has, to the bit; the loop
// filter is off with steps that small.
func TestDecoderSeesTheSame(t *testing.T) {
	p, _ := split(picture(64, 48, false))
	const q = 3
	e := newEncoder(p, q)
	got, err := webp.Decode(bytes.NewReader(appendChunk([]byte("RIFF\xff\xff\x00\x00WEBP"), "VP8 ", e.frame(q))))
	if err != nil {
		t.Fatal(err)
	}
	m := got.(*image.YCbCr)
	for y := range 48 {
		if !bytes.Equal(m.Y[y*m.YStride:][:64], e.built.y.pix[64*y:][:64]) {
			t.Errorf("row %d of the luma differs", y)
		}
	}
	for y := range 24 {
		if !bytes.Equal(m.Cb[y*m.CStride:][:32], e.built.u.pix[32*y:][:32]) ||
			!bytes.Equal(m.Cr[y*m.CStride:][:32], e.built.v.pix[32*y:][:32]) {
			t.Errorf("row %d of the chroma differs", y)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	if err := Encode(new(bytes.Buffer), image.NewRGBA(image.Rect(0, 0, 1<<14, 1)), 80); err != errSize {
		t.Error(err)
	}
}
