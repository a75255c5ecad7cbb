// Package rangefilter sends the parts of a response that a Range header asks
// for: nginx's ngx_http_range_filter_module, RFC 9110 section 14.
package rangefilter

import (
	"errors"

	"moongate/conf"
	"moongate/core/buf"
	"moongate/core/log"
	"moongate/http"
	"moongate/http/wire"
)

// Header decides about ranges when the response is otherwise complete, Body
// cuts them out before any other filter sees the body: both are modules, as
// they have different places in the order of filters.
var (
	Header = &http.Module{Module: conf.Module{Name: "http_range_header_filter"}, Header: headerFilter}
	Body   = &http.Module{
		Module: conf.Module{Name: "http_range_body_filter"},
		Ctx:    []http.AnyCtx{key},
		Body:   bodyFilter,
	}
)

// ctx is what a request with ranges keeps.
type ctx struct {
	ranges []wire.Range
	// offset is where in the whole body the next piece starts.
	offset   int64
	boundary uint64
	// parts are the headers of the parts of a multipart body.
	parts [][]byte
	out   []http.Buf
	few   [2]wire.Range
	one   [1]http.Buf
}

var key = &http.Ctx[ctx]{}

func headerFilter(r *http.Request) http.Verdict {
	limit := r.Core.MaxRanges.V
	if r.Version < http.Version10 || r.Out.Status != int(http.StatusOK) || !r.IsMain() && !r.SubrangeOK ||
		r.Out.ContentLength == -1 || !r.AllowRanges || limit == 0 {
		return http.OK
	}
	value, ok := r.In.Get(wire.HeaderRange)
	if ok && ifRange(r) {
		if r.SingleRange {
			limit = 1
		}
		c := &ctx{offset: r.Out.ContentOffset}
		switch c.parse(r, value, int(min(limit, wire.UnlimitedRanges))) {
		case wire.RangeOK:
			return c.partial(r)
		case wire.RangeUnsatisfiable:
			return unsatisfiable(r)
		}
	}
	r.Out.Add("Accept-Ranges", "bytes")
	return http.OK
}

// ifRange tests If-Range, a date or an entity tag.
func ifRange(r *http.Request) bool {
	value, ok := r.In.Get(wire.HeaderIfRange)
	switch {
	case !ok:
		return true
	case len(value) >= 2 && value[len(value)-1] == '"':
		tag, ok := r.Out.Get("ETag")
		return ok && tag == value
	case r.Out.LastModified == -1:
		return false
	}
	date, ok := wire.ParseDate(buf.Bytes(value))
	return ok && date == r.Out.LastModified
}

// parse reads the Range header, unless the main request has ranges, which its
// subrequests share.
func (c *ctx) parse(r *http.Request, value string, limit int) wire.RangeStatus {
	if !r.IsMain() {
		if m := key.Of(r.Main); m != nil {
			c.ranges = m.ranges
			return wire.RangeOK
		}
	}
	var status wire.RangeStatus
	c.ranges, status = wire.ParseRanges(c.few[:0], buf.Bytes(value), r.Out.ContentLength, limit)
	return status
}

// partial turns the response into one with status 206.
func (c *ctx) partial(r *http.Request) http.Verdict {
	key.Set(r, c)
	c.out = c.one[:0]
	r.FilterBody(Body)
	r.Out.Status, r.Out.StatusLine = int(http.StatusPartialContent), ""
	switch {
	case len(c.ranges) > 1:
		c.multipart(r)
	case r.IsMain():
		only, whole := c.ranges[0], r.Out.ContentLength
		b := wire.AppendContentRange(r.Pool.Alloc(maxContentRange)[:0], only, whole)
		r.Out.Delete("Content-Range")
		r.Out.Add("Content-Range", buf.String(b))
		r.Out.ContentLength, r.Out.ContentOffset = only.End-only.Start, only.Start
		r.Out.Delete("Content-Length")
	}
	return http.OK
}

// maxContentRange is enough for "bytes " and three numbers.
const maxContentRange = 72

