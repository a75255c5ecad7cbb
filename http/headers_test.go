package http

import (
	"testing"

	"moongate/http/wire"
)

// TestHeadersInMany: a field is found behind more others than 16 bits count,
// which max_headers may allow.
func TestHeadersInMany(t *testing.T) {
	var h HeadersIn
	h.reset()
	for range 1 << 16 {
		h.Add(Header{Name: "X", Lower: "x", Value: "other"})
	}
	h.Add(Header{Name: "Host", Lower: "host", Value: "mine", ID: wire.HeaderHost})
	if v, ok := h.Get(wire.HeaderHost); v != "mine" || !ok {
		t.Errorf("Host is %q, %v", v, ok)
	}
	h.reindex()
	if v, ok := h.Get(wire.HeaderHost); v != "mine" || !ok {
		t.Errorf("indexed anew, Host is %q, %v", v, ok)
	}
}
