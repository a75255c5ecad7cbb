// Package gzipstatic answers with files that were compressed beforehand:
// nginx's ngx_http_gzip_static_module.
package gzipstatic

import (
	"moongate/conf"
	"moongate/http"
	"moongate/http/compress"
)

var static = &compress.Static{Coding: "gzip", Suffix: ".gz", Accepts: (*http.Request).GzipOK}

// Module is the gzip_static module.
var Module = static.Module(http.Module{Module: conf.Module{
	Name:      "http_gzip_static",
	Arguments: []string{"--with-http_gzip_static_module"},
}}, "gzip_static")
