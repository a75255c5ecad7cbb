// Package wire holds the pure parsers and writers of HTTP/1.1's text (RFC 9110,
// RFC 9112) and of the PROXY protocol, byte for byte with the choices of
// nginx 1.31 (ngx_http_parse.c, ngx_string.c, ngx_parse_time.c,
// ngx_proxy_protocol.c and the small parsers of its filters): where nginx
// accepts what a standard forbids, or the reverse, so does this package.
//
// Nothing here reads, waits, logs or allocates. Parsers that may see a part of
// their input only ([RequestLine], [HeaderLine], [StatusLine], [Chunked]) keep
// their place as an offset: call them again with a longer slice of the same
// bytes, at the same address or not. Results are offsets or slices into the
// caller's bytes. Functions named Append… append to their first argument.
package wire
