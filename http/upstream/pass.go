package upstream

import (
	"strings"

	"moongate/core/buf"
	"moongate/http"
	"moongate/http/wire"
)

// passHeader turns the peer's header into the client's: nginx's
// ngx_http_upstream_process_headers. done means that there is nothing more to
// do, as the request goes on elsewhere.
func (e *Exchange) passHeader() (v http.Verdict, done bool) {
	r, h := e.R, &e.In
	if h.noCache || h.expired {
		e.Cacheable = false
	}
	if f := h.Get(wire.HeaderXAccelRedirect); f != nil && !e.ignores(ignoreAccelRedirect) {
		return e.accelRedirect(f.Value), true
	}
	for i := range h.List {
		f := &h.List[i]
		if f.Off || e.Conf.hide.Has(f) {
			continue
		}
		if pass := passers[f.ID]; pass != nil {
			pass(e, f)
		} else {
			r.Out.List = append(r.Out.List, *f)
		}
	}
	for i := range e.Traits.Absent {
		if f := &e.Traits.Absent[i]; h.Get(f.ID) == nil && !e.Conf.hide.Has(f) {
			r.Out.Suppress(f.Name)
		}
	}
	r.Out.Status, r.Out.StatusLine = h.Status, h.StatusLine
	r.Out.ContentLength = h.ContentLength
	r.DisableNotMod = !e.Cacheable
	if e.Conf.ForceRanges.V {
		r.AllowRanges, r.SingleRange = true, !e.kept
	}
	e.Length = Until
	return http.OK, false
}

// accelRedirect follows X-Accel-Redirect.
func (e *Exchange) accelRedirect(uri string) http.Verdict {
	r := e.R
	e.finish(http.Declined)
	for i := range e.In.List {
		f := &e.In.List[i]
		if f.Off || !redirected[f.ID] {
			continue
		}
		if pass := passers[f.ID]; pass != nil {
			pass(e, f)
		} else {
			r.Out.List = append(r.Out.List, *f)
		}
	}
	if strings.HasPrefix(uri, "@") {
		return r.NamedLocation(uri)
	}
	path, args, ok := wire.ParseUnsafeURI(r.Pool.Alloc(len(uri)), buf.Bytes(uri))
	if !ok {
		r.Error(`unsafe URI "%s" was detected`, uri)
		return http.StatusNotFound
	}
	if r.Method != wire.HEAD {
		r.Method, r.MethodName = wire.GET, "GET"
	}
	return r.InternalRedirect(buf.String(path), buf.String(args))
}

// redirected are the fields that survive X-Accel-Redirect.
var redirected = [wire.NumHeaders]bool{
	wire.HeaderContentType: true, wire.HeaderSetCookie: true, wire.HeaderContentDisposition: true,
	wire.HeaderCacheControl: true, wire.HeaderExpires: true, wire.HeaderAcceptRanges: true,
}

// passers put fields of the peer's response into the client's
// (ngx_http_upstream_headers_in, "copy_handler"); others are copied.
var passers = [wire.NumHeaders]func(e *Exchange, f *http.Header){
	wire.HeaderContentType:      passContentType,
	wire.HeaderContentLength:    dropField,
	wire.HeaderLastModified:     passLastModified,
	wire.HeaderLocation:         passLocation,
	wire.HeaderRefresh:          passRefresh,
	wire.HeaderSetCookie:        passCookie,
	wire.HeaderAcceptRanges:     passAcceptRanges,
	wire.HeaderUpgrade:          passUpgrade,
	wire.HeaderConnection:       dropField,
	wire.HeaderKeepAlive:        dropField,
	wire.HeaderTransferEncoding: dropField,
}

func dropField(*Exchange, *http.Header) {}

func (e *Exchange) add(f http.Header) { e.R.Out.List = append(e.R.Out.List, f) }

func passContentType(e *Exchange, f *http.Header) {
	o := &e.R.Out
	o.ContentType = f.Value
	for i := range len(f.Value) {
		if f.Value[i] != ';' {
			continue
		}
		param := strings.TrimLeft(f.Value[i+1:], " ")
		const charset = "charset="
		if len(param) < len(charset) || !strings.EqualFold(param[:len(charset)], charset) {
			continue
		}
		o.Charset = strings.TrimSuffix(strings.TrimPrefix(param[len(charset):], `"`), `"`)
		return
	}
}

func passLastModified(e *Exchange, f *http.Header) {
	e.add(*f)
	e.R.Out.LastModified = e.In.LastModified
}

// passLocation rewrites a redirect. What the module does not rewrite is sent as
// it is.
func passLocation(e *Exchange, f *http.Header) {
	out := *f
	if w, ok := e.Protocol.(Rewriter); ok {
		s, changed := w.Redirect(e, f.Value, 0)
		out.Value, out.AsIs = s, !changed
	} else {
		out.AsIs = strings.HasPrefix(f.Value, "/")
	}
	e.add(out)
}

func passRefresh(e *Exchange, f *http.Header) {
	out := *f
	if w, ok := e.Protocol.(Rewriter); ok {
		const url = "url="
		for i := 0; i+len(url) <= len(f.Value); i++ {
			if strings.EqualFold(f.Value[i:i+len(url)], url) {
				out.Value, _ = w.Redirect(e, f.Value, i+len(url))
				break
			}
		}
	}
	e.add(out)
}

func passCookie(e *Exchange, f *http.Header) {
	out := *f
	if w, ok := e.Protocol.(Rewriter); ok {
		out.Value, _ = w.Cookie(e, f.Value)
	}
	e.add(out)
}

func passAcceptRanges(e *Exchange, f *http.Header) {
	switch {
	case e.Conf.ForceRanges.V:
	case e.kept:
		e.R.AllowRanges = true
	case e.Cacheable:
		e.R.AllowRanges, e.R.SingleRange = true, true
	default:
		e.add(*f)
	}
}

func passUpgrade(e *Exchange, f *http.Header) {
	if e.R.Version < http.Version20 {
		e.add(*f)
	}
}

// passTrailers adds what came behind the body, if the location wants it.
func (e *Exchange) passTrailers() {
	if !e.Conf.PassTrailers.V {
		return
	}
	for i := range e.In.Trailers {
		if f := &e.In.Trailers[i]; !e.Conf.hide.Has(f) {
			e.R.Out.Trailers = append(e.R.Out.Trailers, *f)
		}
	}
}
