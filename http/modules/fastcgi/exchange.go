package fastcgi

import (
	"math"
	"strings"

	"moongate/core/buf"
	"moongate/core/log"
	"moongate/http"
	"moongate/http/upstream"
	"moongate/http/wire"
)

// exchange is the state of one request: nginx's ngx_http_fastcgi_ctx_t.
type exchange struct {
	conf  *locConf
	frame [headerSize]byte
	tail  [2 * headerSize]byte

	rec record
	// stdout: something came on standard output; header lines of it that are
	// not complete are in lines, for they may be split among records.
	stdout bool
	line   wire.HeaderLine
	lines  []byte
	// rest is how much of the body must still come, restUnknown if the
	// response does not say.
	rest   int64
	head   bool
	closed bool
}

const restUnknown = -1

// maxContent is how much of the body goes into one record, as in nginx.
const maxContent = 32 << 10

// Request implements upstream.Protocol.
func (x *exchange) Request(e *upstream.Exchange) http.Verdict {
	c := x.conf
	flags := byte(0)
	if c.keepConn.V {
		flags = keepConn
	}
	b := appendHeader(e.Buffer(), typeBeginRequest, 8, 0)
	b = append(b, 0, roleResponder, flags, 0, 0, 0, 0, 0)
	at := len(b)
	b = appendHeader(b, typeParams, 0, 0)
	start := len(b)
	b = c.params.For(e).Append(b, e, func(b []byte, name, value string) []byte {
		b = appendLength(appendLength(b, len(name)), len(value))
		return append(append(b, name...), value...)
	})
	n := len(b) - start
	if n > math.MaxUint16 {
		e.R.Logf(log.Alert, nil, "fastcgi request record is too big: %d", n)
		return http.StatusInternalServerError
	}
	padding := paddingOf(n)
	b = append(b, zeros[:padding]...)
	appendHeader(b[:at], typeParams, n, padding)
	b = appendHeader(b, typeParams, 0, 0)
	switch body := e.R.Body; {
	case e.Streaming:
		e.Begin(b, upstream.BodyStreamed)
	case !c.PassRequestBody.V || body == nil || body.Size == 0:
		e.Begin(appendHeader(b, typeStdin, 0, 0), upstream.BodyNone)
	case body.File == nil && body.Size <= maxContent:
		n := len(body.Bytes)
		b = append(appendHeader(b, typeStdin, n, paddingOf(n)), body.Bytes...)
		b = append(b, zeros[:paddingOf(n)]...)
		e.Begin(appendHeader(b, typeStdin, 0, 0), upstream.BodyNone)
	default:
		e.Begin(b, upstream.BodyRead)
	}
	return http.OK
}

// Room implements upstream.Framer.
func (x *exchange) Room(_ *upstream.Exchange, n int, _ bool) (int, error) {
	return min(n, maxContent), nil
}

// Frame implements upstream.Framer.
func (x *exchange) Frame(_ *upstream.Exchange, n int, last bool) (head, tail []byte) {
	padding := paddingOf(n)
	if n > 0 {
		head = appendHeader(x.frame[:0], typeStdin, n, padding)
	}
	tail = zeros[:padding]
	if last {
		tail = appendHeader(append(x.tail[:0], tail...), typeStdin, 0, 0)
	}
	return head, tail
}

// Restart implements upstream.Protocol.
func (x *exchange) Restart(*upstream.Exchange) {
	*x = exchange{conf: x.conf, lines: x.lines[:0]}
}

// Header implements upstream.Protocol.
func (x *exchange) Header(e *upstream.Exchange) upstream.Header {
	for {
		if x.rec.inHeader() {
			n, err := x.rec.header(e.Unread())
			e.Take(n)
			switch {
			case err != nil:
				e.R.Error("%s", err)
				return upstream.HeaderInvalid
			case x.rec.inHeader():
				return x.again(e)
			case x.rec.kind == typeEndRequest:
				e.R.Error("upstream sent unexpected FastCGI record: %d", x.rec.kind)
				return upstream.HeaderInvalid
			case x.rec.kind == typeStdout && x.rec.left == 0:
				e.R.Error("upstream prematurely closed FastCGI stdout")
				return upstream.HeaderInvalid
			}
		}
		content := e.Unread()
		content = content[:min(len(content), x.rec.left)]
		if len(content) > 0 {
			h := x.content(e, content)
			if h != upstream.HeaderAgain {
				return h
			}
			continue
		}
		if x.rec.left > 0 || !x.skipPadding(e) {
			return x.again(e)
		}
	}
}

// again asks for more; what went to the error log alone needs no room. The
// beginning of a record header does: it may be that of the response, of which a
// cache keeps every byte.
func (x *exchange) again(e *upstream.Exchange) upstream.Header {
	logged := x.rec.n == 0 || !x.rec.inHeader() && x.rec.kind == typeStderr
	if !x.stdout && logged {
		e.Rewind()
	}
	return upstream.HeaderAgain
}

// skipPadding passes the padding behind a record; false if it has not come.
func (x *exchange) skipPadding(e *upstream.Exchange) bool {
	n := min(len(e.Unread()), x.rec.padding)
	e.Take(n)
	if x.rec.padding -= n; x.rec.padding > 0 {
		return false
	}
	x.rec.next()
	return true
}

