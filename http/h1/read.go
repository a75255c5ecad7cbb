package h1

import (
	"bytes"
	"errors"
	"io"

	"golang.org/x/sys/unix"

	"moongate/core/buf"
	"moongate/core/event"
	"moongate/core/log"
	"moongate/http"
	"moongate/http/wire"
)

// readRequest reads request line and header into r. OK means that r can run,
// Error that the client is gone, a status that the request is to be refused.
func (h *conn) readRequest(r *http.Request) http.Verdict {
	c := h.c
	c.Action = "reading client request line"
	r.EnterDefaultServer()
	h.line = wire.RequestLine{}
	h.marks, h.headEnd = h.marks[:0], 0
	for {
		done, err := h.line.Parse(h.in[:h.wr])
		if err != nil {
			h.takePartial(r)
			c.Log.Log(log.Info, nil, "%s", err)
			return http.Verdict(err.(wire.Error).Status())
		}
		if done {
			break
		}
		if h.wr == len(h.in) && h.line.Empty() {
			h.line, h.wr = wire.RequestLine{}, 0 // nothing but empty lines so far
		}
		if h.wr == len(h.in) && !h.grow(r.Server, 0) {
			h.takePartial(r)
			r.LingeringClose = true
			c.Log.Log(log.Info, nil, "client sent too long URI")
			return http.StatusURITooLarge
		}
		if v := h.more(r); v != http.OK {
			return v
		}
	}
	h.rd = h.line.Len()
	if r.Debug() {
		r.Debugf(`http request line: "%s"`, h.in[h.line.Start:h.line.End])
	}
	r.RequestLength = int64(h.rd)
	if v := h.takeLine(r); v != http.OK {
		return v
	}
	if r.Version < http.Version10 {
		return h.noHeader(r)
	}
	c.Action = "reading client request headers"
	return h.readHeader(r)
}

// takePartial puts what there is of a request line that cannot be used into r:
// the answer to HEAD has no body, that to HTTP/0.9 no header.
func (h *conn) takePartial(r *http.Request) {
	r.Method = h.line.Method
	if h.line.Version != 0 {
		r.Version = h.line.Version
	}
	b := h.in[min(h.line.Start, h.wr):h.wr]
	if i := bytes.IndexAny(b, "\r\n"); i >= 0 {
		b = b[:i]
	}
	r.SetPartialLine(buf.String(b))
}

// more reads more of the header.
func (h *conn) more(r *http.Request) http.Verdict {
	c := h.c
	if h.deadline == 0 {
		h.deadline = c.Loop().NowMsec() + r.Server.ClientHeaderTimeout.V.Milliseconds()
	}
	_, err := h.fill(false)
	switch {
	case err == nil:
		return http.OK
	case errors.Is(err, event.ErrTimeout):
		c.Log.Log(log.Info, unix.ETIMEDOUT, "client timed out")
		c.TimedOut = true
		r.Out.Status = int(http.StatusRequestTimeOut)
	case err == io.EOF:
		c.Log.Log(log.Info, nil, "client prematurely closed connection")
		r.Out.Status = int(http.StatusBadRequest)
	default:
		c.Log.Log(log.Info, err, "recv() failed")
		r.Out.Status = int(http.StatusBadRequest)
	}
	c.Failed = true
	return http.Error
}

