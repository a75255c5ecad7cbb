package h1

import (
	"slices"

	"moongate/core/buf"
	"moongate/http"
)

// RawHeader is the header of the request being served as it was received,
// with the request line and the empty line at its end.
func (h *conn) RawHeader(*http.Request) string {
	ends := append(slices.Clone(h.marks), h.headEnd)
	start := h.line.Start
	var raw []byte
	for i, end := range ends {
		b := h.in
		if i < len(h.large) {
			b = h.large[i]
		}
		if end <= start {
			continue // the request line began here and went on in a larger buffer
		}
		raw = append(raw, b[start:end]...)
		start = 0
	}
	return buf.String(raw)
}
