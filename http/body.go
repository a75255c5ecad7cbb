package http

import (
	"io"
	"strings"

	"golang.org/x/sys/unix"

	"moongate/core/event"
	"moongate/core/log"
	"moongate/http/wire"
)

// Body is a request body that was read: in memory, or as a whole in a
// temporary file.
type Body struct {
	Bytes []byte
	// File is the temporary file, nil when the body is in memory.
	File *TempFile
	Path string
	// Size is the number of bytes.
	Size int64
}

// ExpectContinue answers "Expect: 100-continue" once, if the client sent it.
func (r *Request) ExpectContinue() Verdict {
	if r.ExpectTested || r.Version < Version11 {
		return OK
	}
	v, ok := r.In.Get(wire.HeaderExpect)
	if !ok {
		return OK
	}
	r.ExpectTested = true
	if !strings.EqualFold(v, "100-continue") {
		return OK
	}
	return r.Stream.Continue(r)
}

// HasBody reports whether the request says that it has a body.
func (r *Request) HasBody() bool { return r.In.ContentLength > 0 || r.In.Chunked }

// DiscardingBody reports whether more of a body that is of no interest has yet
// to arrive: nginx's discard_body, which HTTP/2 never sets.
func (r *Request) DiscardingBody() bool {
	in := &r.In
	return r.BodyDiscarded && r.Version < Version20 && (in.Chunked && in.ContentLength < 0 || in.BodyRead < in.ContentLength)
}

// AwaitsBody reports whether there is a body to read, or an end of it to wait
// for: over HTTP/2 a request that says that its body is empty may not have ended
// (ngx_http_v2_read_request_body).
func (r *Request) AwaitsBody() bool {
	return r.HasBody() || r.Version >= Version20 && r.In.ContentLength == 0
}

// ReadBody reads the whole request body into r.Body: up to about
// client_body_buffer_size in memory, more of it into a temporary file. It
// returns OK, or the verdict that ends the request. A subrequest has what the
// main request has read, or nothing: two must not read at a time
// (ngx_http_read_client_request_body).
func (r *Request) ReadBody() Verdict {
	m := r.Main
	if r.Body != nil {
		return OK // a subrequest may have a body of its own
	}
	if !r.IsMain() || m.Body != nil || m.BodyDiscarded {
		r.Body = m.Body
		if r.Body == nil {
			r.Body = &Body{}
		}
		return OK
	}
	if v := m.ExpectContinue(); v != OK {
		return v
	}
	b := &m.ownBody
	*b = Body{}
	if m.AwaitsBody() || r.bodyInFile(r.Core) && m.In.ContentLength == 0 {
		if v := m.readBody(b, r.Core); v != OK {
			b.remove()
			return v
		}
	}
	m.Body, r.Body = b, b
	return OK
}

// bodyInFile reports whether the whole body goes to a file.
func (r *Request) bodyInFile(lc *LocConf) bool {
	return lc.ClientBodyInFileOnly.V != BodyFileOff || r.Main.BodyInFile
}

// bodyRoom is how much of the body may be in memory, in bytes. Whatever
// client_body_buffer_size says, that is what came with the header, and then the
// rest of it too when the buffer of the header has room
// (ngx_http_read_client_request_body).
func (r *Request) bodyRoom(lc *LocConf) int64 {
	n, room := r.In.ContentLength, lc.ClientBodyBufferSize.V
	if r.Version >= Version20 {
		if n >= 0 && n <= room {
			room = n + 1 // the end comes by itself, and there may be more than was said
		}
		return room
	}
	arrived, left := r.Stream.BodyAhead()
	switch rest := n - int64(arrived); {
	case n < 0 || r.In.Chunked:
		room = max(room, int64(arrived))
	case arrived > 0 && rest <= int64(left) || rest < room+room>>2:
		room = n
	}
	return room
}

// readBody fills b as the location lc says.
func (r *Request) readBody(b *Body, lc *LocConf) Verdict {
	mem := r.Pool.Alloc(int(max(r.bodyRoom(lc), 1)))
	fill, inFile := 0, r.bodyInFile(lc)
	for {
		if fill == len(mem) || inFile && fill > 0 {
			if int64(fill) == r.In.ContentLength-b.Size && !inFile && b.File == nil && !r.In.Chunked {
				break
			}
			if v := b.spill(r, lc, mem[:fill]); v != OK {
				return v
			}
			fill = 0
		}
		n, v := r.Stream.ReadBody(r, mem[fill:])
		if v != OK {
			return v
		}
		if n == 0 {
			break
		}
		fill += n
	}
	if b.File != nil || inFile {
		if v := b.spill(r, lc, mem[:fill]); v != OK {
			return v
		}
	} else {
		b.Bytes, b.Size = mem[:fill], int64(fill)
	}
	r.In.ContentLength = b.Size // of a chunked body it is known only now
	return OK
}

// spill appends to the temporary file, which it makes first if need be.
func (b *Body) spill(r *Request, lc *LocConf, p []byte) Verdict {
	if b.File == nil {
		keep := [...]TempKeep{BodyFileOff: TempAnonymous, BodyFileOn: TempKept, BodyFileClean: TempClean}[lc.ClientBodyInFileOnly.V]
		if keep == TempAnonymous && r.PersistentBody {
			keep = TempClean
		}
		f, err := lc.ClientBodyTempPath.V.Create(keep)
		if err != nil {
			r.Logf(log.Crit, err, "%s", err)
			return StatusInternalServerError
		}
		b.File, b.Path = f, r.Pool.Clone(f.Name)
		r.Cleanup(func() { f.Close() })
		if !r.bodyInFile(lc) {
			r.Logf(log.Warn, nil, "a client request body is buffered to a temporary file %s", f.Name)
		}
	}
	for off := b.Size; len(p) > 0; {
		n, err := unix.Pwrite(b.File.FD, p, off)
		if err != nil {
			r.Logf(log.Crit, err, `pwrite() "%s" failed`, b.Path)
			return StatusInternalServerError
		}
		p, off = p[n:], off+int64(n)
		b.Size = off
	}
	return OK
}

func (b *Body) remove() {
	if b.File != nil {
		b.File.Close()
	}
}

// Buf is the body as one piece to pass on.
func (b *Body) Buf() Buf {
	if b.File != nil {
		return Buf{InFile: true, File: b.File.FD, End: b.Size}
	}
	return Buf{B: b.Bytes}
}

// DiscardBody declares the body of no interest; what has arrived of it is
// dropped, and the rest when the response has been sent.
func (r *Request) DiscardBody() Verdict {
	if !r.IsMain() || r.BodyDiscarded || r.Body != nil {
		return OK
	}
	if v := r.ExpectContinue(); v != OK {
		return v
	}
	r.BodyDiscarded = true
	return r.Stream.DiscardBody(r)
}

// readFilePart reads a piece of a file into memory.
func readFilePart(b *Buf) ([]byte, error) {
	p := make([]byte, b.Len())
	n, err := event.Pread(b.File, p, b.Off)
	if err == io.ErrUnexpectedEOF {
		err = nil
	}
	return p[:n], err
}
