package http

import (
	"moongate/core/buf"
	"moongate/core/log"
	"moongate/http/wire"
	"strconv"
)

// SendHeader passes the response header through the filters and to the client.
// OK means go on with the body unless r.HeaderOnly is set by now; other
// verdicts are returned by the handler as its own.
func (r *Request) SendHeader() Verdict {
	if r.PostAction {
		return OK
	}
	if r.HeaderSent {
		r.Logf(log.Alert, nil, "header already sent")
		return Error
	}
	if r.ErrStatus != 0 {
		r.Out.Status, r.Out.StatusLine = r.ErrStatus, ""
	}
	return r.filterHeader(0)
}

// filterHeader passes the response header through the filters from one of them
// on, and sends it.
func (r *Request) filterHeader(from int) Verdict {
	filters := r.plan.header
	for i := from; i < len(filters); i++ {
		r.filter = filters[i]
		if v := r.filter.Header(r); v != OK || r.HeaderSent {
			return v // HeaderSent: the filter took the header
		}
		if r.holding {
			r.holding, r.heldAt = false, i+1
			return OK
		}
	}
	return r.sendFiltered()
}

// sendFiltered sends the header once all filters have seen it.
func (r *Request) sendFiltered() Verdict {
	if r.HeaderSent {
		return OK
	}
	r.HeaderSent = true
	if !r.IsMain() {
		return OK
	}
	if r.Method == wire.HEAD && r.Version >= Version10 {
		r.HeaderOnly = true
	}
	if r.KeepAlive && r.Conn.Worker.Exiting() {
		r.KeepAlive = false
	}
	o := &r.Out
	if o.Status != 200 && o.Status != 206 && o.Status != 304 {
		o.LastModified = -1 // one that add_header has made stays
	}
	switch {
	case o.StatusLine != "":
	case o.Status == 204 || o.Status == 304 || o.Status > 0 && o.Status < 200:
		r.HeaderOnly = true
		if o.Status == 204 {
			o.ContentType, o.ContentLength = "", -1
		}
	}
	if err := r.Stream.SendHeader(r); err != nil {
		return r.sendFailed()
	}
	return OK
}

func (r *Request) sendFailed() Verdict {
	r.Conn.Failed = true
	return Error
}

// Output passes pieces of the body through the filters and to the client; the
// memory may be reused when it returns.
func (r *Request) Output(bufs []Buf) Verdict {
	if r.Conn.Failed && !r.Background {
		return Error
	}
	if len(bufs) > 0 && bufs[0].Len() > 0 {
		r.HadOutput = true
	}
	if err := (Next{r, 0}).Write(bufs); err != nil {
		return r.sendFailed()
	}
	return OK
}

// OutputBytes is Output for one piece; last ends the body.
func (r *Request) OutputBytes(b []byte, last bool) Verdict {
	r.one[0] = Buf{B: b}
	if last {
		r.one[0].Last, r.one[0].LastInChain = r.IsMain(), true
	}
	return r.Output(r.one[:])
}

// OutputString is OutputBytes for a string.
func (r *Request) OutputString(s string, last bool) Verdict { return r.OutputBytes(buf.Bytes(s), last) }

// SendLast ends the body.
func (r *Request) SendLast() Verdict { return r.OutputBytes(nil, true) }

// Flush has everything sent that was held back.
func (r *Request) Flush() Verdict {
	r.one[0] = Buf{Flush: true}
	return r.Output(r.one[:])
}

// OutputFile is Output for a part of a file that ends the body.
func (r *Request) OutputFile(fd int, off, end int64) Verdict {
	r.one[0] = Buf{InFile: end > off, File: fd, Off: off, End: end, Last: r.IsMain(), LastInChain: true}
	return r.Output(r.one[:])
}

// SetETag derives the entity tag from time and size of the file, in nginx's
// form "mtime-size" in hex, if etag is on.
func (r *Request) SetETag() {
	if !r.Core.ETag.V {
		return
	}
	var tmp [40]byte
	b := append(tmp[:0], '"')
	b = strconv.AppendInt(b, r.Out.LastModified, 16)
	b = append(b, '-')
	b = strconv.AppendInt(b, r.Out.ContentLength, 16)
	b = append(b, '"')
	r.Out.Add("ETag", r.Pool.String(b))
}
