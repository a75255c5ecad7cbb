package http

import (
	"slices"

	"moongate/core/buf"
	"moongate/core/build"
	"moongate/http/wire"
)

// titles are the names of the statuses that have a page of their own; a second
// line explains the 49x family.
var titles = map[int]struct{ title, heading, text string }{
	301: {"301 Moved Permanently", "", ""},
	302: {"302 Found", "", ""},
	303: {"303 See Other", "", ""},
	307: {"307 Temporary Redirect", "", ""},
	308: {"308 Permanent Redirect", "", ""},
	400: {"400 Bad Request", "", ""},
	401: {"401 Authorization Required", "", ""},
	402: {"402 Payment Required", "", ""},
	403: {"403 Forbidden", "", ""},
	404: {"404 Not Found", "", ""},
	405: {"405 Not Allowed", "", ""},
	406: {"406 Not Acceptable", "", ""},
	407: {"407 Proxy Authentication Required", "", ""},
	408: {"408 Request Time-out", "", ""},
	409: {"409 Conflict", "", ""},
	410: {"410 Gone", "", ""},
	411: {"411 Length Required", "", ""},
	412: {"412 Precondition Failed", "", ""},
	413: {"413 Request Entity Too Large", "", ""},
	414: {"414 Request-URI Too Large", "", ""},
	415: {"415 Unsupported Media Type", "", ""},
	416: {"416 Requested Range Not Satisfiable", "", ""},
	421: {"421 Misdirected Request", "", ""},
	429: {"429 Too Many Requests", "", ""},
	494: {"400 Request Header Or Cookie Too Large", "400 Bad Request", "Request Header Or Cookie Too Large"},
	495: {"400 The SSL certificate error", "400 Bad Request", "The SSL certificate error"},
	496: {"400 No required SSL certificate was sent", "400 Bad Request", "No required SSL certificate was sent"},
	497: {"400 The plain HTTP request was sent to HTTPS port", "400 Bad Request", "The plain HTTP request was sent to HTTPS port"},
	500: {"500 Internal Server Error", "", ""},
	501: {"501 Not Implemented", "", ""},
	502: {"502 Bad Gateway", "", ""},
	503: {"503 Service Temporarily Unavailable", "", ""},
	504: {"504 Gateway Time-out", "", ""},
	505: {"505 HTTP Version Not Supported", "", ""},
	507: {"507 Insufficient Storage", "", ""},
}

// Pages are ready-made bytes: the head by status, the tail by server_tokens.
var (
	pages = makePages()
	tails = [...][]byte{
		ServerTokensOff:   []byte("<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"),
		ServerTokensOn:    []byte("<hr><center>" + build.Server + "</center>\r\n</body>\r\n</html>\r\n"),
		ServerTokensBuild: []byte("<hr><center>" + build.ServerBuild + "</center>\r\n</body>\r\n</html>\r\n"),
	}
	// msiePadding makes a page long enough for Internet Explorer and Chrome to
	// show it instead of a message of their own.
	msiePadding = makePadding()
)

func makePadding() []byte {
	const line = "<!-- a padding to disable MSIE and Chrome friendly error page -->\r\n"
	var b []byte
	for range 6 {
		b = append(b, line...)
	}
	return b
}

func makePages() map[int][]byte {
	m := make(map[int][]byte, len(titles))
	for code, t := range titles {
		heading := t.heading
		if heading == "" {
			heading = t.title
		}
		p := "<html>\r\n<head><title>" + t.title + "</title></head>\r\n<body>\r\n<center><h1>" + heading + "</h1></center>\r\n"
		if t.text != "" {
			p += "<center>" + t.text + "</center>\r\n"
		}
		m[code] = []byte(p)
	}
	return m
}

