package h1

import (
	"errors"
	"io"

	"golang.org/x/sys/unix"

	"moongate/core/buf"
	"moongate/core/event"
	"moongate/core/log"
	"moongate/http"
	"moongate/http/wire"
)

// inlineFile is the size up to which a piece of a file is read and sent
// together with the header: one packet instead of two for as many calls.
const inlineFile = 16 << 10

// maxJoined is the size up to which a response is copied into one buffer.
const maxJoined = 2048

var (
	crlf      = []byte("\r\n")
	lastChunk = []byte(wire.LastChunk)
	errFailed = errors.New("connection has failed")
)

// SendBody implements http.Stream. Small pieces are held back until there are
// postpone_output bytes, a flush or the end.
func (h *conn) SendBody(r *http.Request, bufs []http.Buf) error {
	if h.c.Failed {
		return errFailed
	}
	if r.HeaderOnly {
		return nil
	}
	size := buf.Total(bufs)
	flush, last := signals(bufs)
	if r.Chunked && size > 0 {
		h.out = wire.AppendChunkSize(h.out, size)
	}
	if !flush && !last && int64(len(h.out))+size < r.Core.PostponeOutput.V && inMemory(bufs) {
		for i := range bufs {
			h.out = append(h.out, bufs[i].B...)
		}
		if r.Chunked && size > 0 {
			h.out = append(h.out, crlf...)
		}
		return nil
	}
	h.take()
	for i := range bufs {
		if err := h.piece(r, &bufs[i]); err != nil {
			return err
		}
	}
	if r.Chunked && size > 0 {
		h.iov = append(h.iov, crlf)
	}
	if r.Chunked && last {
		h.iov = append(h.iov, ending(r))
	}
	err := h.write(r)
	h.uncork()
	return err
}

func signals(bufs []http.Buf) (flush, last bool) {
	for i := range bufs {
		flush = flush || bufs[i].Flush
		last = last || bufs[i].Last
	}
	return flush, last
}

func inMemory(bufs []http.Buf) bool {
	for i := range bufs {
		if bufs[i].InFile {
			return false
		}
	}
	return true
}

// take moves what was held back to the front of the pieces to write.
func (h *conn) take() {
	if len(h.out) > 0 {
		h.iov = append(h.iov, h.out)
	}
}

// piece adds a piece to those to write, or sends it with all before it when it
// is a file.
func (h *conn) piece(r *http.Request, b *http.Buf) error {
	switch n := b.Len(); {
	case n == 0:
		return nil
	case !b.InFile:
		h.iov = append(h.iov, b.B)
		return nil
	case n <= inlineFile:
		p, err := h.readFile(b)
		if err != nil {
			return err
		}
		h.iov = append(h.iov, p)
		return nil
	}
	if !r.Core.Sendfile.V || h.c.TLS != nil {
		return h.copyFile(r, b)
	}
	h.cork(r)
	if err := h.write(r); err != nil {
		return err
	}
	return h.sendFile(r, b)
}

// readFile reads a small piece of a file. The memory is the connection's; it
// serves one piece per write.
func (h *conn) readFile(b *http.Buf) ([]byte, error) {
	n := int(b.Len())
	used := len(h.scratch)
	if cap(h.scratch)-used < n {
		h.scratch, used = make([]byte, 0, max(n, inlineFile)), 0
	}
	p := h.scratch[used : used+n]
	h.scratch = h.scratch[:used+n]
	return p, readFull(h.c, b, p)
}

func readFull(c *http.Conn, b *http.Buf, p []byte) error {
	_, err := event.Pread(b.File, p, b.Off)
	if err != nil {
		c.Log.Log(log.Alert, err, "pread() failed")
		c.Failed = true
	}
	return err
}

// copyFile sends a piece of a file through memory, output_buffers' size at a
// time.
func (h *conn) copyFile(r *http.Request, b *http.Buf) error {
	copies := &h.c.Worker.Copies
	c := copies.Get(int(r.Core.OutputBuffers.V.Size))
	defer copies.Put(c)
	for off := b.Off; off < b.End; {
		mem := c.Mem[:min(int64(len(c.Mem)), b.End-off)]
		if err := readFull(h.c, &http.Buf{File: b.File, Off: off}, mem); err != nil {
			return err
		}
		off += int64(len(mem))
		h.iov = append(h.iov, mem)
		if err := h.write(r); err != nil {
			return err
		}
	}
	return nil
}

