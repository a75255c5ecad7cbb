package wire

import "bytes"

// ListValue finds "name=value" in a header line whose elements are separated
// by sep, ignoring the name's case, and returns the value up to the next
// separator (ngx_http_parse_multi_header_lines). As in nginx the byte after a
// name that matches is not looked at twice: "a; a=1" has no a.
func ListValue[T text](line []byte, name T, sep byte) (value []byte, ok bool) {
	for rest := line; len(rest) > 0; {
		if hasPrefixFold(rest, name) {
			if value, ok := assigned(rest[len(name):], sep); ok {
				return value, true
			}
			rest = bytes.TrimLeft(rest[len(name):], " ")
			rest = rest[min(1, len(rest)):]
		}
		i := bytes.IndexByte(rest, sep)
		if i < 0 {
			break
		}
		rest = bytes.TrimLeft(rest[i+1:], " ")
	}
	return nil, false
}

// Cookie finds a cookie in one Cookie line. Of several lines the first that
// has it counts.
func Cookie[T text](line []byte, name T) (value []byte, ok bool) { return ListValue(line, name, ';') }

// SetCookie returns the value of the cookie when the Set-Cookie line sets it.
func SetCookie[T text](line []byte, name T) (value []byte, ok bool) {
	if !hasPrefixFold(line, name) {
		return nil, false
	}
	return assigned(line[len(name):], ';')
}

// assigned is the value when s begins with "=value".
func assigned(s []byte, sep byte) (value []byte, ok bool) {
	s = bytes.TrimLeft(s, " ")
	if len(s) == 0 || s[0] != '=' {
		return nil, false
	}
	s = bytes.TrimLeft(s[1:], " ")
	if i := bytes.IndexByte(s, sep); i >= 0 {
		s = s[:i]
	}
	return s, true
}

// ListHas reports whether name is an element of the header line without "=":
// ListValue for a nil value.
func ListHas[T text](line []byte, name T, sep byte) bool {
	for rest := line; len(rest) > 0; {
		if hasPrefixFold(rest, name) {
			after := bytes.TrimLeft(rest[len(name):], " ")
			if len(after) == 0 || after[0] == sep {
				return true
			}
		}
		i := bytes.IndexByte(rest, sep)
		if i < 0 {
			break
		}
		rest = bytes.TrimLeft(rest[i+1:], " ")
	}
	return false
}

// Arg finds the first "name=value" in an argument string, ignoring the name's
// case, as $arg_name does (ngx_http_arg). The value is not decoded.
func Arg[T text](args []byte, name T) (value []byte, ok bool) {
	if len(name) == 0 {
		return nil, false
	}
	for rest := args; len(rest) > len(name); {
		if rest[len(name)] == '=' && hasPrefixFold(rest, name) {
			value = rest[len(name)+1:]
			if i := bytes.IndexByte(value, '&'); i >= 0 {
				value = value[:i]
			}
			return value, true
		}
		i := bytes.IndexByte(rest, '&')
		if i < 0 {
			break
		}
		rest = rest[i+1:]
	}
	return nil, false
}

// HasToken reports whether sub occurs anywhere in a header value, ignoring
// case: how nginx looks for "close", "keep-alive", "no-cache" and browsers.
func HasToken[T text](value []byte, sub T) bool { return indexFold(value, sub) >= 0 }

// MatchETag reports whether a list of entity tags (If-Match, If-None-Match) has
// the tag of the response, or is "*". With weak, "W/" is ignored on both sides
// (ngx_http_test_if_match). A nil etag is a response without one.
func MatchETag(list, etag []byte, weak bool) bool {
	if len(list) == 1 && list[0] == '*' {
		return true
	}
	if etag == nil {
		return false
	}
	if weak && len(etag) > 2 {
		etag = bytes.TrimPrefix(etag, []byte("W/"))
	}
	for len(list) > 0 {
		if weak && len(list) > 2 {
			list = bytes.TrimPrefix(list, []byte("W/"))
		}
		if len(etag) > len(list) {
			return false
		}
		if bytes.HasPrefix(list, etag) {
			list = bytes.TrimLeft(list[len(etag):], " \t")
			if len(list) == 0 || list[0] == ',' {
				return true
			}
		}
		i := bytes.IndexByte(list, ',')
		if i < 0 {
			return false
		}
		list = bytes.TrimLeft(list[i:], " \t,")
	}
	return false
}

// AcceptsCoding reports whether an Accept-Encoding header takes the coding of
// that name with a quality other than 0; "*" and other spellings of the list
// are not understood (ngx_http_gzip_accept_encoding).
func AcceptsCoding[T text](value []byte, coding T) bool {
	from := 0
	for {
		i := indexFold(value[from:], coding)
		if i < 0 {
			return false
		}
		from += i + len(coding)
		if i == 0 {
			break
		}
		if c := value[from-len(coding)-1]; c == ',' || c == ' ' {
			break
		}
	}
	rest := bytes.TrimLeft(value[from:], " ")
	if len(rest) == 0 || rest[0] == ',' {
		return true
	}
	if rest[0] != ';' {
		return false
	}
	rest = bytes.TrimLeft(rest[1:], " ")
	if len(rest) == 0 {
		return true
	}
	return len(rest) >= 3 && rest[0]|0x20 == 'q' && rest[1] == '=' && quality(rest[2:]) > 0
}

// quality reads "0.5" up to a comma or blank. It is the sum of the digits after
// the point, plus 100 times that before, and 0 when it is wrong.
func quality(s []byte) int {
	if s[0] != '0' && s[0] != '1' {
		return 0
	}
	q := int(s[0]-'0') * 100
	if len(s) == 1 || s[1] == ',' || s[1] == ' ' {
		return q
	}
	if s[1] != '.' {
		return 0
	}
	n := 0
	for _, c := range s[2:] {
		if c == ',' || c == ' ' {
			break
		}
		if !isDigit(c) {
			return 0
		}
		q += int(c - '0')
		n++
	}
	if q > 100 || n > 3 {
		return 0
	}
	return q
}
