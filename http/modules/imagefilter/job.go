package imagefilter

import (
	"bytes"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"

	"golang.org/x/image/draw"
	xwebp "golang.org/x/image/webp"

	"moongate/http/modules/imagefilter/webp"
)

// maxPixels bounds the images that are decoded: a small file may claim to be a
// picture of any size. Decoded, this many take 128 MB.
const maxPixels = 32 << 20

// job is a transformation. It runs on a goroutine of its own and touches
// nothing else.
type job struct {
	format format
	body   []byte
	info   info
	known  bool // info is
	kind   int

	angle, maxWidth, maxHeight int
	quality, sharpen           int
	transparency, interlace    bool

	// changed: the result is not the body itself.
	changed bool
}

// possible reports whether the numbers of the request make sense.
func (j *job) possible() bool {
	if j.kind == rotate {
		return rightAngle(j.angle)
	}
	return j.maxWidth > 0 && j.maxHeight > 0
}

// asIs reports whether an image that small stays as it is.
func (j *job) asIs() bool { return j.known && j.fits(j.info.width, j.info.height) }

func (j *job) fits(width, height int) bool {
	return !j.info.force && j.angle == 0 && width <= j.maxWidth && height <= j.maxHeight
}

// run decodes, transforms and encodes. Without an error, no result means that
// the quality is none.
func (j *job) run() ([]byte, error) {
	src := j.decode()
	if src == nil {
		return nil, j.format.errDecode()
	}
	width, height := src.Bounds().Dx(), src.Bounds().Dy()
	if j.fits(width, height) {
		return j.body, nil
	}
	j.changed = true
	if j.quality <= 0 {
		return nil, nil
	}
	p, _ := src.(*image.Paletted)
	if p != nil && !j.transparency {
		makeOpaque(p, j.body, j.format)
	}
	scaledWidth, scaledHeight := j.scaled(width, height)
	m := scale(src, scaledWidth, scaledHeight, p != nil && !p.Opaque())
	m = j.crop(turn(m, j.angle))
	if p == nil && j.sharpen > 0 {
		sharpen(m, j.sharpen)
	}
	out, err := j.encode(m, src)
	if err != nil {
		return nil, j.format.errEncode()
	}
	return out, nil
}

// decode returns the image, of an animation the first, nil if that fails.
func (j *job) decode() image.Image {
	config, decode := jpeg.DecodeConfig, jpeg.Decode
	switch j.format {
	case gifFormat:
		config, decode = gif.DecodeConfig, gif.Decode
	case pngFormat:
		config, decode = png.DecodeConfig, png.Decode
	case webpFormat:
		config, decode = xwebp.DecodeConfig, xwebp.Decode
	}
	c, err := config(bytes.NewReader(j.body))
	if err != nil || c.Width <= 0 || c.Height <= 0 || c.Width > maxPixels/c.Height {
		return nil
	}
	m, err := decode(bytes.NewReader(j.body))
	if err != nil || m.Bounds().Empty() {
		return nil
	}
	if j.format == webpFormat {
		return webp.Widen(m)
	}
	return m
}

// makeOpaque takes the transparency out of a palette. The decoder of GIF
// forgets the colour that was transparent; it stands in the file.
func makeOpaque(p *image.Paletted, body []byte, f format) {
	for i, c := range p.Palette {
		n := color.NRGBAModel.Convert(c).(color.NRGBA)
		if n.A == 0 && f == gifFormat && len(body) >= 13+3*(i+1) && body[10]&0x80 != 0 {
			at := 13 + 3*i
			n.R, n.G, n.B = body[at], body[at+1], body[at+2]
		}
		n.A = 255
		p.Palette[i] = n
	}
}

// scaled returns the size before turning and cropping: that of the largest
// image with the same proportions in the box or, where it is cropped, around
// the box.
func (j *job) scaled(width, height int) (int, int) {
	byWidth := func() { width, height = j.maxWidth, max(height*j.maxWidth/width, 1) }
	byHeight := func() { width, height = max(width*j.maxHeight/height, 1), j.maxHeight }
	switch j.kind {
	case resize:
		if width > j.maxWidth {
			byWidth()
		}
		if height > j.maxHeight {
			byHeight()
		}
	case crop:
		narrow := float64(width)/float64(height) < float64(j.maxWidth)/float64(j.maxHeight)
		switch {
		case narrow && width > j.maxWidth:
			byWidth()
		case !narrow && height > j.maxHeight:
			byHeight()
		}
	}
	return width, height
}

// box averages what falls into a pixel.
var box = &draw.Kernel{Support: 0.5, At: func(float64) float64 { return 1 }}

// scale returns an image in another size. Colours of a palette, one of them
// transparent, are not mixed.
func scale(src image.Image, width, height int, exact bool) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	var scaler draw.Scaler = box
	if exact || width == src.Bounds().Dx() && height == src.Bounds().Dy() {
		scaler = draw.NearestNeighbor
	}
	scaler.Scale(m, m.Rect, src, src.Bounds(), draw.Src, nil)
	return m
}

// turn rotates an image counter-clockwise.
func turn(src *image.RGBA, angle int) *image.RGBA {
	if !rightAngle(angle) {
		return src
	}
	w, h := src.Rect.Dx(), src.Rect.Dy()
	size := image.Rect(0, 0, w, h)
	if angle != 180 {
		size = image.Rect(0, 0, h, w)
	}
	dst := image.NewRGBA(size)
	for y := range h {
		for x := range w {
			tx, ty := w-1-x, h-1-y
			switch angle {
			case 90:
				tx, ty = y, w-1-x
			case 270:
				tx, ty = h-1-y, x
			}
			copy(dst.Pix[ty*dst.Stride+4*tx:][:4], src.Pix[y*src.Stride+4*x:][:4])
		}
	}
	return dst
}

// crop cuts the middle out of an image.
func (j *job) crop(m *image.RGBA) *image.RGBA {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	x, y := max(w-j.maxWidth, 0), max(h-j.maxHeight, 0)
	if j.kind != crop || x == 0 && y == 0 {
		return m
	}
	from := image.Pt(x/2, y/2)
	dst := image.NewRGBA(image.Rect(0, 0, w-x, h-y))
	draw.Draw(dst, dst.Rect, m, from, draw.Src)
	return dst
}

// sharpen moves every pixel away from its neighbours by percent per cent: along
// the columns first, then along the rows.
func sharpen(m *image.RGBA, percent int) {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	line := make([]uint8, 4*max(w, h))
	for x := range w {
		sharpenLine(m.Pix[4*x:], m.Stride, h, line, percent)
	}
	for y := range h {
		sharpenLine(m.Pix[y*m.Stride:], 4, w, line, percent)
	}
}

// sharpenLine treats n pixels that are step bytes apart; old has room for them.
// The neighbour beyond an end is the end itself.
func sharpenLine(pix []uint8, step, n int, old []uint8, percent int) {
	for i := range n {
		copy(old[4*i:4*i+4], pix[i*step:])
	}
	for i := range n {
		before, after := max(i-1, 0), min(i+1, n-1)
		alpha := old[4*i+3]
		for c := range 3 {
			v, around := int(old[4*i+c]), int(old[4*before+c])+int(old[4*after+c])
			v += (2*v - around) * percent / 400
			pix[i*step+c] = uint8(min(max(v, 0), int(alpha)))
		}
	}
}