// flush sends all that was held back.
func (h *conn) flush(r *http.Request) error {
	if h.c.Failed {
		return errFailed
	}
	if len(h.out) == 0 {
		return nil
	}
	h.take()
	return h.write(r)
}

// write sends the collected pieces.
func (h *conn) write(r *http.Request) (err error) {
	if len(h.iov) == 0 {
		return nil
	}
	c := h.c
	c.WriteTimeout = r.Core.SendTimeout.V
	h.join()
	if r.Rate() == 0 {
		var n int64
		n, err = c.IO.Writev(h.iov)
		r.BytesSent += n
	} else {
		for _, p := range h.iov {
			if err = h.writeLimited(r, p); err != nil {
				break
			}
		}
	}
	clear(h.iov)
	h.iov, h.out, h.scratch = h.iov[:0], h.out[:0], h.scratch[:0]
	return h.sent(err)
}

// join copies small pieces behind the header: sending one buffer costs less
// than gathering several.
func (h *conn) join() {
	if len(h.iov) < 2 || len(h.out) == 0 {
		return
	}
	n := 0
	for _, p := range h.iov {
		n += len(p)
	}
	if n > maxJoined {
		return
	}
	for _, p := range h.iov[1:] {
		h.out = append(h.out, p...)
	}
	clear(h.iov)
	h.iov = append(h.iov[:0], h.out)
}

// sendFile sends a piece of a file from the page cache.
func (h *conn) sendFile(r *http.Request, b *http.Buf) error {
	c, chunk := h.c, r.Core.SendfileMaxChunk.V
	c.WriteTimeout = r.Core.SendTimeout.V
	if r.Rate() == 0 {
		n, err := c.IO.Sendfile(b.File, b.Off, b.Len(), chunk)
		r.BytesSent += n
		return h.sent(err)
	}
	for off := b.Off; off < b.End; {
		n, err := r.RateAllowance()
		if err != nil {
			return h.sent(err)
		}
		n, err = c.IO.Sendfile(b.File, off, min(n, b.End-off), chunk)
		r.BytesSent += n
		off += n
		if err != nil {
			return h.sent(err)
		}
		if err := r.Pace(n); err != nil {
			return h.sent(err)
		}
	}
	return nil
}

// sent takes note of a failed write.
func (h *conn) sent(err error) error {
	if err == nil {
		return nil
	}
	c := h.c
	c.Failed = true
	c.Action = "sending to client"
	switch {
	case errors.Is(err, event.ErrTimeout):
		c.TimedOut = true
		c.Log.Log(log.Info, unix.ETIMEDOUT, "client timed out")
	case errors.Is(err, io.ErrUnexpectedEOF):
		c.Log.Log(log.Alert, nil, "sendfile() reported that the file was truncated")
	case errors.Is(err, event.ErrClosed), errors.Is(err, event.ErrPeerClosed):
	default:
		c.Log.Log(log.Info, err, "send() failed")
	}
	return err
}

// writeLimited writes p no faster than the limit allows.
func (h *conn) writeLimited(r *http.Request, p []byte) error {
	for len(p) > 0 {
		n, err := r.RateAllowance()
		if err != nil {
			return err
		}
		n, err = h.c.IO.Writev([][]byte{p[:min(n, int64(len(p)))]})
		r.BytesSent += n
		p = p[n:]
		if err != nil {
			return err
		}
		if err := r.Pace(n); err != nil {
			return err
		}
	}
	return nil
}

// ending is the last chunk with the trailers.
func ending(r *http.Request) []byte {
	if len(r.Out.Trailers) == 0 {
		return lastChunk
	}
	b := append(r.Pool.Alloc(256)[:0], "0\r\n"...)
	for i := range r.Out.Trailers {
		if f := &r.Out.Trailers[i]; !f.Off {
			b = append(append(append(append(b, f.Name...), ": "...), f.Value...), '\r', '\n')
		}
	}
	return append(b, '\r', '\n')
}

// cork holds packets back until they are full (tcp_nopush).
func (h *conn) cork(r *http.Request) {
	if r.Core.TCPNopush.V {
		_ = h.c.SetNoPush(true)
	}
}

func (h *conn) uncork() {
	if !h.c.Failed {
		_ = h.c.SetNoPush(false)
	}
}