// specialResponse answers with an error page, a redirect or nothing but a
// status: nginx's ngx_http_special_response_handler.
func (r *Request) specialResponse(v Verdict) Verdict {
	r.ErrStatus = int(v)
	if r.Debug() {
		r.Debugf(`http special response: %d, "%s?%s"`, int(v), r.URI, r.Args)
	}
	switch v {
	case StatusBadRequest, StatusHTTPToHTTPS, StatusHTTPSCertError, StatusHTTPSNoCert:
		r.KeepAlive, r.LingeringClose = false, false
	case StatusEntityTooLarge, StatusURITooLarge, StatusInternalServerError, StatusNotImplemented:
		r.KeepAlive = false
	}
	r.Out.ContentType = ""
	if lc := r.Core; !r.ErrorPage && len(lc.ErrorPages) > 0 && r.URIChanges > 0 {
		r.ErrorPage = !lc.RecursiveErrorPages.V
		for i := range lc.ErrorPages {
			if lc.ErrorPages[i].Status == int(v) {
				return r.sendErrorPage(&lc.ErrorPages[i])
			}
		}
	}
	r.ExpectTested = true
	r.discardForReply()
	if r.Core.MSIERefresh.V && r.In.MSIE && (v == StatusMovedPermanently || v == StatusMovedTemporarily) {
		return r.sendRefresh()
	}
	switch v {
	case StatusHTTPToHTTPS, StatusHTTPSCertError, StatusHTTPSNoCert, StatusRequestHeaderTooBig:
		r.ErrStatus = int(StatusBadRequest)
	}
	return r.sendSpecialPage(int(v))
}

// discardForReply drops the rest of the body, as the reply does not depend on
// it; where that fails the connection cannot be used again.
func (r *Request) discardForReply() {
	if r.DiscardBody() != OK {
		r.KeepAlive = false
	}
}

// sendErrorPage follows an error_page rule.
func (r *Request) sendErrorPage(p *ErrorPage) Verdict {
	if p.Overwrite != 0 && p.Overwrite != int(StatusOK) {
		r.ExpectTested = true
	}
	if p.Overwrite >= 0 {
		r.ErrStatus = p.Overwrite
	}
	uri := p.Value.Eval(r)
	switch {
	case uri != "" && uri[0] == '/':
		args := p.Args
		if !p.Value.Static() {
			uri, args = SplitArgs(uri)
		}
		if r.Method != wire.HEAD {
			r.Method, r.MethodName = wire.GET, "GET"
		}
		return r.InternalRedirect(uri, args)
	case uri != "" && uri[0] == '@':
		return r.NamedLocation(uri)
	}
	r.ExpectTested = true
	r.discardForReply()
	switch Verdict(p.Overwrite) {
	case StatusMovedPermanently, StatusMovedTemporarily, StatusSeeOther, StatusTemporaryRedirect, StatusPermanentRedirect:
	default:
		r.ErrStatus = int(StatusMovedTemporarily)
	}
	r.Out.Set("Location", uri)
	if r.Core.MSIERefresh.V && r.In.MSIE {
		return r.sendRefresh()
	}
	return r.sendSpecialPage(r.ErrStatus)
}

// sendSpecialPage sends the built-in page of a code, or an empty body.
func (r *Request) sendSpecialPage(code int) Verdict {
	lc := r.Core
	head := pages[code]
	tail := tails[lc.ServerTokens.V]
	padding := lc.MSIEPadding.V && (r.In.MSIE || r.In.Chrome) && r.Version >= Version10 && code >= 400
	r.Out.ContentLength = 0
	if head != nil {
		r.Out.ContentLength = int64(len(head) + len(tail))
		if padding {
			r.Out.ContentLength += int64(len(msiePadding))
		}
		r.Out.ContentType = "text/html"
	}
	r.clearForPage()
	if v := r.SendHeader(); v == Error || r.HeaderOnly {
		return v
	}
	if head == nil {
		return r.SendLast()
	}
	bufs, n := &r.three, 2
	*bufs = [3]Buf{{B: head}, {B: tail}, {B: msiePadding}}
	if padding {
		n = 3
	}
	bufs[n-1].Last, bufs[n-1].LastInChain = r.IsMain(), true
	return r.Output(bufs[:n])
}

func (r *Request) clearForPage() {
	r.Out.Delete("Content-Length")
	r.ClearAcceptRanges()
	r.Out.ClearLastModified()
	r.ClearETag()
}

