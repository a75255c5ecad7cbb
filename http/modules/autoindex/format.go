package autoindex

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"moongate/http"
	"moongate/http/wire"
)

// nameWidth is how many characters of a name the page shows.
const nameWidth = 50

// appendHTML makes the page for people.
func appendHTML(r *http.Request, c *locConf, entries []entry) []byte {
	offset := 0
	if c.localtime.V {
		_, offset = r.Loop().Now().Local().Zone()
	}
	utf := strings.EqualFold(r.Out.Charset, "utf-8")
	var b []byte
	b = append(b, "<html>\r\n<head><title>Index of "...)
	b = wire.AppendHTML(b, r.URI)
	b = append(b, "</title></head>\r\n<body>\r\n<h1>Index of "...)
	b = wire.AppendHTML(b, r.URI)
	b = append(b, "</h1><hr><pre><a href=\"../\">../</a>\r\n"...)
	for i := range entries {
		e := &entries[i]
		b = append(b, `<a href="`...)
		b = wire.AppendEscaped(b, e.name, wire.EscapeURIComponent)
		if e.dir {
			b = append(b, '/')
		}
		b = append(b, `">`...)
		b = e.appendName(b, utf)
		t := time.Unix(e.mtime+int64(offset), 0).UTC()
		b = t.AppendFormat(append(b, ' '), "02-Jan-2006 15:04 ")
		b = e.appendSize(b, c.exactSize.V)
		b = append(b, "\r\n"...)
	}
	return append(b, "</pre><hr></body>\r\n</html>\r\n"...)
}

// appendName appends the name in a column of nameWidth characters, with the end
// of the link.
func (e *entry) appendName(b []byte, utf bool) []byte {
	name, width := e.name, len(e.name)
	if utf && utf8.ValidString(name) {
		width = utf8.RuneCountInString(name)
	}
	if width > nameWidth {
		const dots = 3
		if width == len(name) {
			name = name[:nameWidth-dots]
		} else {
			name = string([]rune(name)[:nameWidth-dots])
		}
		return append(wire.AppendHTML(b, name), "..&gt;</a>"...)
	}
	b = wire.AppendHTML(b, name)
	if e.dir && width < nameWidth {
		b = append(b, '/')
		width++
	}
	b = append(b, "</a>"...)
	for ; width < nameWidth; width++ {
		b = append(b, ' ')
	}
	return b
}

// appendSize appends the size, to the byte or rounded, at the right of its
// column.
func (e *entry) appendSize(b []byte, exact bool) []byte {
	switch {
	case e.dir && exact:
		return append(b, "                  -"...)
	case e.dir:
		return append(b, "      -"...)
	case exact:
		return fmt.Appendf(b, "%19d", e.size)
	}
	const k, m, g = 1 << 10, 1 << 20, 1 << 30
	unit, suffix := int64(0), byte(0)
	switch {
	case e.size > g-1:
		unit, suffix = g, 'G'
	case e.size > m-1:
		unit, suffix = m, 'M'
	case e.size > 9999:
		unit, suffix = k, 'K'
	default:
		return fmt.Appendf(b, " %6d", e.size)
	}
	n := e.size / unit
	if e.size%unit > unit/2-1 {
		n++
	}
	return fmt.Appendf(b, "%6d%c", n, suffix)
}

// appendJSON makes an array of objects, in a call of the callback if there is
// one.
func appendJSON(b []byte, entries []entry, callback string) []byte {
	if callback != "" {
		b = append(append(append(b, "/* callback */\r\n"...), callback...), '(')
	}
	b = append(b, '[')
	for i := range entries {
		e := &entries[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, "\r\n{ \"name\":\""...)
		b = wire.AppendJSON(b, e.name)
		b = append(append(b, `", "type":"`...), e.kind()...)
		b = wire.AppendDate(append(b, `", "mtime":"`...), e.mtime)
		b = append(b, '"')
		if e.file {
			b = strconv.AppendInt(append(b, `, "size":`...), e.size, 10)
		}
		b = append(b, " }"...)
	}
	b = append(b, "\r\n]"...)
	if callback != "" {
		b = append(b, ");"...)
	}
	return b
}

// appendXML makes a list of elements.
func appendXML(b []byte, entries []entry) []byte {
	b = append(b, "<?xml version=\"1.0\"?>\r\n<list>\r\n"...)
	for i := range entries {
		e := &entries[i]
		b = append(append(append(b, '<'), e.kind()...), ` mtime="`...)
		b = time.Unix(e.mtime, 0).UTC().AppendFormat(b, "2006-01-02T15:04:05Z")
		if e.file {
			b = strconv.AppendInt(append(b, `" size="`...), e.size, 10)
		}
		b = wire.AppendHTML(append(b, `">`...), e.name)
		b = append(append(append(b, "</"...), e.kind()...), ">\r\n"...)
	}
	return append(b, "</list>\r\n"...)
}
