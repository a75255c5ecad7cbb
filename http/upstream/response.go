package upstream

import (
	"strings"

	"moongate/conf"
	"moongate/core/buf"
	"moongate/core/log"
	"moongate/http"
	"moongate/http/wire"
)

// Response is the header of a peer's response: nginx's
// ngx_http_upstream_headers_in_t.
type Response struct {
	Status     int
	StatusLine string
	List       []http.Header
	Trailers   []http.Header
	// ContentLength is -1 when the response does not say.
	ContentLength int64
	// LastModified in Unix seconds, -1 for none.
	LastModified int64
	// Close: the peer is going to close the connection.
	Close bool
	// Chunked: the body comes in chunks.
	Chunked bool

	// noCache and expired: fields say that the response is not to be kept.
	noCache, expired bool

	first [wire.NumHeaders]uint16 // 1 + index in List of the first of its name
	field http.Header             // that is being taken in
}

func (h *Response) reset() {
	clear(h.List)
	clear(h.Trailers)
	list, trailers := h.List[:0], h.Trailers[:0]
	*h = Response{} // in place: a value made of the old one would be put together elsewhere and copied
	h.List, h.Trailers, h.ContentLength, h.LastModified = list, trailers, -1, -1
}

// Get returns the first field with an id, nil if there is none.
func (h *Response) Get(id http.HeaderID) *http.Header {
	if i := h.first[id]; i != 0 {
		return &h.List[i-1]
	}
	return nil
}

// Field takes in a field of the response's header, which it copies. An invalid
// one, which was logged, makes the whole response invalid.
func (e *Exchange) Field(name, value []byte) Header {
	p := e.R.Pool
	return e.takeField(http.Header{Name: p.String(name), Value: p.String(value), ID: wire.LookupHeader(name)})
}

// AddField is Field for strings, which it keeps.
func (e *Exchange) AddField(name, value string) Header {
	return e.takeField(http.Header{Name: name, Value: value, ID: wire.LookupHeader(buf.Bytes(name))})
}

func (e *Exchange) takeField(field http.Header) Header {
	f := &e.In.field // not on the stack: the takers are called through a table
	*f = field
	if f.ID != 0 && e.In.Status != int(http.StatusEarlyHints) {
		if take := takers[f.ID]; take != nil {
			if h := take(e, f); h != HeaderDone {
				return h
			}
		}
		if e.In.first[f.ID] == 0 {
			e.In.first[f.ID] = uint16(len(e.In.List) + 1)
		}
	}
	e.In.List = append(e.In.List, *f)
	return HeaderDone
}

// Trailer takes in a field that came behind the body.
func (e *Exchange) Trailer(name, value []byte) {
	p := e.R.Pool
	e.AddTrailer(p.String(name), p.String(value))
}

// AddTrailer is Trailer for strings, which it keeps.
func (e *Exchange) AddTrailer(name, value string) {
	e.In.Trailers = append(e.In.Trailers, http.Header{Name: name, Value: value, ID: wire.LookupHeader(buf.Bytes(name))})
}

// takers draw the consequences of fields when they are read
// (ngx_http_upstream_headers_in, "handler").
var takers = [wire.NumHeaders]func(e *Exchange, f *http.Header) Header{
	wire.HeaderStatus:           takeOnce,
	wire.HeaderContentType:      takeOnce,
	wire.HeaderContentLength:    takeContentLength,
	wire.HeaderDate:             takeOnce,
	wire.HeaderLastModified:     takeLastModified,
	wire.HeaderETag:             takeOnce,
	wire.HeaderServer:           takeOnce,
	wire.HeaderLocation:         takeOnce,
	wire.HeaderRefresh:          takeOnce,
	wire.HeaderExpires:          takeExpires,
	wire.HeaderCacheControl:     takeCacheControl,
	wire.HeaderSetCookie:        takeSetCookie,
	wire.HeaderVary:             takeVary,
	wire.HeaderXAccelExpires:    takeAccelExpires,
	wire.HeaderXAccelRedirect:   takeOnce,
	wire.HeaderXAccelLimitRate:  takeLimitRate,
	wire.HeaderXAccelBuffering:  takeBuffering,
	wire.HeaderXAccelCharset:    takeCharset,
	wire.HeaderConnection:       takeConnection,
	wire.HeaderTransferEncoding: takeTransferEncoding,
}

