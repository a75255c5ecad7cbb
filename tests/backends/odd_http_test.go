package backends

import (
	"bufio"
	"io"
	"net/http"
	"strings"
)

const (
	ok      = "HTTP/1.1 200 OK\r\n"
	chunked = ok + "Transfer-Encoding: chunked\r\n\r\n"
	// evil is a response that nobody has asked for.
	evil = ok + "Content-Length: 4\r\n\r\nevil"
)

// readHTTP reads a request of HTTP/1.
func readHTTP(in *bufio.Reader) (string, error) {
	r, err := http.ReadRequest(in)
	if err != nil {
		return "", err
	}
	if _, err = io.Copy(io.Discard, r.Body); r.Close {
		err = io.EOF
	}
	return r.URL.Path, err
}

var oddHTTP = speech{
	prefix: "proxy",
	read:   readHTTP,
	fine:   ok + "Content-Length: 4\r\n\r\nfine",
	modes: []mode{
		{"old", `proxy_pass http://%s; proxy_http_version 1.0; proxy_set_header Connection close;`, ""},
		{"old-direct", `proxy_pass http://%s; proxy_http_version 1.0; proxy_set_header Connection close; proxy_buffering off;`, ""},
		{"new", `proxy_pass http://%s; proxy_http_version 1.1; proxy_set_header Connection "";`, "keepalive 1;"},
		{"new-direct", `proxy_pass http://%s; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;`, "keepalive 1;"},
		{"cache", `proxy_pass http://%s; proxy_http_version 1.1; proxy_set_header Connection "";
			proxy_cache a; proxy_cache_valid any 1m; add_header X-Cache $upstream_cache_status;`, "keepalive 1;"},
	},
	odd: []odd{
		// What a body's length is.
		{name: "sound", bytes: ok + "Content-Length: 5\r\n\r\nhello"},
		{name: "sound-chunked", bytes: chunked + "5;x=y\r\nhello\r\n0\r\n\r\n"},
		{name: "sound-until-end", bytes: ok + "\r\nhello", then: closes},
		{name: "length-and-chunked", since: "1.23.0", bytes: ok + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + evil},
		{name: "chunked-and-length", since: "1.23.0", bytes: ok + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + evil},
		{name: "two-lengths", since: "1.23.0", bytes: ok + "Content-Length: 5\r\nContent-Length: 9\r\n\r\nhelloevil"},
		{name: "same-length-twice", since: "1.23.0", bytes: ok + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "chunked-twice", since: "1.23.0", bytes: ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		{name: "negative-length", since: "1.23.0", bytes: ok + "Content-Length: -5\r\n\r\nhello"},
		{name: "signed-length", since: "1.23.0", bytes: ok + "Content-Length: +5\r\n\r\nhello"},
		{name: "empty-length", since: "1.23.0", bytes: ok + "Content-Length:\r\n\r\nhello"},
		{name: "hexadecimal-length", since: "1.23.0", bytes: ok + "Content-Length: 0x5\r\n\r\nhello"},
		{name: "length-and-text", since: "1.23.0", bytes: ok + "Content-Length: 5 bytes\r\n\r\nhello"},
		{name: "list-of-lengths", since: "1.23.0", bytes: ok + "Content-Length: 5, 5\r\n\r\nhello"},
		{name: "huge-length", since: "1.23.0", bytes: ok + "Content-Length: 99999999999999999999\r\n\r\nhello"},
		{name: "largest-length", bytes: ok + "Content-Length: 9223372036854775807\r\n\r\nhello", then: closes},
		{name: "zeros-before-length", bytes: ok + "Content-Length: 0005\r\n\r\nhello"},
		{name: "blanks-around-length", bytes: ok + "Content-Length:    5   \r\n\r\nhello"},
		{name: "tab-before-length", since: "1.23.0", bytes: ok + "Content-Length:\t5\r\n\r\nhello"},
		{name: "other-coding", since: "1.23.0", bytes: ok + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
		{name: "identity-coding", since: "1.23.0", bytes: ok + "Transfer-Encoding: identity\r\n\r\nhello"},
		{name: "empty-coding", since: "1.23.0", bytes: ok + "Transfer-Encoding:\r\n\r\nhello"},
		{name: "chunked-in-capitals", bytes: ok + "TRANSFER-ENCODING: CHUNKED\r\n\r\n5\r\nhello\r\n0\r\n\r\n"},
		{name: "chunked-in-1.0", bytes: "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", then: closes},

		// Names and values.
		{name: "zero-byte", bytes: ok + "X-Name: a\x00b\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "zero-byte-in-name", bytes: ok + "X\x00Name: a\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "zero-byte-first", bytes: ok + "X-Name: \x00b\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "space-in-name", bytes: ok + "X Name: a\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "space-before-colon", bytes: ok + "Content-Length : 5\r\n\r\nhello"},
		{name: "tab-before-colon", bytes: ok + "X-Name\t: 5\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "folded", bytes: ok + "X-Name: a\r\n b\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "folded-by-tab", bytes: ok + "X-Name: a\r\n\tb\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "control-in-name", bytes: ok + "X\x01Name: a\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "delete-in-name", bytes: ok + "X\x7fName: a\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "high-byte-in-name", bytes: ok + "X\xffName: a\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "punctuation-in-name", bytes: ok + "X(Na[me]): a\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "underscore-in-name", bytes: ok + "X_Name: a\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "no-name", bytes: ok + ": a\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "no-colon", bytes: ok + "X-Name\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "no-value", bytes: ok + "X-Name:\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "blanks-for-value", bytes: ok + "X-Name:   \r\nContent-Length: 5\r\n\r\nhello"},
		{name: "blanks-behind-value", bytes: ok + "X-Name: a  \r\nContent-Length: 5\r\n\r\nhello"},
		{name: "tab-in-value", bytes: ok + "X-Name: a\tb\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "controls-in-value", bytes: ok + "X-Name: a\x01\x1b\x7f\xffb\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "line-feeds", bytes: "HTTP/1.1 200 OK\nX-Name: a\nContent-Length: 5\n\nhello"},
		{name: "return-in-value", bytes: ok + "X-Name: a\rb\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "two-returns", bytes: ok + "X-Name: a\r\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "return-at-end", bytes: ok + "Content-Length: 5\r\n\rhello"},
		{name: "return-for-line", bytes: ok + "X-Name: a\rContent-Length: 5\r\n\r\nhello", then: closes},
		{name: "duplicates", since: "1.23.0", bytes: ok + "Content-Type: a/b\r\nContent-Type: c/d\r\nLocation: /a\r\nLocation: /b\r\nETag: 1\r\nETag: 2\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "other-duplicates", bytes: ok + "X-A: 1\r\nSet-Cookie: a\r\nX-A: 2\r\nSet-Cookie: b\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "bad-date", bytes: ok + "Last-Modified: yesterday\r\nExpires: never\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "accel-garbage", bytes: ok + "X-Accel-Limit-Rate: fast\r\nX-Accel-Expires: @x\r\nX-Accel-Buffering: maybe\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "accel-nowhere", bytes: ok + "X-Accel-Redirect: nowhere\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "accel-above", bytes: ok + "X-Accel-Redirect: /a/../../b\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "accel-empty", bytes: ok + "X-Accel-Redirect:\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "connection-list", bytes: ok + "Connection: x, Close\r\nContent-Length: 5\r\n\r\nhello" + evil},
		{name: "connection-closed", bytes: ok + "Connection: closed\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "hop-by-hop", bytes: ok + "Keep-Alive: timeout=5\r\nUpgrade: x\r\nTrailer: y\r\nProxy-Connection: z\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "endless-field", bytes: ok + "X-Name: " + strings.Repeat("a", 100_000)},
		{name: "endless-name", bytes: ok + strings.Repeat("a", 100_000)},
		{name: "endless-header", bytes: ok + strings.Repeat("X-Name: a\r\n", 10_000)},
		{name: "largest-header", bytes: ok + "Content-Length: 0\r\nX-Name: " + strings.Repeat("a", 4096-48) + "\r\n\r\n"},
		{name: "larger-header", bytes: ok + "Content-Length: 0\r\nX-Name: " + strings.Repeat("a", 4096-47) + "\r\n\r\n"},

		// Status lines.
		{name: "no-header", bytes: "nonsense\r\n", then: closes},
		{name: "no-header-at-all", bytes: "\r\n\r\n", then: closes},
		{name: "small-letters", bytes: "http/1.1 200 OK\r\n\r\nhello", then: closes},
		{name: "other-name", bytes: "HTTQ/1.1 200 OK\r\n\r\nhello", then: closes},
		{name: "blank-before-status", bytes: " HTTP/1.1 200 OK\r\n\r\nhello", then: closes},
		{name: "line-before-status", bytes: "\r\nHTTP/1.1 200 OK\r\n\r\nhello", then: closes},
		{name: "endless-status", bytes: "HTTP/1.1 200 " + strings.Repeat("a", 100_000)},
		{name: "no-version", bytes: "HTTP 200 OK\r\n\r\nhello", then: closes},
		{name: "no-minor", bytes: "HTTP/1 200 OK\r\nContent-Length: 5\r\n\r\nhello", then: closes},
		{name: "version-0.9", bytes: "HTTP/0.9 200 OK\r\nContent-Length: 5\r\n\r\nhello", then: closes},
		{name: "version-1.0", bytes: "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello" + evil},
		{name: "version-1.9", bytes: "HTTP/1.9 200 OK\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "version-2.0", bytes: "HTTP/2.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "version-01.01", bytes: "HTTP/01.01 200 OK\r\nContent-Length: 5\r\n\r\nhello", then: closes},
		{name: "huge-version", bytes: "HTTP/1.99999999999 200 OK\r\nContent-Length: 5\r\n\r\nhello", then: closes},
		{name: "two-digits", bytes: "HTTP/1.1 20 OK\r\nContent-Length: 5\r\n\r\nhello", then: closes},
		{name: "four-digits", bytes: "HTTP/1.1 2000 OK\r\nContent-Length: 5\r\n\r\nhello", then: closes},
		{name: "no-digits", bytes: "HTTP/1.1 abc OK\r\nContent-Length: 5\r\n\r\nhello", then: closes},
		{name: "blanks-in-status", bytes: "HTTP/1.1   200   OK\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "no-reason", bytes: "HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "blank-for-reason", bytes: "HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\nhello"},
		{name: "odd-reason", bytes: "HTTP/1.1 200 \x01\xff\tfine\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "return-in-reason", bytes: "HTTP/1.1 200 a\rb\r\nContent-Length: 5\r\n\r\nhello", then: closes},
		{name: "dot-behind-status", bytes: "HTTP/1.1 200. OK\r\nContent-Length: 5\r\n\r\nhello", then: closes},
		{name: "status-000", bytes: "HTTP/1.1 000 Zero\r\nContent-Length: 5\r\n\r\nhello", then: closes},
		{name: "status-099", bytes: "HTTP/1.1 099 Small\r\nContent-Length: 5\r\n\r\nhello", then: closes},
		{name: "status-299", bytes: "HTTP/1.1 299 Unknown\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "status-600", bytes: "HTTP/1.1 600 Large\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "status-999", bytes: "HTTP/1.1 999 Largest\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "status-401", bytes: "HTTP/1.1 401 Who\r\nWWW-Authenticate: Basic\r\nWWW-Authenticate: Other\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "status-444", bytes: "HTTP/1.1 444 Gone\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "status-499", bytes: "HTTP/1.1 499 Gone\r\nContent-Length: 5\r\n\r\nhello"},

		// Responses without a body, and those before a response.
		{name: "status-100", bytes: "HTTP/1.1 100 Continue\r\n\r\n" + evil, then: closes},
		{name: "status-102", bytes: "HTTP/1.1 102 Processing\r\n\r\n" + evil, then: closes},
		{name: "early-hints", since: "1.29.0", bytes: "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + ok + "Content-Length: 5\r\n\r\nhello"},
		{name: "many-early-hints", since: "1.29.0", bytes: strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 40) + ok + "Content-Length: 5\r\n\r\nhello"},
		{name: "endless-early-hints", since: "1.29.0", bytes: strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 4000), then: closes},
		{name: "early-hints-in-1.0", since: "1.29.0", bytes: "HTTP/1.0 103 Early Hints\r\n\r\n" + evil, then: closes},
		{name: "early-hints-only", since: "1.29.0", bytes: "HTTP/1.1 103 Early Hints\r\n\r\n", then: closes},
		{name: "early-hints-with-length", since: "1.29.0", bytes: "HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\nTransfer-Encoding: x\r\n\r\n" + ok + "Content-Length: 5\r\n\r\nhello"},
		{name: "status-101", bytes: "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhello", then: closes},
		{name: "no-content", bytes: "HTTP/1.1 204 No Content\r\nContent-Length: 64\r\n\r\n" + evil},
		{name: "no-content-chunked", bytes: "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"},
		{name: "no-content-sound", bytes: "HTTP/1.1 204 No Content\r\n\r\n"},
		{name: "not-modified", bytes: "HTTP/1.1 304 Not Modified\r\n\r\n" + evil},
		{name: "not-modified-sound", bytes: "HTTP/1.1 304 Not Modified\r\nContent-Length: 64\r\n\r\n"},
		{name: "not-modified-chunked", bytes: "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n"},
		{name: "reset-content", bytes: "HTTP/1.1 205 Reset Content\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "partial-content", bytes: "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-4/5\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "head", method: "HEAD", since: "1.23.0", bytes: ok + "Content-Length: 5\r\n\r\nhello", then: closes},
		{name: "head-sound", method: "HEAD", bytes: ok + "Content-Length: 5\r\n\r\n", then: closes},
		{name: "head-chunked", method: "HEAD", bytes: ok + "Transfer-Encoding: chunked\r\n\r\n", then: closes},
		{name: "head-without-length", method: "HEAD", bytes: ok + "\r\n", then: closes},

		// Early ends.
		{name: "nothing", then: closes},
		{name: "reset", then: resets},
		{name: "nothing-ever", then: stalls},
		{name: "half-a-status", bytes: "HTTP/1.1 2", then: closes},
		{name: "half-a-header", bytes: ok + "Content-Len", then: closes},
		{name: "half-an-end", bytes: ok + "Content-Length: 5\r\n\r", then: closes},
		{name: "half-a-header-ever", bytes: ok + "Content-Len", then: stalls},
		{name: "only-a-header", bytes: ok + "Content-Length: 5\r\n\r\n", then: closes},
		{name: "short-body", bytes: ok + "Content-Length: 100\r\n\r\nhello", then: closes},
		{name: "short-body-ever", bytes: ok + "Content-Length: 100\r\n\r\nhello", then: stalls},
		{name: "body-without-end-ever", bytes: ok + "\r\nhello", then: stalls},
		{name: "short-chunk", bytes: chunked + "64\r\nhello", then: closes},
		{name: "short-chunk-ever", bytes: chunked + "64\r\nhello", then: stalls},
		{name: "short-chunk-size", bytes: chunked + "5\r\nhello\r\n6", then: closes},
		{name: "no-chunks", bytes: chunked, then: closes},
		{name: "no-last-chunk", bytes: chunked + "5\r\nhello\r\n", then: closes},
		{name: "no-end-of-chunks", bytes: chunked + "5\r\nhello\r\n0\r\n", then: closes},
		{name: "half-an-end-of-chunks", bytes: chunked + "5\r\nhello\r\n0\r\n\r", then: closes},
		{name: "no-end-of-trailers", bytes: chunked + "5\r\nhello\r\n0\r\nX-A: b\r\n", then: closes},

		// Chunks.
		{name: "huge-chunk", bytes: chunked + "fffffffffffffffff\r\nhello"},
		{name: "largest-chunk", bytes: chunked + "7fffffffffffffff\r\nhello", then: closes},
		{name: "negative-chunk", bytes: chunked + "-1\r\nhello"},
		{name: "no-chunk", bytes: chunked + "hello"},
		{name: "hexadecimal-chunk", bytes: chunked + "0x5\r\nhello\r\n0\r\n\r\n"},
		{name: "oversized-chunk", bytes: chunked + "5\r\nhello, world\r\n0\r\n\r\n"},
		{name: "blank-before-chunk", bytes: chunked + " 5\r\nhello\r\n0\r\n\r\n"},
		{name: "blank-behind-chunk", bytes: chunked + "5 \r\nhello\r\n0\r\n\r\n"},
		{name: "tab-behind-chunk", bytes: chunked + "5\t\r\nhello\r\n0\r\n\r\n"},
		{name: "zeros-before-chunk", bytes: chunked + "0000000005\r\nhello\r\n00\r\n\r\n"},
		{name: "capitals-in-chunk", bytes: chunked + "A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n"},
		{name: "extensions", bytes: chunked + "5;a;b=\"c;d\"\r\nhello\r\n0;z\r\n\r\n"},
		{name: "line-feed-in-extension", since: "1.29.5", bytes: chunked + "5;a\nhello\r\n0\r\n\r\n"},
		{name: "return-in-extension", bytes: chunked + "5;a\rb\r\nhello\r\n0\r\n\r\n"},
		{name: "line-feeds-in-chunks", since: "1.29.5", bytes: chunked + "5\nhello\n0\n\n"},
		{name: "empty-line-in-chunks", bytes: chunked + "5\r\nhello\r\n\r\n0\r\n\r\n"},
		{name: "endless-extension", bytes: chunked + "5;" + strings.Repeat("a", 20_000) + "\r\nhello\r\n0\r\n\r\n"},
		{name: "many-chunks", bytes: chunked + strings.Repeat("1\r\na\r\n", 5000) + "0\r\n\r\n"},
		{name: "trailers", bytes: chunked + "5\r\nhello\r\n0\r\nX-A: b\r\nX-C: d\r\n\r\n"},
		{name: "odd-trailers", bytes: chunked + "5\r\nhello\r\n0\r\nX A\r\n: d\r\n\r\n"},
		{name: "chunks-in-pieces", bytes: chunked + "5;x=y\r\nhello\r\n3\r\nabc\r\n0\r\nX-A: b\r\n\r\n", slow: true},

		// More than the body, and what is slow.
		{name: "more-than-length", bytes: ok + "Content-Length: 5\r\n\r\nhello" + evil},
		{name: "more-than-nothing", bytes: ok + "Content-Length: 0\r\n\r\n" + evil},
		{name: "more-than-chunks", bytes: chunked + "5\r\nhello\r\n0\r\n\r\n" + evil},
		{name: "more-than-chunks-before-end", bytes: chunked + "5\r\nhello\r\n0\r\n\r\n" + evil, then: closes},
		{name: "line-behind-body", bytes: ok + "Content-Length: 5\r\n\r\nhello\r\n"},
		{name: "closing", bytes: ok + "Connection: close\r\nContent-Length: 5\r\n\r\nhello" + evil},
		{name: "slow", bytes: ok + "X-Name: a\r\nContent-Length: 5\r\n\r\nhello", slow: true},
		{name: "slow-control-in-name", bytes: ok + "X\x01Name: a\r\nContent-Length: 5\r\n\r\nhello", slow: true, then: closes},
		{name: "slow-nonsense", bytes: "HTTQ nonsense\r\n", slow: true, then: closes},
		{name: "slow-short-body", bytes: ok + "Content-Length: 100\r\n\r\nhello", slow: true, then: closes},
		{name: "large", bytes: ok + "Content-Length: 300000\r\n\r\n" + strings.Repeat("0123456789", 30_000)},
		{name: "large-chunked", bytes: chunked + "493e0\r\n" + strings.Repeat("0123456789", 30_000) + "\r\n0\r\n\r\n"},
		{name: "large-and-short", bytes: ok + "Content-Length: 300001\r\n\r\n" + strings.Repeat("0123456789", 30_000), then: closes},
	},
}