// content takes content of a record; HeaderAgain if the header is not complete
// with it.
func (x *exchange) content(e *upstream.Exchange, b []byte) upstream.Header {
	if x.rec.kind == typeStdout {
		return x.output(e, b)
	}
	e.Take(len(b))
	x.rec.left -= len(b)
	text := x.stderr(e, b)
	for _, pattern := range x.conf.catchStderr.V {
		if strings.Contains(text, pattern) {
			return upstream.HeaderInvalid
		}
	}
	return upstream.HeaderAgain
}

// stderr logs what the application said.
func (x *exchange) stderr(e *upstream.Exchange, b []byte) string {
	text := buf.String(b)
	if trimmed := strings.TrimRight(text, "\n\r. "); trimmed != "" {
		text = trimmed
	} else {
		text = text[:1]
	}
	e.R.Error(`FastCGI sent in stderr: "%s"`, text)
	return text
}

// output takes a part of standard output, up to the end of the header.
func (x *exchange) output(e *upstream.Exchange, b []byte) upstream.Header {
	if !x.stdout {
		x.stdout = true
		x.line = wire.HeaderLine{Upstream: true}
	}
	had := len(x.lines)
	x.lines = append(x.lines, b...)
	l := &x.line
	for {
		outcome, err := l.Parse(x.lines)
		switch {
		case err != nil:
			e.InvalidLine(x.lines, l)
			return upstream.HeaderInvalid
		case outcome == wire.HeaderAgain:
			e.Take(len(b))
			x.rec.left -= len(b)
			return upstream.HeaderAgain
		case outcome == wire.HeaderField:
			if h := e.Field(x.lines[l.NameStart:l.NameEnd], x.lines[l.ValueStart:l.ValueEnd]); h != upstream.HeaderDone {
				return h
			}
			continue
		}
		n := l.Len() - had
		e.Take(n)
		x.rec.left -= n
		return e.CGIStatus()
	}
}

// StartBody implements upstream.Protocol.
func (x *exchange) StartBody(e *upstream.Exchange) error {
	e.Length = upstream.Until
	if x.conf.keepConn.V && e.Buffering {
		e.Length = headerSize
	}
	x.rest = e.In.ContentLength
	switch {
	case e.NoBody():
		x.rest = 0
	case e.R.Method == wire.HEAD:
		x.head = true
	}
	return nil
}

// Body implements upstream.Protocol.
func (x *exchange) Body(e *upstream.Exchange, b []byte) error {
	if e.Length == 0 {
		e.Keep = false
		return nil
	}
	for len(b) > 0 && e.Length != 0 && !x.closed {
		n, err := x.step(e, b)
		if err != nil {
			return err
		}
		b = b[n:]
	}
	if e.Length <= 0 || x.closed {
		return nil
	}
	switch {
	case x.rec.inHeader():
		e.Length = 1
	case x.rec.left > 0:
		e.Length = int64(x.rec.left)
	default:
		e.Length = int64(max(x.rec.padding, 1))
	}
	return nil
}

// step takes the next part of the body: of a header, a record's content or the
// padding behind it.
func (x *exchange) step(e *upstream.Exchange, b []byte) (n int, err error) {
	d := &x.rec
	if d.inHeader() {
		if n, err = d.header(b); err != nil {
			e.R.Error("%s", err)
			return n, err
		}
		if d.inHeader() {
			return n, nil
		}
		return n, x.begin(e, len(b) == n)
	}
	if d.left > 0 {
		n = min(len(b), d.left)
		d.left -= n
		switch d.kind {
		case typeStdout:
			x.data(e, b[:n])
		case typeStderr:
			x.stderr(e, b[:n])
		}
		x.ended(e, len(b) == n)
		return n, nil
	}
	n = min(len(b), d.padding)
	d.padding -= n
	x.ended(e, len(b) == n)
	return n, nil
}

// begin looks at a record whose header is complete; last tells that nothing
// behind it has come. Without buffering only the end of the request counts, as
// in nginx.
func (x *exchange) begin(e *upstream.Exchange, last bool) error {
	d := &x.rec
	what := ""
	switch {
	case d.kind == typeStdout && d.left == 0 && e.Buffering:
		what = "stdout"
	case d.kind == typeEndRequest:
		what = "request"
	default:
		x.ended(e, last)
		return nil
	}
	if x.rest > 0 && !x.head {
		e.R.Error("upstream prematurely closed FastCGI %s", what)
		x.closed, e.Broken = true, true
		return nil
	}
	if !x.conf.keepConn.V && e.Buffering {
		e.Length = 0
		return nil
	}
	x.ended(e, last)
	return nil
}

// ended goes on to the next record when all of this one has come. The end of
// the request is that of the exchange; an application that was not asked to
// keep the connection closes it now (nginx keeps it without buffering, and its
// next request may find it closed).
func (x *exchange) ended(e *upstream.Exchange, last bool) {
	d := &x.rec
	if d.left > 0 || d.padding > 0 {
		return
	}
	if d.kind == typeEndRequest {
		e.Length, e.Keep = 0, last && x.conf.keepConn.V
		return
	}
	d.next()
}

// data passes a part of standard output on.
func (x *exchange) data(e *upstream.Exchange, b []byte) {
	const tooMuch = `upstream sent more data than specified in "Content-Length" header`
	switch n := int64(len(b)); {
	case x.rest == restUnknown:
		e.Data(b)
	case x.rest == 0:
		e.R.Logf(log.Warn, nil, tooMuch)
		e.Length = 0
	case n > x.rest:
		e.R.Logf(log.Warn, nil, tooMuch)
		e.Data(b[:x.rest])
		x.rest, e.Length = 0, 0
	default:
		e.Data(b)
		x.rest -= n
	}
}