// takeOnce ignores all but the first field of its name.
func takeOnce(e *Exchange, f *http.Header) Header {
	if old := e.In.Get(f.ID); old != nil {
		e.R.Logf(log.Warn, nil, `upstream sent duplicate header line: "%s: %s", previous value: "%s: %s", ignored`,
			f.Name, f.Value, old.Name, old.Value)
		f.Off = true
	}
	return HeaderDone
}

// duplicate complains about a field that may not be repeated.
func duplicate(e *Exchange, f, old *http.Header) Header {
	e.R.Error(`upstream sent duplicate header line: "%s: %s", previous value: "%s: %s"`, f.Name, f.Value, old.Name, old.Value)
	return HeaderInvalid
}

const bothLengths = `upstream sent "Content-Length" and "Transfer-Encoding" headers at the same time`

func takeContentLength(e *Exchange, f *http.Header) Header {
	if old := e.In.Get(f.ID); old != nil {
		return duplicate(e, f, old)
	}
	if e.In.Get(wire.HeaderTransferEncoding) != nil {
		e.R.Error(bothLengths)
		return HeaderInvalid
	}
	n, ok := wire.ParseLength(f.Value)
	if !ok {
		e.R.Error(`upstream sent invalid "Content-Length" header: "%s: %s"`, f.Name, f.Value)
		return HeaderInvalid
	}
	e.In.ContentLength = n
	return HeaderDone
}

func takeTransferEncoding(e *Exchange, f *http.Header) Header {
	if old := e.In.Get(f.ID); old != nil {
		return duplicate(e, f, old)
	}
	if e.In.Get(wire.HeaderContentLength) != nil {
		e.R.Error(bothLengths)
		return HeaderInvalid
	}
	if !strings.EqualFold(f.Value, "chunked") {
		e.R.Error(`upstream sent unknown "Transfer-Encoding": "%s"`, f.Value)
		return HeaderInvalid
	}
	e.In.Chunked = true
	return HeaderDone
}

func takeLastModified(e *Exchange, f *http.Header) Header {
	if takeOnce(e, f); !f.Off {
		if t, ok := wire.ParseDate(buf.Bytes(f.Value)); ok {
			e.In.LastModified = t
		}
	}
	return HeaderDone
}

func takeConnection(e *Exchange, f *http.Header) Header {
	if wire.HasToken(buf.Bytes(f.Value), "close") {
		e.In.Close = true
	}
	return HeaderDone
}

func takeLimitRate(e *Exchange, f *http.Header) Header {
	if takeOnce(e, f); f.Off || e.ignores(ignoreAccelLimitRate) {
		return HeaderDone
	}
	if n, ok := conf.ParseInt(f.Value); ok {
		e.R.LimitRate, e.R.LimitRateSet = n, true
	}
	return HeaderDone
}

func takeBuffering(e *Exchange, f *http.Header) Header {
	if e.ignores(ignoreAccelBuffering) || !e.Traits.ChangeBuffering {
		return HeaderDone
	}
	switch {
	case strings.EqualFold(f.Value, "no"):
		e.Buffering = false
	case strings.EqualFold(f.Value, "yes"):
		e.Buffering = true
	}
	return HeaderDone
}

func takeCharset(e *Exchange, f *http.Header) Header {
	if !e.ignores(ignoreAccelCharset) {
		e.R.Out.OverrideCharset = f.Value
	}
	return HeaderDone
}

// ignores tells whether PREFIX_ignore_headers names a field.
func (e *Exchange) ignores(bit int) bool { return e.Conf.IgnoreHeaders.V&bit != 0 }