// multipart announces a body of several parts.
func (c *ctx) multipart(r *http.Request) {
	o, whole := &r.Out, r.Out.ContentLength
	c.boundary = r.Conn.Worker.Cycle.Shared().TempNumber.Add(1)
	charset := o.Charset
	if o.TypeHasParams() {
		charset = ""
	}
	size := int64(len(wire.AppendLastBoundary(nil, c.boundary)))
	for _, part := range c.ranges {
		b := wire.AppendPartHeader(nil, c.boundary, buf.Bytes(o.ContentType), buf.Bytes(charset))
		b = wire.AppendPartRange(b, part, whole)
		c.parts = append(c.parts, b)
		size += int64(len(b)) + part.End - part.Start
	}
	const prefix = "multipart/byteranges; boundary="
	b := append(r.Pool.Alloc(len(prefix) + wire.BoundaryLen)[:0], prefix...)
	o.ContentType, o.Charset = buf.String(wire.AppendBoundary(b, c.boundary)), ""
	o.ContentLength = size
	o.Delete("Content-Length")
	o.Delete("Content-Range")
}

// unsatisfiable answers 416.
func unsatisfiable(r *http.Request) http.Verdict {
	r.Out.Status = int(http.StatusRangeNotSatisfiable)
	b := wire.AppendUnsatisfiedRange(r.Pool.Alloc(maxContentRange)[:0], r.Out.ContentLength)
	r.Out.Delete("Content-Range")
	r.Out.Add("Content-Range", buf.String(b))
	r.Out.ClearContentLength()
	r.Out.Delete("Content-Length")
	return http.StatusRangeNotSatisfiable
}

func bodyFilter(r *http.Request, in []http.Buf, next http.Next) error {
	c := key.Of(r)
	switch {
	case c == nil || len(in) == 0:
		return next.Write(in)
	case len(c.ranges) == 1:
		return c.single(r, in, next)
	case in[0].Len() == 0:
		return next.Write(in)
	}
	return c.several(r, &in[0], next)
}

// single passes on the one range.
func (c *ctx) single(r *http.Request, in []http.Buf, next http.Next) error {
	want := c.ranges[0]
	c.out = c.out[:0]
	for _, b := range in {
		start := c.offset
		c.offset += b.Len()
		if b.Len() == 0 {
			if want.End > start {
				c.out = append(c.out, b)
			}
			continue
		}
		if want.End <= start || want.Start >= c.offset {
			continue
		}
		if want.End <= c.offset {
			b = cut(b, 0, want.End-start)
			b.Last, b.LastInChain = r.IsMain(), true
		}
		if want.Start > start {
			b = cut(b, want.Start-start, b.Len())
		}
		c.out = append(c.out, b)
	}
	if len(c.out) == 0 {
		return nil
	}
	return next.Write(c.out)
}

// cut returns the part of b from byte from up to byte to.
func cut(b http.Buf, from, to int64) http.Buf {
	if b.InFile {
		b.Off, b.End = b.Off+from, b.Off+to
	} else {
		b.B = b.B[from:to]
	}
	return b
}

// errOverlapped: several ranges can only be cut out of a body in one piece.
var errOverlapped = errors.New("range in overlapped buffers")

// several passes on all parts of a body that is in one piece.
func (c *ctx) several(r *http.Request, b *http.Buf, next http.Next) error {
	size := b.Len()
	fits := c.offset == 0
	for _, part := range c.ranges {
		fits = fits && (b.Last || part.End <= size)
	}
	if !fits {
		r.Logf(log.Alert, nil, "%s", errOverlapped)
		return errOverlapped
	}
	c.offset = size
	c.out = c.out[:0]
	for i, part := range c.ranges {
		data := cut(*b, part.Start, min(part.End, size))
		data.Flush, data.Last, data.LastInChain, data.Sync = false, false, false, false
		c.out = append(c.out, http.Buf{B: c.parts[i]}, data)
	}
	c.out = append(c.out, http.Buf{B: wire.AppendLastBoundary(nil, c.boundary), Last: true, LastInChain: true})
	return next.Write(c.out)
}
