package imagefilter

import (
	"bytes"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"

	"golang.org/x/image/draw"

	"moongate/http/modules/imagefilter/webp"
)

// encode writes an image in the format of src, out of which it was made: with
// its palette, if it has one.
func (j *job) encode(m *image.RGBA, src image.Image) ([]byte, error) {
	var out bytes.Buffer
	switch j.format {
	case jpegFormat:
		err := jpeg.Encode(&out, m, &jpeg.Options{Quality: min(j.quality, 100)})
		return addComment(out.Bytes(), j.quality), err
	case webpFormat:
		err := webp.Encode(&out, m, min(j.quality, 100))
		return out.Bytes(), err
	}
	result := like(m, src)
	if j.format == pngFormat {
		if j.interlace {
			return interlacedPNG(result)
		}
		err := png.Encode(&out, result)
		return out.Bytes(), err
	}
	p, ok := result.(*image.Paletted)
	if !ok {
		return nil, j.format.errEncode()
	}
	if j.interlace {
		p = interlaceRows(p)
	}
	err := gif.Encode(&out, p, nil)
	if j.interlace && err == nil {
		markInterlaced(out.Bytes())
	}
	return out.Bytes(), err
}

// like converts an image to the kind of another one.
func like(m *image.RGBA, src image.Image) image.Image {
	switch src := src.(type) {
	case *image.Paletted:
		dst := image.NewPaletted(m.Rect, src.Palette)
		draw.FloydSteinberg.Draw(dst, dst.Rect, m, image.Point{})
		return dst
	case *image.Gray, *image.Gray16:
		dst := image.NewGray(m.Rect)
		draw.Draw(dst, dst.Rect, m, image.Point{}, draw.Src)
		return dst
	}
	return m
}

// addComment puts a comment where gd has its own: behind the start of a JPEG
// file. Tools read the quality there.
func addComment(p []byte, quality int) []byte {
	const start = 2
	if len(p) < start {
		return p
	}
	text := fmt.Sprintf("CREATOR: moongate, quality = %d\n", quality)
	out := make([]byte, 0, len(p)+len(text)+4)
	out = append(out, p[:start]...)
	out = append(out, 0xff, 0xfe, 0, byte(len(text)+2))
	out = append(out, text...)
	return append(out, p[start:]...)
}

// interlaceRows orders the rows as an interlaced GIF has them.
func interlaceRows(src *image.Paletted) *image.Paletted {
	h := src.Rect.Dy()
	dst := image.NewPaletted(src.Rect, src.Palette)
	at := 0
	for _, pass := range [...]struct{ from, step int }{{0, 8}, {4, 8}, {2, 4}, {1, 2}} {
		for y := pass.from; y < h; y += pass.step {
			copy(dst.Pix[at*dst.Stride:][:dst.Stride], src.Pix[y*src.Stride:])
			at++
		}
	}
	return dst
}

// markInterlaced sets the flag in the descriptor of a GIF's only image, which
// follows the screen's, its colours, and extensions.
func markInterlaced(p []byte) {
	at := 13
	if p[10]&0x80 != 0 {
		at += 3 << (p[10]&7 + 1)
	}
	for at+9 < len(p) && p[at] == 0x21 { // an extension: label, blocks, 0
		for at += 2; at < len(p) && p[at] != 0; {
			at += int(p[at]) + 1
		}
		at++
	}
	if at+9 < len(p) && p[at] == 0x2c {
		p[at+9] |= 0x40
	}
}
