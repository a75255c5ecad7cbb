// Package notmodified answers conditional requests: nginx's
// ngx_http_not_modified_filter_module, RFC 9110 section 13.
package notmodified

import (
	"moongate/conf"
	"moongate/core/buf"
	"moongate/http"
	"moongate/http/wire"
)

// Module is the filter of conditional requests. It has no directives of its
// own.
var Module = &http.Module{Module: conf.Module{Name: "http_not_modified_filter"}, Header: headerFilter}

func headerFilter(r *http.Request) http.Verdict {
	if r.Out.Status != int(http.StatusOK) || !r.IsMain() || r.DisableNotMod {
		return http.OK
	}
	if v, ok := r.In.Get(wire.HeaderIfUnmodifiedSince); ok && !unmodified(r, v) {
		return r.FilterFinalizeWith(http.StatusPreconditionFailed)
	}
	if v, ok := r.In.Get(wire.HeaderIfMatch); ok && !matches(r, v, false) {
		return r.FilterFinalizeWith(http.StatusPreconditionFailed)
	}
	since, hasSince := r.In.Get(wire.HeaderIfModifiedSince)
	tags, hasTags := r.In.Get(wire.HeaderIfNoneMatch)
	switch {
	case !hasSince && !hasTags, hasSince && modified(r, since), hasTags && !matches(r, tags, true):
		return http.OK
	}
	r.Out.Status, r.Out.StatusLine = int(http.StatusNotModified), ""
	r.Out.ContentType = ""
	r.Out.ClearContentLength()
	r.Out.Delete("Content-Length")
	r.ClearAcceptRanges()
	r.Out.Delete("Content-Encoding")
	return http.OK
}

// unmodified tests If-Unmodified-Since. A date that cannot be read is before
// all others.
func unmodified(r *http.Request, value string) bool {
	if r.Out.LastModified == -1 {
		return false
	}
	since, ok := wire.ParseDate(buf.Bytes(value))
	return ok && since >= r.Out.LastModified
}

// modified tests If-Modified-Since as if_modified_since says.
func modified(r *http.Request, value string) bool {
	mode := r.Core.IfModifiedSince.V
	if r.Out.LastModified == -1 || mode == http.IMSOff {
		return true
	}
	since, ok := wire.ParseDate(buf.Bytes(value))
	if ok && since == r.Out.LastModified {
		return false
	}
	return !ok || mode == http.IMSExact || since < r.Out.LastModified
}

// matches tests a list of entity tags against that of the response.
func matches(r *http.Request, list string, weak bool) bool {
	var tag []byte
	if v, ok := r.Out.Get("ETag"); ok {
		tag = buf.Bytes(v)
	}
	return wire.MatchETag(buf.Bytes(list), tag, weak)
}
