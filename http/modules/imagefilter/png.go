package imagefilter

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
)

// adam7 are the passes of an interlaced PNG: where its pixels begin and how far
// they are apart (PNG specification, 8.2).
var adam7 = [...]struct{ x, y, dx, dy int }{
	{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2},
}

// Colour types of PNG.
const (
	pngGray    = 0
	pngPalette = 3
	pngRGBA    = 6
)

// interlacedPNG encodes an image with 8 bits a channel; the encoder of the
// standard library does not interlace.
func interlacedPNG(m image.Image) ([]byte, error) {
	b := m.Bounds()
	colors := byte(pngRGBA)
	switch m.(type) {
	case *image.Paletted:
		colors = pngPalette
	case *image.Gray:
		colors = pngGray
	}
	out := []byte("\x89PNG\r\n\x1a\n")
	header := binary.BigEndian.AppendUint32(nil, uint32(b.Dx()))
	header = binary.BigEndian.AppendUint32(header, uint32(b.Dy()))
	out = appendChunk(out, "IHDR", append(header, 8, colors, 0, 0, 1))
	if p, ok := m.(*image.Paletted); ok {
		out = appendPalette(out, p.Palette)
	}
	var data bytes.Buffer
	z := zlib.NewWriter(&data)
	for _, pass := range adam7 {
		for y := b.Min.Y + pass.y; y < b.Max.Y && pass.x < b.Dx(); y += pass.dy {
			row := []byte{0} // no filter
			for x := b.Min.X + pass.x; x < b.Max.X; x += pass.dx {
				row = appendPixel(row, m, x, y)
			}
			if _, err := z.Write(row); err != nil {
				return nil, err
			}
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	out = appendChunk(out, "IDAT", data.Bytes())
	return appendChunk(out, "IEND", nil), nil
}

func appendPixel(dst []byte, m image.Image, x, y int) []byte {
	switch m := m.(type) {
	case *image.Paletted:
		return append(dst, m.ColorIndexAt(x, y))
	case *image.Gray:
		return append(dst, m.GrayAt(x, y).Y)
	}
	c := color.NRGBAModel.Convert(m.At(x, y)).(color.NRGBA)
	return append(dst, c.R, c.G, c.B, c.A)
}

// appendPalette appends the colours and their alpha.
func appendPalette(dst []byte, palette color.Palette) []byte {
	var colors, alpha []byte
	opaque := true
	for _, entry := range palette {
		c := color.NRGBAModel.Convert(entry).(color.NRGBA)
		colors, alpha = append(colors, c.R, c.G, c.B), append(alpha, c.A)
		opaque = opaque && c.A == 255
	}
	dst = appendChunk(dst, "PLTE", colors)
	if !opaque {
		dst = appendChunk(dst, "tRNS", alpha)
	}
	return dst
}

func appendChunk(dst []byte, name string, data []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(data)))
	at := len(dst)
	dst = append(append(dst, name...), data...)
	return binary.BigEndian.AppendUint32(dst, crc32.ChecksumIEEE(dst[at:]))
}
