package wire

// ParseHost checks the host of a request, from the request line or the Host
// header (ngx_http_validate_host): a name, IPv4 address or IP literal, and
// perhaps a port. It returns the host in lower case, without the port and a
// final dot, and the port, 0 for none. The result is part of value unless there are
// capitals to change, then it is appended to dst[:0]. It reports false for an
// empty host, two dots in a row and bytes that RFC 3986 does not allow in a
// host.
func ParseHost(dst, value []byte) (host []byte, port uint16, ok bool) {
	end, capitals, ok := scanHost(value)
	if !ok {
		return nil, 0, false
	}
	host = value[:end]
	if end < len(value) {
		if port, ok = parsePort(value[end:]); !ok {
			return nil, 0, false
		}
	}
	if end > 0 && host[end-1] == '.' {
		host = host[:end-1]
	}
	if len(host) == 0 {
		return nil, 0, false
	}
	if capitals {
		host = AppendLower(dst[:0], host)
	}
	return host, port, true
}

// scanHost returns the length of the host without the port.
func scanHost(value []byte) (end int, capitals, ok bool) {
	literal := len(value) > 0 && value[0] == '['
	for i, c := range value {
		switch {
		case c >= 'A' && c <= 'Z':
			capitals = true
		case isLetter(c), isDigit(c):
		case c == '.':
			if i > 0 && value[i-1] == '.' {
				return 0, false, false
			}
		case is(c, classLiteral):
		case literal && i == 0:
		case literal && c == ':':
		case literal && c == ']':
			return i + 1, capitals, true
		case !literal && c == ':':
			return i, capitals, true
		case !literal && c == '%':
		default:
			return 0, false, false
		}
	}
	return len(value), capitals, !literal
}

// parsePort reads ":8080"; the digits may be missing.
func parsePort(s []byte) (port uint16, ok bool) {
	if s[0] != ':' {
		return 0, false
	}
	n := 0
	for _, c := range s[1:] {
		if !isDigit(c) {
			return 0, false
		}
		if n = n*10 + int(c-'0'); n > 65535 {
			return 0, false
		}
	}
	return uint16(n), true
}
