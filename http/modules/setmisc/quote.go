package setmisc

import (
	"moongate/core/buf"
	"moongate/http"
)

// sqlEscapes are the letters that stand for a byte behind a backslash in SQL.
var sqlEscapes = [256]byte{
	0: '0', '\b': 'b', '\n': 'n', '\r': 'r', '\t': 't', '\\': '\\', '\'': '\'', '"': '"', '$': '$', 26: 'Z',
}

// jsonEscapes are those of JSON strings; 'u' stands for "\u00xx".
var jsonEscapes = makeJSONEscapes()

func makeJSONEscapes() [256]byte {
	t := [256]byte{'"': '"', '\\': '\\'}
	for c := range 0x20 {
		t[c] = 'u'
	}
	t['\b'], t['\t'], t['\n'], t['\f'], t['\r'] = 'b', 't', 'n', 'f', 'r'
	return t
}

// quoted is prefix and s between quotes, with escapes.
func quoted(r *http.Request, s string, quote byte, escapes *[256]byte, prefix string) []byte {
	const digits = "0123456789abcdef"
	n := len(prefix) + len(s) + 2
	for i := range len(s) {
		switch escapes[s[i]] {
		case 0:
		case 'u':
			n += len("u00xx")
		default:
			n++
		}
	}
	b := append(append(r.Pool.Alloc(n)[:0], prefix...), quote)
	for i := range len(s) {
		switch c := s[i]; escapes[c] {
		case 0:
			b = append(b, c)
		case 'u':
			b = append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		default:
			b = append(b, '\\', escapes[c])
		}
	}
	return append(b, quote)
}

// quoteSQL is set_quote_sql_str: a string of MySQL.
func quoteSQL(r *http.Request, v []string) (string, bool) {
	return buf.String(quoted(r, v[0], '\'', &sqlEscapes, "")), true
}

// quoteJSON is set_quote_json_str; an empty value is null.
func quoteJSON(r *http.Request, v []string) (string, bool) {
	if v[0] == "" {
		return "null", true
	}
	return buf.String(quoted(r, v[0], '"', &jsonEscapes, "")), true
}

// quotePgSQL is set_quote_pgsql_str: a string of PostgreSQL, with all bytes
// above 0x7f in octal if they are not UTF-8.
func quotePgSQL(r *http.Request, v []string) (string, bool) {
	if v[0] == "" {
		return "''", true
	}
	b := quoted(r, v[0], '\'', &sqlEscapes, "E")
	if plausibleUTF8(b) {
		return buf.String(b), true
	}
	n := len(b)
	for _, c := range b {
		if c >= 0x80 {
			n += len(`\\ooo`) - 1
		}
	}
	octal := r.Pool.Alloc(n)[:0]
	for _, c := range b {
		if c < 0x80 {
			octal = append(octal, c)
		} else {
			octal = append(octal, '\\', '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
		}
	}
	return buf.String(octal), true
}

// plausibleUTF8 is the test of set-misc, which looks at the last byte of each
// sequence only.
func plausibleUTF8(b []byte) bool {
	for i := 0; i < len(b); {
		c, n := b[i], 1
		switch {
		case c&0x80 == 0:
		case c&0xe0 == 0xc0:
			n = 2
		case c&0xf0 == 0xe0:
			n = 3
		case c&0xf8 == 0xf0:
			n = 4
		}
		if i+n > len(b) || n == 1 && c >= 0x80 && (c < 0xc2 || c > 0xf4) || n > 1 && b[i+n-1]&0xc0 != 0x80 {
			return false
		}
		i += n
	}
	return true
}
