package http

import (
	"testing"
)

// TestGzipOK decides for requests and responses of all kinds.
func TestGzipOK(t *testing.T) {
	m := mustLoad(t, `server { listen 80;
		location /any { gzip_proxied any; }
		location /some { gzip_proxied expired no-store no_last_modified no_etag auth; }
		location /cc { gzip_proxied no-cache private; }
		location /old { gzip_http_version 1.0; }
		location /msie { gzip_disable msie6 "bad.*agent"; } }`)
	const past, future = "Thu, 01 Jan 1970 00:00:01 GMT", "Thu, 01 Jan 2099 00:00:01 GMT"
	for _, test := range []struct {
		uri  string
		set  func(r *Request)
		want bool
	}{
		{"/", func(*Request) {}, true},
		{"/", func(r *Request) { r.In.Set("Accept-Encoding", "accept-encoding", "br") }, false},
		{"/", func(r *Request) { r.In.Set("Accept-Encoding", "accept-encoding", "gzip;q=0") }, false},
		{"/", func(r *Request) { r.In.Delete("Accept-Encoding") }, false},
		{"/", func(r *Request) { r.Version = Version10 }, false},
		{"/old", func(r *Request) { r.Version = Version10 }, true},
		{"/", via, false},
		{"/any", via, true},
		{"/some", func(r *Request) { via(r); r.Out.Set("Expires", past) }, true},
		{"/some", func(r *Request) { via(r); r.Out.Set("Expires", future) }, false},
		{"/some", func(r *Request) { via(r); r.Out.Set("Expires", future); r.Out.Set("Date", future) }, false},
		{"/some", func(r *Request) { via(r); r.Out.Set("Expires", "x") }, false},
		{"/cc", func(r *Request) { via(r); r.Out.Set("Expires", past) }, false},
		{"/some", func(r *Request) { via(r); r.Out.Set("Cache-Control", "public, no-store") }, true},
		{"/some", func(r *Request) { via(r); r.Out.Set("Cache-Control", "no-cache") }, false},
		{"/cc", func(r *Request) { via(r); r.Out.Set("Cache-Control", "private") }, true},
		{"/some", func(r *Request) { via(r); r.Out.LastModified = 5 }, true},
		{"/some", func(r *Request) { via(r); r.Out.Set("Last-Modified", past) }, false},
		{"/some", func(r *Request) { via(r); r.Out.Set("ETag", `"x"`) }, false},
		{"/some", via, true},
		{"/some", func(r *Request) {
			via(r)
			r.Out.LastModified = 5
			r.In.Set("Authorization", "authorization", "Basic eDp5")
		}, true},
		{"/msie", func(r *Request) { r.In.MSIE6 = true }, false},
		{"/", func(r *Request) { r.In.MSIE6 = true }, true},
		{"/msie", func(r *Request) { r.In.Set("User-Agent", "user-agent", "a BAD user agent") }, false},
		{"/msie", func(r *Request) { r.In.Set("User-Agent", "user-agent", "good") }, true},
	} {
		r := testRequest(t, m)
		r.In.Set("Accept-Encoding", "accept-encoding", "deflate, gzip")
		route(r, test.uri)
		test.set(r)
		if got := r.GzipOK(); got != test.want || !r.GzipTested || r.GzipAllowed != got {
			t.Errorf("%s: %v with %+v and %+v", test.uri, got, r.In.List, r.Out.List)
		}
	}
}

func via(r *Request) { r.In.Set("Via", "via", "1.1 proxy") }
