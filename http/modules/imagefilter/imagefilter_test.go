package imagefilter

import (
	"bytes"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"

	xwebp "golang.org/x/image/webp"

	"moongate/http/modules/imagefilter/webp"
)

// picture is w by h, white with a black left half.
func picture(w, h int) *image.Paletted {
	m := image.NewPaletted(image.Rect(0, 0, w, h), color.Palette{color.White, color.Black, color.Transparent})
	for y := range h {
		for x := range w / 2 {
			m.SetColorIndex(x, y, 1)
		}
	}
	return m
}

// files are a picture of 40 by 20 in every format.
func files(t testing.TB) map[format][]byte {
	t.Helper()
	m := picture(40, 20)
	all := map[format][]byte{}
	for f, encode := range map[format]func(*bytes.Buffer) error{
		jpegFormat: func(b *bytes.Buffer) error { return jpeg.Encode(b, m, nil) },
		gifFormat:  func(b *bytes.Buffer) error { return gif.Encode(b, m, nil) },
		pngFormat:  func(b *bytes.Buffer) error { return png.Encode(b, m) },
		webpFormat: func(b *bytes.Buffer) error { return webp.Encode(b, m, 90) },
	} {
		var b bytes.Buffer
		if err := encode(&b); err != nil {
			t.Fatal(err)
		}
		all[f] = b.Bytes()
	}
	return all
}

func decode(t *testing.T, p []byte) (image.Image, string) {
	t.Helper()
	decoders := map[format]func(*bytes.Reader) (image.Image, error){
		jpegFormat: func(r *bytes.Reader) (image.Image, error) { return jpeg.Decode(r) },
		gifFormat:  func(r *bytes.Reader) (image.Image, error) { return gif.Decode(r) },
		pngFormat:  func(r *bytes.Reader) (image.Image, error) { return png.Decode(r) },
		webpFormat: func(r *bytes.Reader) (image.Image, error) { return xwebp.Decode(r) },
	}
	f := formatOf(p)
	m, err := decoders[f](bytes.NewReader(p))
	if err != nil {
		t.Fatalf("%s: %v", formats[f].name, err)
	}
	return m, formats[f].name
}

func TestMeasure(t *testing.T) {
	for f, body := range files(t) {
		i, ok := measure(formatOf(body), body)
		if !ok || i.format != f || i.width != 40 || i.height != 20 || i.force {
			t.Errorf("%s: %+v, %v", formats[f].name, i, ok)
		}
		if _, ok := measure(f, body[:9]); ok {
			t.Errorf("%s: a part of the header has a size", formats[f].name)
		}
	}
}

func TestRun(t *testing.T) {
	for _, c := range []struct {
		job    job
		width  int
		height int
	}{
		{job{kind: resize, maxWidth: 10, maxHeight: none}, 10, 5},
		{job{kind: resize, maxWidth: none, maxHeight: 4}, 8, 4},
		{job{kind: resize, maxWidth: 10, maxHeight: 2}, 4, 2},
		{job{kind: resize, maxWidth: 10, maxHeight: 100, interlace: true}, 10, 5},
		{job{kind: crop, maxWidth: 10, maxHeight: 10}, 10, 10},
		{job{kind: crop, maxWidth: 100, maxHeight: 10}, 40, 10},
		{job{kind: rotate, angle: 90, maxWidth: none, maxHeight: none}, 20, 40},
		{job{kind: resize, angle: 270, maxWidth: 10, maxHeight: 10}, 5, 10},
		{job{kind: resize, maxWidth: 10, maxHeight: 10, sharpen: 100}, 10, 5},
		{job{kind: rotate, angle: 180, maxWidth: none, maxHeight: none, transparency: true}, 40, 20},
	} {
		for f, body := range files(t) {
			j := c.job
			j.format, j.body, j.quality = f, body, 80
			j.info, j.known = measure(f, body)
			out, err := j.run()
			if err != nil || !j.changed {
				t.Errorf("%s: %v", formats[f].name, err)
				continue
			}
			m, name := decode(t, out)
			if size := m.Bounds().Size(); name != formats[f].name || size != image.Pt(c.width, c.height) {
				t.Errorf("%s to %+v: %s of %v", formats[f].name, c.job, name, size)
			}
		}
	}
}