// sendRefresh redirects Internet Explorer by a page instead of a status.
func (r *Request) sendRefresh() Verdict {
	loc, _ := r.Out.Get("Location")
	page := r.Pool.Concat(`<html><head><meta http-equiv="Refresh" content="0; URL=`, buf.String(wire.AppendEscaped(nil, loc, wire.EscapeRefresh)),
		"\"></head><body></body></html>\r\n")
	r.ErrStatus = int(StatusOK)
	r.Out.ContentType = "text/html"
	r.Out.Delete("Location")
	r.Out.ContentLength = int64(len(page))
	r.clearForPage()
	if v := r.SendHeader(); v == Error || r.HeaderOnly {
		return v
	}
	return r.OutputString(page, true)
}

// FilterFinalizeWith replaces the response by an error page from within a
// header filter, which returns its verdict. Of the modules' contexts those of
// the filter's own module stay.
func (r *Request) FilterFinalizeWith(v Verdict) Verdict {
	r.Out.reset()
	r.forgetOthers(r.filter)
	r.FilterFinalize = true
	switch v := r.specialResponse(v); v {
	case OK, Done:
		return Error
	default:
		return v
	}
}

// forgetOthers drops the contexts of all modules but one, if not nil, and the
// lasting ones.
func (r *Request) forgetOthers(m *Module) {
	for i := r.mainConf().Options.lasting; i < len(r.ctx); i++ {
		if m == nil || !slices.ContainsFunc(m.Ctx, func(c AnyCtx) bool { return c.at() == i }) {
			r.ctx[i] = nil
		}
	}
}

// Respond sends a complete response with a text: nginx's
// ngx_http_send_response. For redirects text is the target.
func (r *Request) Respond(status Verdict, contentType, text string) Verdict {
	if v := r.DiscardBody(); v != OK {
		return v
	}
	r.Out.Status = int(status)
	switch status {
	case StatusMovedPermanently, StatusMovedTemporarily, StatusSeeOther, StatusTemporaryRedirect, StatusPermanentRedirect:
		r.Out.Delete("Location")
		r.Out.Add("Location", text)
		return status
	}
	r.Out.ContentLength = int64(len(text))
	if contentType != "" {
		r.Out.ContentType = contentType
	} else {
		r.SetContentType()
	}
	if v := r.SendHeader(); v == Error || v > OK || r.HeaderOnly {
		return v
	}
	return r.OutputString(text, true)
}

// StatusText returns "404 Not Found" and the like, "" for unknown codes.
func StatusText(code int) string {
	if uint(code) < uint(len(statusLines)) {
		return statusLines[code]
	}
	return ""
}

// statusLines are the reasons that nginx sends.
var statusLines = [...]string{
	100: "100 Continue", 101: "101 Switching Protocols", 103: "103 Early Hints",
	200: "200 OK", 201: "201 Created", 202: "202 Accepted", 204: "204 No Content", 206: "206 Partial Content",
	301: "301 Moved Permanently", 302: "302 Moved Temporarily", 303: "303 See Other", 304: "304 Not Modified",
	307: "307 Temporary Redirect", 308: "308 Permanent Redirect",
	400: "400 Bad Request", 401: "401 Unauthorized", 402: "402 Payment Required", 403: "403 Forbidden", 404: "404 Not Found",
	405: "405 Not Allowed", 406: "406 Not Acceptable", 407: "407 Proxy Authentication Required", 408: "408 Request Time-out",
	409: "409 Conflict", 410: "410 Gone", 411: "411 Length Required", 412: "412 Precondition Failed",
	413: "413 Request Entity Too Large", 414: "414 Request-URI Too Large", 415: "415 Unsupported Media Type",
	416: "416 Requested Range Not Satisfiable", 421: "421 Misdirected Request", 429: "429 Too Many Requests",
	500: "500 Internal Server Error", 501: "501 Not Implemented", 502: "502 Bad Gateway",
	503: "503 Service Temporarily Unavailable", 504: "504 Gateway Time-out", 505: "505 HTTP Version Not Supported",
	507: "507 Insufficient Storage",
}

// AppendStatus appends the status line's code and reason; codes without a
// known reason get none.
func AppendStatus(b []byte, code int) []byte {
	if t := StatusText(code); t != "" {
		return append(b, t...)
	}
	return append(b, byte('0'+code/100%10), byte('0'+code/10%10), byte('0'+code%10), ' ')
}
