// Package webp encodes images as WebP (RFC 9649) with VP8's lossy coding
// (RFC 6386), and alpha as it is: what golang.org/x/image only decodes. It uses
// the predictions of whole macroblocks and the format's own probabilities.
package webp

import (
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"io"
	"math"
)

// maxSide is how wide and high an image may be.
const maxSide = 1<<14 - 1

var errSize = errors.New("webp: an image of that size cannot be encoded")

// Encode writes an image with a quality from 1 to 100.
func Encode(w io.Writer, m image.Image, quality int) error {
	b := m.Bounds()
	if b.Empty() || b.Dx() > maxSide || b.Dy() > maxSide {
		return errSize
	}
	p, alpha := split(m)
	frame := p.encode(quantizer(quality))
	file := []byte("RIFF\x00\x00\x00\x00WEBP")
	if alpha != nil {
		const hasAlpha = 0x10
		header := append([]byte{hasAlpha, 0, 0, 0}, uint24(b.Dx()-1)...)
		file = appendChunk(file, "VP8X", append(header, uint24(b.Dy()-1)...))
		file = appendChunk(file, "ALPH", alpha)
	}
	file = appendChunk(file, "VP8 ", frame)
	binary.LittleEndian.PutUint32(file[4:], uint32(len(file)-8))
	_, err := w.Write(file)
	return err
}

func uint24(v int) []byte { return []byte{byte(v), byte(v >> 8), byte(v >> 16)} }

func appendChunk(dst []byte, name string, data []byte) []byte {
	dst = append(dst, name...)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(data)))
	dst = append(dst, data...)
	if len(data)%2 != 0 {
		dst = append(dst, 0)
	}
	return dst
}

// quantizer returns the index of the quantizer for a quality, on libwebp's
// curve: the sizes of files fall about evenly with it.
func quantizer(quality int) int {
	q := float64(min(max(quality, 0), 100)) / 100
	if q < 0.75 {
		q *= 2.0 / 3
	} else {
		q = 2*q - 1
	}
	return int(127 * (1 - math.Cbrt(q)))
}

// planes are the samples of a picture, padded to whole macroblocks with the
// last ones.
type planes struct {
	width, height int // of the picture
	mbw, mbh      int // in macroblocks
	y, u, v       plane
}

// plane is one component.
type plane struct {
	pix    []uint8
	stride int
}

func newPlane(w, h int) plane { return plane{make([]uint8, w*h), w} }

// split converts a picture to planes; alpha is nil where it is opaque, else the
// data of its chunk.
func split(m image.Image) (p *planes, alpha []byte) {
	b := m.Bounds()
	p = &planes{width: b.Dx(), height: b.Dy(), mbw: (b.Dx() + 15) / 16, mbh: (b.Dy() + 15) / 16}
	p.y = newPlane(16*p.mbw, 16*p.mbh)
	p.u, p.v = newPlane(8*p.mbw, 8*p.mbh), newPlane(8*p.mbw, 8*p.mbh)
	alpha = make([]byte, 1, 1+b.Dx()*b.Dy())
	opaque := true
	for y := 0; y < 16*p.mbh; y += 2 {
		for x := 0; x < 16*p.mbw; x += 2 {
			var r, g, bl int // of the four pixels that share their colour
			for i := range 4 {
				px, py := x+i&1, y+i>>1
				c := color.NRGBAModel.Convert(m.At(b.Min.X+min(px, p.width-1), b.Min.Y+min(py, p.height-1))).(color.NRGBA)
				p.y.pix[py*p.y.stride+px] = luma(int(c.R), int(c.G), int(c.B))
				r, g, bl = r+int(c.R), g+int(c.G), bl+int(c.B)
				opaque = opaque && c.A == 255
			}
			at := y/2*p.u.stride + x/2
			p.u.pix[at], p.v.pix[at] = chroma(-9714*r-19071*g+28785*bl), chroma(28785*r-24104*g-4681*bl)
		}
	}
	if opaque {
		return p, nil
	}
	for y := range p.height {
		for x := range p.width {
			c := color.NRGBAModel.Convert(m.At(b.Min.X+x, b.Min.Y+y)).(color.NRGBA)
			alpha = append(alpha, c.A)
		}
	}
	return p, alpha
}

// luma and chroma are those of BT.601 with 16 to 235 for black to white, as
// 1<<16 times the fractions; chroma takes the sum over four pixels.
func luma(r, g, b int) uint8 { return uint8((16829*r+33039*g+6416*b+1<<15)>>16 + 16) }

func chroma(sum int) uint8 { return uint8(min(max((sum+1<<17)>>18+128, 0), 255)) }

// Widen corrects a picture that golang.org/x/image decoded: in VP8 black is 16
// and white 235, which its type does not say.
func Widen(m image.Image) image.Image {
	var p *image.YCbCr
	var alpha func(x, y int) uint8
	switch m := m.(type) {
	case *image.YCbCr:
		p, alpha = m, func(int, int) uint8 { return 255 }
	case *image.NYCbCrA:
		p, alpha = &m.YCbCr, func(x, y int) uint8 { return m.A[m.AOffset(x, y)] }
	default:
		return m
	}
	out := image.NewNRGBA(p.Rect)
	for y := p.Rect.Min.Y; y < p.Rect.Max.Y; y++ {
		for x := p.Rect.Min.X; x < p.Rect.Max.X; x++ {
			at := p.COffset(x, y)
			l, u, v := 76309*(int(p.Y[p.YOffset(x, y)])-16), int(p.Cb[at])-128, int(p.Cr[at])-128
			out.SetNRGBA(x, y, color.NRGBA{
				R: clip(l + 104597*v), G: clip(l - 25675*u - 53279*v), B: clip(l + 132201*u), A: alpha(x, y),
			})
		}
	}
	return out
}

// clip rounds 1<<16ths.
func clip(v int) uint8 { return uint8(min(max((v+1<<15)>>16, 0), 255)) }
