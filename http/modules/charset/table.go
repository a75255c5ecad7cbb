package charset

import (
	"strconv"

	"moongate/conf"
)

// charsetMap is a charset_map: the conversions there and back.
type charsetMap struct {
	src, dst    int
	there, back *table
}

// tableKind is what a table converts.
type tableKind uint8

const (
	tableBytes    tableKind = iota // byte by byte
	tableToUTF8                    // bytes to UTF-8
	tableFromUTF8                  // UTF-8 to bytes, or references such as "&#8364;"
)

// table is a conversion. Which of its parts is used depends on its kind.
type table struct {
	kind  tableKind
	bytes [256]byte
	utf8  [256]string
	// pages have the bytes of the first 65536 characters, 0 for those that the
	// charset does not have.
	pages [256]*[256]byte
}

const (
	ascii   = 128
	missing = '?'
	// maxUTF8 is the longest character in bytes.
	maxUTF8 = 4
)

// charsetMapDirective is "charset_map source destination { code code; … }".
func charsetMapDirective(cf *conf.Conf, m *mainConf) error {
	srcName, dstName := cf.Args[0], cf.Args[1]
	cm := charsetMap{src: m.add(srcName), dst: m.add(dstName), there: &table{}, back: &table{}}
	switch {
	case cm.src == cm.dst:
		return cf.Errorf(`"charset_map" between the same charsets "%s" and "%s"`, srcName, dstName)
	case isUTF8(srcName):
		return cf.Errorf(`"charset_map" with "utf-8" charset should be given in the second column`)
	}
	for _, old := range m.maps {
		if old.src == cm.src && old.dst == cm.dst || old.src == cm.dst && old.dst == cm.src {
			return cf.Errorf(`duplicate "charset_map" between "%s" and "%s"`, srcName, dstName)
		}
	}
	cm.init(isUTF8(dstName))
	m.maps = append(m.maps, cm)
	return cf.Lines(func(cf *conf.Conf) error {
		if len(cf.Args) != 1 {
			return cf.Errorf("invalid parameters number")
		}
		code, ok := hexByte(cf.Name)
		if !ok {
			return cf.Errorf(`invalid value "%s"`, cf.Name)
		}
		if !cm.line(code, cf.Args[0]) {
			return cf.Errorf(`invalid value "%s"`, cf.Args[0])
		}
		return nil
	})
}

// init fills in ASCII, which all charsets share.
func (cm *charsetMap) init(utf8 bool) {
	if !utf8 {
		for c := range 256 {
			b := byte(missing)
			if c < ascii {
				b = byte(c)
			}
			cm.there.bytes[c], cm.back.bytes[c] = b, b
		}
		return
	}
	cm.there.kind, cm.back.kind = tableToUTF8, tableFromUTF8
	page := new([256]byte)
	cm.back.pages[0] = page
	for c := range 256 {
		if c < ascii {
			cm.there.utf8[c], page[c] = string(rune(c)), byte(c)
		} else {
			cm.there.utf8[c] = string(missing)
		}
	}
}

// line enters one line of the map.
func (cm *charsetMap) line(src byte, dst string) bool {
	if cm.there.kind == tableBytes {
		c, ok := hexByte(dst)
		if ok {
			cm.there.bytes[src], cm.back.bytes[c] = c, src
		}
		return ok
	}
	if len(dst)/2 >= maxUTF8 || len(dst)%2 != 0 {
		return false
	}
	var char []byte
	for i := 0; i < len(dst); i += 2 {
		c, ok := hexByte(dst[i : i+2])
		if !ok {
			return false
		}
		char = append(char, c)
	}
	n, _ := decode(char)
	if n > 0xffff {
		return false
	}
	cm.there.utf8[src] = string(char)
	page := cm.back.pages[n>>8]
	if page == nil {
		page = new([256]byte)
		cm.back.pages[n>>8] = page
	}
	page[n&0xff] = src
	return true
}

// hexByte reads a hexadecimal number up to ff.
func hexByte(s string) (byte, bool) {
	n, err := strconv.ParseUint(s, 16, 8)
	return byte(n), err == nil
}

// What decode returns for what is no character.
const (
	incomplete = 0xfffffffe
	invalid    = 0xffffffff
	maxChar    = 0x10ffff
)

// decode reads one character of UTF-8 that is not ASCII and tells how many bytes it took; of an
// incomplete one it takes none. Like nginx's ngx_utf8_decode it takes the wrong
// byte together with what came before it.
func decode(s []byte) (char uint32, size int) {
	if len(s) == 0 {
		return incomplete, 0
	}
	c := uint32(s[0])
	var n int
	var least uint32
	switch {
	case c >= 0xf8 || c < 0xc2:
		return invalid, 1
	case c >= 0xf0:
		c, n, least = c&0x07, 3, 0xffff
	case c >= 0xe0:
		c, n, least = c&0x0f, 2, 0x7ff
	default:
		c, n, least = c&0x1f, 1, 0x7f
	}
	if len(s)-1 < n {
		return incomplete, 0
	}
	for i := 1; i <= n; i++ {
		if s[i] < 0x80 {
			return invalid, i + 1
		}
		c = c<<6 | uint32(s[i]&0x3f)
	}
	if c <= least {
		return invalid, n + 1
	}
	return c, n + 1
}

// convert appends the conversion of a piece.
func (x *ctx) convert(b, s []byte) []byte {
	t := x.table
	switch t.kind {
	case tableBytes:
		for _, c := range s {
			b = append(b, t.bytes[c])
		}
		return b
	case tableToUTF8:
		for _, c := range s {
			b = append(b, t.utf8[c]...)
		}
		return b
	}
	if len(x.saved) > 0 {
		var done bool
		if b, s, done = x.complete(b, s); !done {
			return b
		}
	}
	for len(s) > 0 {
		if s[0] < ascii {
			b = append(b, s[0])
			s = s[1:]
			continue
		}
		char, n := decode(s)
		if char == incomplete {
			x.saved = append(x.saved[:0], s...)
			break
		}
		b = t.appendChar(b, char)
		s = s[n:]
	}
	return b
}

// complete converts the character whose beginning was saved; it reports false
// when it still is not complete.
func (x *ctx) complete(b, s []byte) (out, rest []byte, done bool) {
	var mem [maxUTF8]byte
	had := len(x.saved)
	char := append(append(mem[:0], x.saved...), s[:min(maxUTF8-had, len(s))]...)
	n, size := decode(char)
	if n == incomplete {
		x.saved = append(x.saved[:0], char...)
		return b, nil, false
	}
	size = max(size, had)
	x.saved = x.saved[:0]
	return x.table.appendChar(b, n), s[size-had:], true
}

// appendChar appends a character as a byte or, when the charset does not have
// it, as a reference.
func (t *table) appendChar(b []byte, char uint32) []byte {
	if char > maxChar {
		return append(b, missing)
	}
	if char <= 0xffff {
		if page := t.pages[char>>8]; page != nil {
			if c := page[char&0xff]; c != 0 {
				return append(b, c)
			}
		}
	}
	b = strconv.AppendUint(append(b, "&#"...), uint64(char), 10)
	return append(b, ';')
}
