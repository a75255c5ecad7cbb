package imagefilter

import (
	"errors"
	"fmt"
)

// format is what an image file begins like.
type format int

const (
	unknown format = iota
	jpegFormat
	gifFormat
	pngFormat
	webpFormat
)

// signature is how many bytes tell the format.
const signature = 16

// formats are their names, and those of gd's functions in the log.
var formats = [...]struct{ name, gd string }{
	jpegFormat: {"jpeg", "Jpeg"}, gifFormat: {"gif", "Gif"}, pngFormat: {"png", "Png"}, webpFormat: {"webp", "Webp"},
}

func (f format) mediaType() string { return "image/" + formats[f].name }

// errDecode and errEncode complain in the words of nginx, which names the
// function of gd that failed.
func (f format) errDecode() error {
	return fmt.Errorf("gdImageCreateFrom%sPtr() failed", formats[f].gd)
}

func (f format) errEncode() error {
	if f == webpFormat {
		return errors.New("gdImageWebpPtrEx() failed")
	}
	return fmt.Errorf("gdImage%sPtr() failed", formats[f].gd)
}

// errHeader ends a response whose header could not be sent.
var errHeader = errors.New("the header was not sent")

// formatOf tells the format by the beginning of a file.
func formatOf(p []byte) format {
	switch {
	case len(p) < signature:
	case p[0] == 0xff && p[1] == 0xd8:
		return jpegFormat
	case string(p[:4]) == "GIF8" && (p[4] == '7' || p[4] == '9') && p[5] == 'a':
		return gifFormat
	case string(p[:8]) == "\x89PNG\r\n\x1a\n":
		return pngFormat
	case string(p[:4]) == "RIFF" && string(p[8:12]) == "WEBP":
		return webpFormat
	}
	return unknown
}

// info is what "image_filter size" tells.
type info struct {
	format        format
	width, height int
	// force: application data makes up so much of the file that it is to be
	// encoded anew.
	force bool
}

// appendJSON writes it as nginx does; {} where nothing is known.
func (i info) appendJSON(dst []byte) []byte {
	if i.format == unknown {
		return append(dst, "{}\r\n"...)
	}
	return fmt.Appendf(dst, "{ \"img\" : { \"width\": %d, \"height\": %d, \"type\": \"%s\" } }\r\n",
		i.width, i.height, formats[i.format].name)
}

// measure reads the size of an image where nginx does
// (ngx_http_image_size), whether or not it can be decoded.
func measure(f format, p []byte) (info, bool) {
	i := info{format: f}
	ok := false
	switch f {
	case jpegFormat:
		ok = i.measureJPEG(p)
	case gifFormat:
		if ok = len(p) >= 10; ok {
			i.width, i.height = int(p[7])<<8|int(p[6]), int(p[9])<<8|int(p[8])
		}
	case pngFormat:
		if ok = len(p) >= 24; ok {
			i.width, i.height = int(p[18])<<8|int(p[19]), int(p[22])<<8|int(p[23])
		}
	case webpFormat:
		ok = i.measureWebP(p)
	}
	if !ok {
		return info{}, false
	}
	return i, true
}

// measureJPEG walks the segments of a JPEG file. The size stands in the frame
// header of any kind of coding.
func (i *info) measureJPEG(p []byte) bool {
	app := 0
	for at := 2; at < len(p)-10; {
		if p[at] != 0xff || p[at+1] == 0xff {
			at++
			continue
		}
		at++
		marker := p[at]
		switch marker {
		case 0xc0, 0xc1, 0xc2, 0xc3, 0xc9, 0xca, 0xcb:
			if i.width == 0 || i.height == 0 {
				i.width, i.height = int(p[at+6])<<8|int(p[at+7]), int(p[at+4])<<8|int(p[at+5])
			}
		}
		length := int(p[at+1])<<8 | int(p[at+2])
		if marker >= 0xe1 && marker <= 0xef {
			app += length
		}
		at += length
	}
	i.force = len(p)/20 < app
	return i.width != 0 && i.height != 0
}

// measureWebP reads the header of the first chunk (RFC 9649).
func (i *info) measureWebP(p []byte) bool {
	if len(p) < 30 || string(p[12:15]) != "VP8" {
		return false
	}
	le := func(at, n int) (v int) {
		for k := range n {
			v |= int(p[at+k]) << (8 * k)
		}
		return v
	}
	switch p[15] {
	case ' ':
		if p[20]&1 != 0 || string(p[23:26]) != "\x9d\x01\x2a" {
			return false // not a key frame
		}
		i.width, i.height = le(26, 2)&0x3fff, le(28, 2)&0x3fff
	case 'L':
		if p[20] != 0x2f {
			return false
		}
		v := le(21, 4)
		i.width, i.height = v&0x3fff+1, v>>14&0x3fff+1
	case 'X':
		i.width, i.height = le(24, 3)+1, le(27, 3)+1
	default:
		return false
	}
	return true
}
