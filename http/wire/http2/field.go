package http2

// Numbers of names in the static table (RFC 7541, appendix A).
const (
	indexAuthority     = 1
	indexMethod        = 2 // GET
	indexMethodPOST    = 3
	indexPath          = 4 // "/"
	indexSchemeHTTP    = 6
	indexSchemeHTTPS   = 7
	indexStatus        = 8
	IndexContentLength = 28
	IndexContentType   = 31
	IndexDate          = 33
	IndexLastModified  = 44
	IndexLocation      = 46
	IndexServer        = 54
	IndexVary          = 59
)

// statusIndex are the statuses that the static table has.
var statusIndex = map[int]byte{200: 8, 204: 9, 206: 10, 304: 11, 400: 12, 404: 13, 500: 14}

// AppendStatus appends ":status". No field goes into the other side's table,
// so that the order in which streams are encoded does not matter.
func AppendStatus(b []byte, status int) []byte {
	if i, ok := statusIndex[status]; ok {
		return append(b, 0x80|i)
	}
	return append(b, indexStatus, 3, byte('0'+status/100%10), byte('0'+status/10%10), byte('0'+status%10))
}

// AppendIndexed appends a field whose name is in the static table.
func AppendIndexed(b []byte, name int, value string) []byte {
	return appendString(appendInt(b, 4, 0, uint64(name)), value)
}

// AppendField appends a field; the name is sent in lower case.
func AppendField(b []byte, name, value string) []byte {
	b = append(b, 0)
	b = appendInt(b, 7, 0, uint64(len(name)))
	for i := range len(name) {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	return appendString(b, value)
}

// appendString appends a string, in Huffman's code where that is shorter.
func appendString(b []byte, s string) []byte {
	if n := huffmanSize(s); n < len(s) {
		return appendHuffman(appendInt(b, 7, 0x80, uint64(n)), s)
	}
	return append(appendInt(b, 7, 0, uint64(len(s))), s...)
}

// appendInt appends a number with a prefix of some bits, under the bits in
// first (RFC 7541, 5.1).
func appendInt(b []byte, prefix uint, first byte, v uint64) []byte {
	limit := uint64(1)<<prefix - 1
	if v < limit {
		return append(b, first|byte(v))
	}
	b = append(b, first|byte(limit))
	for v -= limit; v >= 0x80; v >>= 7 {
		b = append(b, byte(v)|0x80)
	}
	return append(b, byte(v))
}

// AppendMethod appends ":method".
func AppendMethod(b []byte, method string) []byte {
	switch method {
	case "GET":
		return append(b, 0x80|indexMethod)
	case "POST":
		return append(b, 0x80|indexMethodPOST)
	}
	return AppendIndexed(b, indexMethod, method)
}

// AppendScheme appends ":scheme": https or http.
func AppendScheme(b []byte, tls bool) []byte {
	if tls {
		return append(b, 0x80|indexSchemeHTTPS)
	}
	return append(b, 0x80|indexSchemeHTTP)
}

// AppendPath appends ":path".
func AppendPath(b []byte, path string) []byte {
	if path == "/" {
		return append(b, 0x80|indexPath)
	}
	return AppendIndexed(b, indexPath, path)
}

// AppendAuthority appends ":authority".
func AppendAuthority(b []byte, host string) []byte { return AppendIndexed(b, indexAuthority, host) }