// takeLine puts the parts of the request line into r.
func (h *conn) takeLine(r *http.Request) http.Verdict {
	l, in := &h.line, h.in
	view := func(from, to int) string { return buf.String(in[from:to]) }
	r.Method, r.MethodName = l.Method, view(l.Start, l.MethodEnd)
	r.RequestLine = view(l.Start, l.End)
	r.Version = l.Version
	if l.ProtocolStart != 0 {
		r.HTTPProtocol = view(l.ProtocolStart, l.End)
	}
	if l.SchemaEnd != 0 {
		r.Schema = view(l.SchemaStart, l.SchemaEnd)
	}
	t, err := l.Target(r.Pool.Alloc(l.URIEnd-l.URIStart+1), in, r.Server.MergeSlashes.V)
	if err != nil {
		h.c.Log.Log(log.Info, nil, "%s", err)
		return http.StatusBadRequest
	}
	r.UnparsedURI = buf.String(t.Raw)
	r.URI, r.Args, r.Exten = buf.String(t.Path), buf.String(t.Args), buf.String(t.Ext)
	r.ComplexURI, r.QuotedURI, r.PlusInURI, r.EmptyPathInURI = l.Complex, t.Quoted, t.Plus, l.EmptyPath
	if l.EmptyPath {
		r.UnparsedURI = r.Pool.Concat("/", r.UnparsedURI)
	}
	if l.HostEnd != 0 {
		host, port, ok := wire.ParseHost(r.Pool.Alloc(l.HostEnd-l.HostStart), in[l.HostStart:l.HostEnd])
		if !ok {
			h.c.Log.Log(log.Info, nil, "client sent invalid host in request line")
			return http.StatusBadRequest
		}
		if v := r.ChooseServer(buf.String(host)); v != http.OK {
			return v
		}
		r.HostName, r.Port = buf.String(host), int(port)
	}
	return http.OK
}

// noHeader completes an HTTP/0.9 request, which is its line.
func (h *conn) noHeader(r *http.Request) http.Verdict {
	if r.HostName == "" {
		return r.ChooseServer("")
	}
	return http.OK
}

// readHeader reads the header fields.
func (h *conn) readHeader(r *http.Request) http.Verdict {
	c := h.c
	h.header = wire.HeaderLine{}
	h.header.SetPos(h.rd)
	for {
		h.header.Underscores = r.Server.UnderscoresInHeaders.V
		outcome, err := h.header.Parse(h.in[:h.wr])
		if err != nil {
			c.Log.Log(log.Info, nil, `client sent invalid header line: "%s\x%02x..."`,
				h.in[h.header.NameStart:h.header.ValueEnd], h.in[h.header.ValueEnd])
			return http.StatusBadRequest
		}
		if outcome == wire.HeaderAgain {
			if h.wr == len(h.in) {
				if v := h.growHeader(r); v != http.OK {
					return v
				}
			}
			if v := h.more(r); v != http.OK {
				return v
			}
			continue
		}
		r.RequestLength += int64(h.header.Len() - h.rd)
		h.rd = h.header.Len()
		if outcome == wire.HeaderEnd {
			if r.Debug() {
				r.Debugf("http header done")
			}
			h.headEnd = h.rd
			return checkHeader(r)
		}
		if v := h.field(r); v != http.OK {
			return v
		}
	}
}

// growHeader gives the header line in progress a large buffer.
func (h *conn) growHeader(r *http.Request) http.Verdict {
	start := h.rd
	if h.grow(r.Server, start) {
		h.header.Rebase(start)
		return http.OK
	}
	r.LingeringClose = true
	if start == h.wr {
		h.c.Log.Log(log.Info, nil, "client sent too large request")
	} else {
		line := h.in[start:h.wr]
		h.c.Log.Log(log.Info, nil, `client sent too long header line: "%s..."`, line[:min(len(line), 2048-300)])
	}
	return http.StatusRequestHeaderTooBig
}

// field takes in one header line.
func (h *conn) field(r *http.Request) http.Verdict {
	l := &h.header
	if l.Invalid && r.Server.IgnoreInvalidHeaders.V {
		h.c.Log.Log(log.Info, nil, `client sent invalid header line: "%s"`, h.in[l.NameStart:l.ValueEnd])
		return http.OK
	}
	if int64(len(r.In.List)) >= r.Server.MaxHeaders.V {
		r.LingeringClose = true
		h.c.Log.Log(log.Info, nil, "client sent too many header lines")
		return http.StatusRequestHeaderTooBig
	}
	name := buf.String(h.in[l.NameStart:l.NameEnd])
	f := http.Header{Name: name, Value: buf.String(h.in[l.ValueStart:l.ValueEnd]), ID: wire.LookupHeader(name)}
	if f.ID != 0 {
		if v := takeKnown(r, &f); v != http.OK {
			return v
		}
	}
	r.In.Add(f)
	if r.Debug() {
		r.Debugf(`http header: "%s: %s"`, f.Name, f.Value)
	}
	return http.OK
}
