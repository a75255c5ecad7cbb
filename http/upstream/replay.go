package upstream

import (
	"moongate/http"
)

// Replay has the protocol read a response, of which size bytes come at a time,
// without a peer: fuzz tests of protocols begin here. body is what the client
// would get of it; h is HeaderInvalid for a header that is too large as well.
func (e *Exchange) Replay(b []byte, size int) (h Header, body []byte, err error) {
	e.link = &link{writing: true} // what the protocol says to the peer is kept
	defer func() { e.link = nil }()
	e.makeBuf()
	for done := false; !done; {
		if len(b) == 0 {
			return HeaderAgain, nil, nil
		}
		n := copy(e.buf[e.wr:], b[:min(size, len(b))])
		b = b[n:]
		e.wr += n
		var fail int
		var v http.Verdict
		if done, fail, v = e.parseHeader(); fail != 0 || v != http.OK {
			return HeaderInvalid, nil, nil
		}
	}
	if err := e.Protocol.StartBody(e); err != nil {
		return HeaderDone, nil, err
	}
	for rest := e.buf[e.rd:e.wr]; ; rest, b = b[:min(size, len(b))], b[min(size, len(b)):] {
		if len(rest) > 0 {
			err = e.Protocol.Body(e, rest)
		}
		for _, piece := range e.pieces {
			body = append(body, piece...)
		}
		e.pieces = e.pieces[:0]
		if err != nil || len(b) == 0 {
			return HeaderDone, body, err
		}
	}
}