// A quarter turn goes counter-clockwise: the left becomes the bottom.
func TestTurn(t *testing.T) {
	j := job{format: pngFormat, body: files(t)[pngFormat], kind: rotate, angle: 90, quality: 75, maxWidth: none, maxHeight: none}
	out, err := j.run()
	if err != nil {
		t.Fatal(err)
	}
	m, _ := decode(t, out)
	if top, bottom := color.GrayModel.Convert(m.At(10, 2)), color.GrayModel.Convert(m.At(10, 37)); top != (color.Gray{Y: 255}) ||
		bottom != (color.Gray{}) {
		t.Errorf("the top is %v, the bottom %v", top, bottom)
	}
}

func TestTransparency(t *testing.T) {
	m := image.NewPaletted(image.Rect(0, 0, 20, 20), color.Palette{color.Transparent, color.Black})
	var gifFile, pngFile bytes.Buffer
	if err := gif.Encode(&gifFile, m, nil); err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(&pngFile, m); err != nil {
		t.Fatal(err)
	}
	for f, body := range map[format][]byte{gifFormat: gifFile.Bytes(), pngFormat: pngFile.Bytes()} {
		for _, keep := range []bool{false, true} {
			j := job{format: f, body: body, kind: resize, maxWidth: 5, maxHeight: 5, quality: 75, transparency: keep}
			out, err := j.run()
			if err != nil {
				t.Fatal(err)
			}
			m, _ := decode(t, out)
			if _, _, _, alpha := m.At(2, 2).RGBA(); (alpha == 0) != keep {
				t.Errorf("%s, transparency %v: alpha %d", formats[f].name, keep, alpha)
			}
		}
	}
}

func TestQuality(t *testing.T) {
	j := job{format: jpegFormat, body: files(t)[jpegFormat], kind: resize, maxWidth: 5, maxHeight: 5, quality: 40}
	out, err := j.run()
	if err != nil || !strings.Contains(string(out), "quality = 40\n") {
		t.Errorf("%q, %v", out, err)
	}
	j.quality = 0
	if out, err := j.run(); out != nil || err != nil {
		t.Errorf("%q, %v", out, err)
	}
}

func TestSharpen(t *testing.T) {
	m := image.NewRGBA(image.Rect(0, 0, 3, 1))
	for x, v := range []uint8{100, 100, 200} {
		m.SetRGBA(x, 0, color.RGBA{v, v, v, 255})
	}
	sharpen(m, 100)
	if a, b, c := m.RGBAAt(0, 0).R, m.RGBAAt(1, 0).R, m.RGBAAt(2, 0).R; a != 100 || b != 75 || c != 225 {
		t.Error(a, b, c)
	}
}

func FuzzImage(f *testing.F) {
	for _, body := range files(f) {
		f.Add(body, uint8(resize), uint8(0))
		f.Add(body, uint8(crop), uint8(1))
	}
	f.Fuzz(func(t *testing.T, body []byte, kind, angle uint8) {
		form := formatOf(body)
		if form == unknown {
			return
		}
		i, known := measure(form, body)
		i.appendJSON(nil)
		if i.width > 500 || i.height > 500 {
			return
		}
		j := job{
			format: form, body: body, info: i, known: known, kind: int(kind%3) + resize, angle: int(angle%4) * 90,
			maxWidth: 7, maxHeight: 5, quality: 50, sharpen: int(angle), interlace: angle%2 == 0, transparency: kind%2 == 0,
		}
		if out, err := j.run(); err == nil && len(out) == 0 {
			t.Error("neither a result nor an error")
		}
	})
}
