package h1

import "moongate/http"

// SendEarlyHints implements http.EarlyHinter.
func (h *conn) SendEarlyHints(r *http.Request, fields []http.Header) error {
	if r.Version < http.Version11 || len(fields) == 0 {
		return nil
	}
	h.out = append(h.out, "HTTP/1.1 103 Early Hints\r\n"...)
	for i := range fields {
		h.out = append(append(append(append(h.out, fields[i].Name...), ": "...), fields[i].Value...), '\r', '\n')
	}
	h.out = append(h.out, '\r', '\n')
	return h.flush(r)
}
