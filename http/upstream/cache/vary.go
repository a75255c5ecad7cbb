package cache

import (
	"crypto/md5"
	"strings"

	"moongate/http"
	"moongate/http/wire"
)

// normalized are the fields whose lists are compared without blanks.
func normalized(name []byte) bool {
	switch string(name) {
	case "accept-charset", "accept-encoding", "accept-language":
		return true
	}
	return false
}

// variantOf is the key of the variant of a response that a request gets, by
// the fields that Vary names: ngx_http_file_cache_vary.
func (e *Entry) variantOf(r *http.Request, vary []byte) [KeyLen]byte {
	var lower [MaxVary]byte
	list := wire.AppendLower(lower[:0], string(vary))
	b := append(e.scratch[:0], e.main[:]...)
	for {
		var name []byte
		if name, list = cutItem(list); len(name) == 0 {
			break
		}
		b = append(append(b, name...), ':')
		b = appendField(b, r, name)
		b = append(b, '\r', '\n')
	}
	e.scratch = b
	return md5.Sum(b)
}

// cutItem cuts the next item off a list with commas and blanks.
func cutItem(list []byte) (item, rest []byte) {
	for len(list) > 0 && (list[0] == ' ' || list[0] == ',') {
		list = list[1:]
	}
	n := 0
	for n < len(list) && list[n] != ' ' && list[n] != ',' {
		n++
	}
	return list[:n], list[n:]
}

// appendField appends what a request says in a field.
func appendField(b []byte, r *http.Request, name []byte) []byte {
	normalize, several := normalized(name), false
	for i := range r.In.List {
		f := &r.In.List[i]
		if len(f.Name) != len(name) || !strings.EqualFold(f.Name, string(name)) {
			continue
		}
		if !normalize {
			if several {
				b = append(b, ',')
			}
			b, several = append(b, f.Value...), true
			continue
		}
		list := []byte(f.Value)
		for {
			var item []byte
			if item, list = cutItem(list); len(item) == 0 {
				break
			}
			if several {
				b = append(b, ',')
			}
			b, several = append(b, item...), true
		}
	}
	return b
}
