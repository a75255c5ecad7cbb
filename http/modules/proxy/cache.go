package proxy

import (
	"moongate/conf"
	"moongate/http/upstream"
)

// cacheDirectives are the rows of the cache.
func cacheDirectives() []conf.Directive { return append(rows.Cache(), rows.ConvertHead()) }

// cacheHeaders take the place of defaultHeaders where the response may be
// kept: it is to be the whole one, whatever the client knows of it already.
var cacheHeaders = append(defaultHeaders[:len(defaultHeaders):len(defaultHeaders)], []defaultHeader{
	{"If-Modified-Since", "$upstream_cache_last_modified"},
	{"If-Unmodified-Since", ""},
	{"If-None-Match", "$upstream_cache_etag"},
	{"If-Match", ""},
	{"Range", ""},
	{"If-Range", ""},
}...)

// AppendKey implements upstream.Keyer: nginx's ngx_http_proxy_create_key.
func (x *exchange) AppendKey(e *upstream.Exchange, key []byte) []byte {
	key = append(key, x.vars.key...)
	start := len(key)
	key = x.appendURI(key)
	e.URI = e.R.Pool.String(key[start:])
	return key
}
