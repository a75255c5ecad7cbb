package wire

// HeaderID names a header field that the server itself looks at, in requests
// or in responses of upstreams. The zero HeaderID is any other.
type HeaderID uint8

// The headers of ngx_http_headers_in, ngx_http_upstream_headers_in and those
// the server writes, in alphabetical order.
const (
	HeaderAccept HeaderID = iota + 1
	HeaderAcceptEncoding
	HeaderAcceptLanguage
	HeaderAcceptRanges
	HeaderAge
	HeaderAllow
	HeaderAltSvc
	HeaderAuthorization
	HeaderCacheControl
	HeaderConnection
	HeaderContentDisposition
	HeaderContentEncoding
	HeaderContentLanguage
	HeaderContentLength
	HeaderContentRange
	HeaderContentType
	HeaderCookie
	HeaderDate
	HeaderDepth
	HeaderDestination
	HeaderETag
	HeaderExpect
	HeaderExpires
	HeaderForwarded
	HeaderHost
	HeaderHTTP2Settings
	HeaderIfMatch
	HeaderIfModifiedSince
	HeaderIfNoneMatch
	HeaderIfRange
	HeaderIfUnmodifiedSince
	HeaderKeepAlive
	HeaderLastModified
	HeaderLink
	HeaderLocation
	HeaderOrigin
	HeaderOverwrite
	HeaderPragma
	HeaderProxyAuthorization
	HeaderProxyConnection
	HeaderRange
	HeaderReferer
	HeaderRefresh
	HeaderServer
	HeaderSetCookie
	HeaderStatus
	HeaderTE
	HeaderTrailer
	HeaderTransferEncoding
	HeaderUpgrade
	HeaderUserAgent
	HeaderVary
	HeaderVia
	HeaderWWWAuthenticate
	HeaderXAccelBuffering
	HeaderXAccelCharset
	HeaderXAccelExpires
	HeaderXAccelLimitRate
	HeaderXAccelRedirect
	HeaderXForwardedFor
	HeaderXRealIP

	// NumHeaders is one more than the last header.
	NumHeaders
)

var headerNames = [NumHeaders]string{
	HeaderAccept:             "Accept",
	HeaderAcceptEncoding:     "Accept-Encoding",
	HeaderAcceptLanguage:     "Accept-Language",
	HeaderAcceptRanges:       "Accept-Ranges",
	HeaderAge:                "Age",
	HeaderAllow:              "Allow",
	HeaderAltSvc:             "Alt-Svc",
	HeaderAuthorization:      "Authorization",
	HeaderCacheControl:       "Cache-Control",
	HeaderConnection:         "Connection",
	HeaderContentDisposition: "Content-Disposition",
	HeaderContentEncoding:    "Content-Encoding",
	HeaderContentLanguage:    "Content-Language",
	HeaderContentLength:      "Content-Length",
	HeaderContentRange:       "Content-Range",
	HeaderContentType:        "Content-Type",
	HeaderCookie:             "Cookie",
	HeaderDate:               "Date",
	HeaderDepth:              "Depth",
	HeaderDestination:        "Destination",
	HeaderETag:               "ETag",
	HeaderExpect:             "Expect",
	HeaderExpires:            "Expires",
	HeaderForwarded:          "Forwarded",
	HeaderHost:               "Host",
	HeaderHTTP2Settings:      "HTTP2-Settings",
	HeaderIfMatch:            "If-Match",
	HeaderIfModifiedSince:    "If-Modified-Since",
	HeaderIfNoneMatch:        "If-None-Match",
	HeaderIfRange:            "If-Range",
	HeaderIfUnmodifiedSince:  "If-Unmodified-Since",
	HeaderKeepAlive:          "Keep-Alive",
	HeaderLastModified:       "Last-Modified",
	HeaderLink:               "Link",
	HeaderLocation:           "Location",
	HeaderOrigin:             "Origin",
	HeaderOverwrite:          "Overwrite",
	HeaderPragma:             "Pragma",
	HeaderProxyAuthorization: "Proxy-Authorization",
	HeaderProxyConnection:    "Proxy-Connection",
	HeaderRange:              "Range",
	HeaderReferer:            "Referer",
	HeaderRefresh:            "Refresh",
	HeaderServer:             "Server",
	HeaderSetCookie:          "Set-Cookie",
	HeaderStatus:             "Status",
	HeaderTE:                 "TE",
	HeaderTrailer:            "Trailer",
	HeaderTransferEncoding:   "Transfer-Encoding",
	HeaderUpgrade:            "Upgrade",
	HeaderUserAgent:          "User-Agent",
	HeaderVary:               "Vary",
	HeaderVia:                "Via",
	HeaderWWWAuthenticate:    "WWW-Authenticate",
	HeaderXAccelBuffering:    "X-Accel-Buffering",
	HeaderXAccelCharset:      "X-Accel-Charset",
	HeaderXAccelExpires:      "X-Accel-Expires",
	HeaderXAccelLimitRate:    "X-Accel-Limit-Rate",
	HeaderXAccelRedirect:     "X-Accel-Redirect",
	HeaderXForwardedFor:      "X-Forwarded-For",
	HeaderXRealIP:            "X-Real-IP",
}

// headerSlots is a perfect hash table of the names: each has a slot of its
// own, so a look-up compares with one name at most.
var headerSlots = func() (slots [headerSlotCount]HeaderID) {
	for id, name := range headerNames {
		if name != "" {
			slots[headerSlot(name)] = HeaderID(id)
		}
	}
	return slots
}()

// The multipliers were found by search; a test holds them to giving no
// collision.
const (
	headerSlotCount = 256
	mulLength       = 2
	mulFirst        = 201
	mulMiddle       = 2
)

// headerSlot hashes a name of at least two letters by its length, its first,
// middle and last letter.
func headerSlot[T text](name T) uint8 {
	n := len(name)
	return uint8(n)*mulLength + (name[0]|0x20)*mulFirst + (name[n/2]|0x20)*mulMiddle + (name[n-1] | 0x20)
}

// LookupHeader returns the header of that name in any case, 0 for a name that
// is not in the list.
func LookupHeader[T text](name T) HeaderID {
	if len(name) < 2 {
		return 0
	}
	id := headerSlots[headerSlot(name)]
	if !equalFold(name, headerNames[id]) {
		return 0
	}
	return id
}

// String is the name in its usual spelling, empty for the unknown header.
func (id HeaderID) String() string { return headerNames[id] }
