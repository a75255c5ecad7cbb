package proxy

import (
	"moongate/conf"
	"moongate/http/upstream"
)

// cacheDirectives are the rows of the cache.
func cacheDirectives() []conf.Directive { return append(rows.Cache(), rows.ConvertHead()) }

// defaultHeaders are the fields that have values of their own unless
// proxy_set_header gives others.
var defaultHeaders = []upstream.Default{
	{Name: "Host"},
	{Name: "Connection"},
	{Name: "Proxy-Connection"},
	{Name: "Content-Length", Value: "$proxy_internal_body_length"},
	{Name: "Transfer-Encoding", Value: "$proxy_internal_chunked"},
	{Name: "TE"},
	{Name: "Keep-Alive"},
	{Name: "Expect"},
	{Name: "Upgrade"},
}

// cacheHeaders take the place of defaultHeaders where the response may be
// kept: it is to be the whole one, whatever the client knows of it already.
var cacheHeaders = append(defaultHeaders[:len(defaultHeaders):len(defaultHeaders)], []upstream.Default{
	{Name: "If-Modified-Since", Value: "$upstream_cache_last_modified"},
	{Name: "If-Unmodified-Since"},
	{Name: "If-None-Match", Value: "$upstream_cache_etag"},
	{Name: "If-Match"},
	{Name: "Range"},
	{Name: "If-Range"},
}...)

// AppendKey implements upstream.Keyer: nginx's ngx_http_proxy_create_key.
func (x *exchange) AppendKey(e *upstream.Exchange, key []byte) []byte {
	key = append(key, x.vars.key...)
	start := len(key)
	key = x.appendURI(key)
	e.URI = e.R.Pool.String(key[start:])
	return key
}
