package h2

import (
	"errors"
	"strconv"

	"moongate/core/buf"
	"moongate/core/build"
	"moongate/core/event"
	"moongate/core/log"
	"moongate/http"
	"moongate/http/wire"
	"moongate/http/wire/http2"
)

var errFailed = errors.New("stream has failed")

// SendHeader implements http.Stream (ngx_http_v2_header_filter).
func (s *stream) SendHeader(r *http.Request) error {
	if s.c.Failed || s.outClosed {
		return errFailed
	}
	var room [512]byte
	b := room[:0]
	if s.h.resized {
		s.h.resized = false
		b = append(b, 0x20) // the table is of no size
	}
	b = http2.AppendStatus(b, r.Out.Status)
	b = s.appendFixed(b, r)
	for i := range r.Out.List {
		if f := &r.Out.List[i]; !f.Off {
			b = http2.AppendField(b, f.Name, f.Value)
		}
	}
	fin := r.HeaderOnly || r.Out.ContentLength == 0 && !r.ExpectTrailers
	s.sendBlock(r, b, fin)
	return nil
}

// sendBlock sends a header block in as many frames as it takes.
func (s *stream) sendBlock(r *http.Request, block []byte, fin bool) {
	o, kind, flags := &s.h.out, http2.FrameHeaders, uint8(0)
	if fin {
		flags = http2.FlagEndStream
	}
	for {
		n := min(len(block), s.h.frameSize)
		if n == len(block) {
			flags |= http2.FlagEndHeaders
		}
		o.put(append(http2.AppendHead(o.room(http2.HeadSize+n), n, kind, flags, s.id), block[:n]...))
		s.h.useful += int64(n)
		r.HeaderSize += int64(http2.HeadSize + n)
		r.BytesSent += int64(http2.HeadSize + n)
		if block = block[n:]; len(block) == 0 {
			break
		}
		kind, flags = http2.FrameContinuation, 0
	}
	s.outClosed = s.outClosed || fin
}

// appendFixed appends the fields that the server itself decides, in nginx's
// order.
func (s *stream) appendFixed(b []byte, r *http.Request) []byte {
	o, lc, w := &r.Out, r.Core, &workerOf(s.c).fields
	var text [32]byte
	if !o.Decided("Server") {
		switch lc.ServerTokens.V {
		case http.ServerTokensOn:
			b = w.append(b, http2.IndexServer, build.Server)
		case http.ServerTokensBuild:
			b = w.append(b, http2.IndexServer, build.ServerBuild)
		default:
			b = w.append(b, http2.IndexServer, "nginx")
		}
	}
	if !o.Decided("Date") {
		b = w.append(b, http2.IndexDate, s.c.Worker.Clock.Times().HTTP)
	}
	if o.ContentType != "" {
		if o.Charset != "" && !o.TypeHasParams() {
			o.ContentType = r.Pool.Concat(o.ContentType, "; charset=", o.Charset)
			o.Charset = ""
		}
		b = w.append(b, http2.IndexContentType, o.ContentType)
	}
	if o.ContentLength >= 0 && o.Find("Content-Length") == nil {
		b = w.append(b, http2.IndexContentLength, buf.String(strconv.AppendInt(text[:0], o.ContentLength, 10)))
	}
	if o.LastModified >= 0 && o.Find("Last-Modified") == nil {
		b = w.append(b, http2.IndexLastModified, buf.String(wire.AppendDate(text[:0], o.LastModified)))
	}
	if f := o.Find("Location"); f != nil && f.Value != "" {
		f.Value = s.location(r, f)
		f.Off = true
		b = w.append(b, http2.IndexLocation, f.Value)
	}
	if r.GzipVary {
		if lc.GzipVary.V {
			b = w.append(b, http2.IndexVary, "Accept-Encoding")
		} else {
			r.GzipVary = false
		}
	}
	return b
}

// fieldCache keeps fields as they were encoded last: most responses have the
// same server, date and type as others.
type fieldCache [64]struct {
	index        int
	value, coded []byte
}

// append appends a field whose name is in the static table.
func (c *fieldCache) append(b []byte, index int, value string) []byte {
	const least, most = 4, 64 // in between, looking it up is less work
	if len(value) < least || len(value) > most {
		return http2.AppendIndexed(b, index, value)
	}
	e := &c[(uint(index)+31*uint(value[len(value)-1])+7*uint(value[len(value)/2])+uint(len(value)))%uint(len(c))]
	if e.index != index || string(e.value) != value {
		e.index, e.value, e.coded = index, append(e.value[:0], value...), http2.AppendIndexed(e.coded[:0], index, value)
	}
	return append(b, e.coded...)
}

// location makes a redirect absolute if so configured.
func (s *stream) location(r *http.Request, f *http.Header) string {
	if f.AsIs || f.Value[0] != '/' || r.Out.RawLocation || !r.Core.AbsoluteRedirect.V {
		return f.Value
	}
	host := r.HostName
	if r.Core.ServerNameInRedirect.V {
		host = r.Server.Name
	}
	addr, port := s.c.LocalText()
	if host == "" {
		host = addr
	}
	suffix := ""
	if r.Core.PortInRedirect.V && port != 0 && port != s.c.DefaultPort() {
		suffix = ":" + strconv.Itoa(port)
	}
	return r.Pool.Concat(s.c.Scheme(), "://", host, suffix, f.Value)
}

// SendEarlyHints implements http.EarlyHinter.
func (s *stream) SendEarlyHints(r *http.Request, fields []http.Header) error {
	if s.c.Failed || s.outClosed || len(fields) == 0 {
		return nil
	}
	b := http2.AppendStatus(nil, 103)
	for i := range fields {
		b = http2.AppendField(b, fields[i].Name, fields[i].Value)
	}
	s.sendBlock(r, b, false)
	return nil
}

// SendBody implements http.Stream.
func (s *stream) SendBody(r *http.Request, bufs []http.Buf) error {
	if s.c.Failed {
		return errFailed
	}
	if r.HeaderOnly || s.outClosed {
		return nil
	}
	last, rest := false, int64(0)
	for i := range bufs {
		last = last || bufs[i].Last
		rest += bufs[i].Len()
	}
	trailers := last && len(r.Out.Trailers) > 0
	if err := s.sendPieces(r, source{bufs: bufs}, rest, last && !trailers); err != nil {
		return err
	}
	switch {
	case trailers:
		s.sendBlock(r, trailerBlock(r), true)
	case last && !s.outClosed:
		o := &s.h.out
		o.put(http2.AppendHead(o.room(http2.HeadSize), 0, http2.FrameData, http2.FlagEndStream, s.id))
		s.outClosed = true
	}
	return nil
}

// sendPieces sends n bytes of a body at the pace that they may have.
func (s *stream) sendPieces(r *http.Request, from source, n int64, last bool) error {
	for n > 0 {
		quota := n
		if r.Rate() > 0 {
			may, err := r.RateAllowance()
			if err != nil {
				return err
			}
			quota = min(n, may)
		}
		n -= quota
		if err := s.sendNow(r, &from, quota, last && n == 0); err != nil {
			return err
		}
		if r.Rate() > 0 {
			s.h.out.later()
			if err := r.Pace(quota); err != nil {
				return err
			}
		}
	}
	return nil
}

// sendNow sends n bytes of a body as soon as there is room for them.
func (s *stream) sendNow(r *http.Request, from *source, n int64, last bool) error {
	defer s.h.yield(s)
	for n > 0 {
		m, err := s.allowance(r, n)
		if err != nil {
			return err
		}
		n -= m
		if err := s.sendData(r, from, m, last && n == 0); err != nil {
			return err
		}
	}
	return nil
}

// source takes pieces of a body one after the other.
type source struct {
	bufs []http.Buf
	off  int64 // in the first
}

// next returns what there is of at most n bytes in one piece.
func (f *source) next(n int64) (b *http.Buf, off, size int64) {
	for f.off == f.bufs[0].Len() {
		f.bufs, f.off = f.bufs[1:], 0
	}
	b, off = &f.bufs[0], f.off
	size = min(n, b.Len()-off)
	f.off += size
	return b, off, size
}

func trailerBlock(r *http.Request) (b []byte) {
	for i := range r.Out.Trailers {
		if f := &r.Out.Trailers[i]; !f.Off {
			b = http2.AppendField(b, f.Name, f.Value)
		}
	}
	return b
}

// chunk is the largest piece that goes into one frame.
func (s *stream) chunk(r *http.Request) int64 { return locSlot.Of(r.Scope).chunkSize.V }

// sendData appends a DATA frame with n bytes.
func (s *stream) sendData(r *http.Request, from *source, n int64, fin bool) error {
	o, flags := &s.h.out, uint8(0)
	if fin {
		flags = http2.FlagEndStream
	}
	out := o.room(http2.HeadSize + int(n))
	start := len(out)
	out = http2.AppendHead(out, int(n), http2.FrameData, flags, s.id)
	for left := n; left > 0; {
		b, off, size := from.next(left)
		left -= size
		if !b.InFile {
			out = append(out, b.B[off:off+size]...)
			continue
		}
		at := len(out)
		out = out[:at+int(size)]
		if err := s.pread(b.File, out[at:], b.Off+off); err != nil {
			o.buf = out[:start]
			return err
		}
	}
	o.put(out)
	s.h.useful += n
	s.h.window -= n
	s.window -= n
	r.HeaderSize += http2.HeadSize
	r.BytesSent += http2.HeadSize + n
	s.outClosed = s.outClosed || fin
	s.c.Loop().Spend(int(n))
	return nil
}

func (s *stream) pread(fd int, p []byte, off int64) error {
	_, err := event.Pread(fd, p, off)
	if err != nil {
		s.c.Log.Log(log.Alert, err, "pread() failed")
		s.c.Failed = true
	}
	return err
}
