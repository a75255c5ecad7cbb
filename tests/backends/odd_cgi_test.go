package backends

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// oddResponses are those of CGI programs.
var oddResponses = []odd{
	{name: "sound", bytes: "Status: 200 OK\r\nContent-Length: 5\r\n\r\nhello", then: closes},
	{name: "sound-until-end", bytes: "Status: 404 Nothing\r\n\r\nhello", then: closes},
	{name: "status-line", bytes: "HTTP/1.1 404 Nothing\r\nStatus: 200\r\n\r\nhello", then: closes},
	{name: "status-line-cut", bytes: "HTTP/1.1 40\r\n\r\nhello", then: closes},
	{name: "no-status", bytes: "X-A: b\r\n\r\nhello", then: closes},
	{name: "location", bytes: "Location: http://a/b\r\n\r\nhello", then: closes},
	{name: "inner-location", bytes: "Location: /b\r\n\r\nhello", then: closes},
	{name: "location-and-status", bytes: "Status: 201 Created\r\nLocation: http://a/b\r\n\r\nhello", then: closes},
	{name: "bare-status", since: "1.31.0", bytes: "Status: 404\r\n\r\nhello", then: closes},
	{name: "long-status", bytes: "Status: 4040 x\r\n\r\nhello", then: closes},
	{name: "short-status", since: "1.31.0", bytes: "Status: 40\r\n\r\nhello", then: closes},
	{name: "empty-status", since: "1.31.0", bytes: "Status:\r\n\r\nhello", then: closes},
	{name: "invalid-status", bytes: "Status: abc\r\n\r\nhello", then: closes},
	{name: "negative-status", bytes: "Status: -12\r\n\r\nhello", then: closes},
	{name: "two-statuses", since: "1.23.0", bytes: "Status: 404\r\nStatus: 200\r\n\r\nhello", then: closes},
	{name: "no-header", bytes: "\r\nhello", then: closes},
	{name: "line-feeds", bytes: "Status: 200 OK\nX-A: b\n\nhello", then: closes},
	{name: "nothing", then: closes},
	{name: "reset", then: resets},
	{name: "nothing-ever", then: stalls},
	{name: "half-a-header", bytes: "Status: 200 OK\r\nX-A", then: closes},
	{name: "half-a-header-ever", bytes: "Status: 200 OK\r\nX-A", then: stalls},
	{name: "nonsense", bytes: "nonsense\r\n\r\n", then: closes},
	{name: "control-in-name", bytes: "X\x01A: b\r\n\r\nhello", then: closes},
	{name: "zero-byte", bytes: "X-A: \x00b\r\n\r\nhello", then: closes},
	{name: "space-in-name", bytes: "X A: b\r\n\r\nhello", then: closes},
	{name: "folded", bytes: "X-A: b\r\n c\r\n\r\nhello", then: closes},
	{name: "endless-field", bytes: "X-A: " + strings.Repeat("a", 100_000)},
	{name: "endless-header", bytes: strings.Repeat("X-A: b\r\n", 10_000)},
	{name: "two-lengths", since: "1.23.0", bytes: "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", then: closes},
	{name: "negative-length", since: "1.23.0", bytes: "Content-Length: -5\r\n\r\nhello", then: closes},
	{name: "length-and-chunked", since: "1.23.0", bytes: "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", then: closes},
	{name: "chunked", since: "1.23.0", bytes: "Status: 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", then: closes},
	{name: "short-body", bytes: "Status: 200 OK\r\nContent-Length: 100\r\n\r\nhello", then: closes},
	{name: "short-body-ever", bytes: "Status: 200 OK\r\nContent-Length: 100\r\n\r\nhello", then: stalls},
	{name: "long-body", bytes: "Status: 200 OK\r\nContent-Length: 5\r\n\r\nhello, world", then: closes},
	{name: "body-of-nothing", bytes: "Status: 200 OK\r\nContent-Length: 0\r\n\r\nhello", then: closes},
	{name: "bare-no-content", since: "1.31.0", bytes: "Status: 204\r\nContent-Length: 5\r\n\r\nhello", then: closes},
	{name: "no-content", bytes: "Status: 204 No Content\r\nContent-Length: 5\r\n\r\nhello", then: closes},
	{name: "not-modified", bytes: "Status: 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello", then: closes},
	{name: "status-101", bytes: "Status: 101 Other\r\n\r\nhello", then: closes},
	{name: "head", method: "HEAD", since: "1.23.0", bytes: "Status: 200 OK\r\nContent-Length: 5\r\n\r\nhello", then: closes},
	{name: "head-sound", method: "HEAD", bytes: "Status: 200 OK\r\nContent-Length: 5\r\n\r\n", then: closes},
	{name: "slow", bytes: "Status: 200 OK\r\nX-A: b\r\nContent-Length: 5\r\n\r\nhello", slow: true, then: closes},
	{name: "slow-status-line", bytes: "HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 5\r\n\r\nhello", slow: true, then: closes},
	{name: "slow-nonsense", bytes: "Sta\x01tus: 200 OK\r\n\r\n", slow: true, then: closes},
	{name: "large", bytes: "Status: 200 OK\r\n\r\n" + strings.Repeat("0123456789", 30_000), then: closes},
}

var oddCGI = speech{
	prefix: "scgi",
	read: func(in *bufio.Reader) (string, error) {
		var n int
		if _, err := fmt.Fscanf(in, "%d:", &n); err != nil {
			return "", err
		}
		b := make([]byte, n+1)
		_, err := io.ReadFull(in, b)
		return string(b), err
	},
	fine: "Status: 200 OK\r\nContent-Length: 4\r\n\r\nfine",
	odd:  oddResponses,
	modes: []mode{
		{"scgi", `scgi_pass %s; scgi_param URI $uri;`, ""},
		{"scgi-direct", `scgi_pass %s; scgi_param URI $uri; scgi_buffering off;`, ""},
	},
}

var oddUWSGI = speech{
	prefix: "uwsgi",
	read: func(in *bufio.Reader) (string, error) {
		var head [4]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return "", err
		}
		b := make([]byte, binary.LittleEndian.Uint16(head[1:]))
		_, err := io.ReadFull(in, b)
		return string(b), err
	},
	fine: "Status: 200 OK\r\nContent-Length: 4\r\n\r\nfine",
	odd:  oddResponses,
	modes: []mode{
		{"uwsgi", `uwsgi_pass %s; uwsgi_param URI $uri;`, ""},
		{"uwsgi-direct", `uwsgi_pass %s; uwsgi_param URI $uri; uwsgi_buffering off;`, ""},
	},
}

const (
	stdout = 6
	stderr = 7
)

// record is one of FastCGI.
func record(kind byte, content string, padding int) string {
	n := len(content)
	return string([]byte{1, kind, 0, 1, byte(n >> 8), byte(n), byte(padding), 0}) + content + strings.Repeat("\x00", padding)
}

var (
	outEnd     = record(stdout, "", 0)
	requestEnd = record(3, "\x00\x00\x00\x00\x00\x00\x00\x00", 0)
	head200    = "Status: 200 OK\r\nContent-Length: 5\r\n\r\n"
)

var oddFastCGI = speech{
	prefix: "fastcgi",
	read: func(in *bufio.Reader) (string, error) {
		var text strings.Builder
		var last error
		for {
			var head [8]byte
			if _, err := io.ReadFull(in, head[:]); err != nil {
				return "", err
			}
			n := int(binary.BigEndian.Uint16(head[4:]))
			b := make([]byte, n+int(head[6]))
			if _, err := io.ReadFull(in, b); err != nil {
				return "", err
			}
			switch {
			case head[1] == 1 && b[2] == 0:
				last = io.EOF
			case head[1] == 5 && n == 0:
				return text.String(), last
			}
			text.Write(b[:n])
		}
	},
	fine: record(stdout, "Status: 200 OK\r\n\r\nfine", 0) + outEnd + requestEnd,
	modes: []mode{
		{"fastcgi", `fastcgi_pass %s; fastcgi_param URI $uri;`, ""},
		{"fastcgi-direct", `fastcgi_pass %s; fastcgi_param URI $uri; fastcgi_buffering off;`, ""},
		{"fastcgi-keep", `fastcgi_pass %s; fastcgi_param URI $uri; fastcgi_keep_conn on;`, "keepalive 1;"},
		{"fastcgi-keep-direct", `fastcgi_pass %s; fastcgi_param URI $uri; fastcgi_keep_conn on; fastcgi_buffering off;`, "keepalive 1;"},
	},
	odd: []odd{
		{name: "sound", bytes: record(stdout, head200+"hello", 3) + outEnd + requestEnd},
		{name: "padded", bytes: record(stdout, head200+"hello", 255) + record(stdout, "", 8) + requestEnd},
		{name: "without-end-of-output", bytes: record(stdout, head200+"hello", 3) + requestEnd},
		{name: "without-end-of-request", bytes: record(stdout, head200+"hello", 3) + outEnd, then: closes},
		{name: "without-end-of-request-ever", bytes: record(stdout, head200+"hello", 3) + outEnd, then: stalls},
		{name: "without-any-end", bytes: record(stdout, head200+"hello", 3), then: closes},
		{name: "without-any-end-ever", bytes: record(stdout, head200+"hello", 3), then: stalls},
		{name: "until-end", bytes: record(stdout, "Status: 200 OK\r\n\r\nhello", 0), then: closes},
		{name: "in-pieces", bytes: record(stdout, "Sta", 0) + record(stdout, "tus: 200 OK\r\nX-A: b\r", 5) + record(stdout, "\n\r\nhel", 0) + record(stdout, "lo", 1) + outEnd + requestEnd},
		{name: "slow", bytes: record(stdout, head200+"hello", 3) + outEnd + requestEnd, slow: true},
		{name: "slow-in-pieces", bytes: record(stdout, "Sta", 0) + record(stdout, "tus: 200 OK\r\nX-A: b\r", 5) + record(stdout, "\n\r\nhel", 0) + record(stdout, "lo", 1) + outEnd + requestEnd, slow: true},
		{name: "no-status", bytes: record(stdout, "X-A: b\r\n\r\nhello", 0) + outEnd + requestEnd},
		{name: "location", bytes: record(stdout, "Location: http://a/b\r\n\r\n", 0) + outEnd + requestEnd},
		{name: "invalid-status", bytes: record(stdout, "Status: abc\r\n\r\nhello", 0) + outEnd + requestEnd},
		{name: "short-status", since: "1.31.0", bytes: record(stdout, "Status: 40\r\n\r\nhello", 0) + outEnd + requestEnd},
		{name: "no-header", bytes: record(stdout, "\r\nhello", 0) + outEnd + requestEnd},
		{name: "empty-output", bytes: outEnd + requestEnd},
		{name: "only-the-end", bytes: requestEnd},
		{name: "half-a-header", bytes: record(stdout, "Status: 200 OK\r\nX-A", 0) + outEnd + requestEnd},
		{name: "half-a-header-and-end", bytes: record(stdout, "Status: 200 OK\r\nX-A", 0), then: closes},
		{name: "half-a-record-head", bytes: "\x01\x06\x00", then: closes},
		{name: "half-a-record", bytes: record(stdout, head200+"hello", 0)[:23], then: closes},
		{name: "half-a-body", bytes: record(stdout, head200+"hello", 0)[:49], then: closes},
		{name: "half-a-record-ever", bytes: record(stdout, head200+"hello", 0)[:23], then: stalls},
		{name: "nothing", then: closes},
		{name: "nothing-ever", then: stalls},
		{name: "reset", then: resets},
		{name: "http", bytes: ok + "\r\nhello"},
		{name: "version-0", bytes: "\x00" + record(stdout, head200+"hello", 0)[1:]},
		{name: "version-2", bytes: "\x02" + record(stdout, head200+"hello", 0)[1:]},
		{name: "version-2-in-body", bytes: record(stdout, head200+"hel", 0) + "\x02" + record(stdout, "lo", 0)[1:] + outEnd + requestEnd},
		{name: "type-0", bytes: record(0, "hello", 0)},
		{name: "type-5", bytes: record(5, "hello", 0)},
		{name: "type-255-in-body", bytes: record(stdout, head200+"hel", 0) + record(255, "lo", 0)},
		{name: "request-2", bytes: "\x01\x06\x00\x02" + record(stdout, head200+"hello", 0)[4:]},
		{name: "request-256", bytes: "\x01\x06\x01\x01" + record(stdout, head200+"hello", 0)[4:]},
		{name: "request-2-in-body", bytes: record(stdout, head200+"hel", 0) + "\x01\x06\x00\x02" + record(stdout, "lo", 0)[4:]},
		{name: "stderr", bytes: record(stderr, "a warning\n", 2) + record(stdout, head200+"hello", 3) + outEnd + requestEnd},
		{name: "stderr-in-header", bytes: record(stdout, "Status: 200 OK\r\n", 0) + record(stderr, "a warning\n", 2) + record(stdout, "X-A: b\r\n\r\nhello", 3) + outEnd + requestEnd},
		{name: "stderr-in-body", bytes: record(stdout, head200+"hel", 3) + record(stderr, "a warning\n", 0) + record(stdout, "lo", 3) + outEnd + requestEnd},
		{name: "stderr-behind-body", bytes: record(stdout, head200+"hello", 3) + record(stderr, "a warning\n", 0) + outEnd + requestEnd},
		{name: "stderr-only", bytes: record(stderr, "a warning\n", 0) + requestEnd},
		{name: "stderr-and-end", bytes: record(stderr, "a warning\n", 0), then: closes},
		{name: "stderr-empty", bytes: record(stderr, "", 0) + record(stdout, head200+"hello", 3) + outEnd + requestEnd},
		{name: "stderr-of-line-feeds", bytes: record(stderr, "\n\r\n", 0) + record(stdout, head200+"hello", 3) + outEnd + requestEnd},
		{name: "stderr-of-two", bytes: record(stderr, "one\ntwo\n", 0) + record(stderr, "three. ", 0) + record(stdout, head200+"hello", 3) + outEnd + requestEnd},
		{name: "short-body", bytes: record(stdout, head200+"hel", 0) + outEnd + requestEnd},
		{name: "short-body-and-request-end", bytes: record(stdout, head200+"hel", 0) + requestEnd},
		{name: "short-body-and-end", bytes: record(stdout, head200+"hel", 0), then: closes},
		{name: "long-body", bytes: record(stdout, head200+"hello, world", 0) + outEnd + requestEnd},
		{name: "long-body-in-pieces", bytes: record(stdout, head200+"hello", 0) + record(stdout, ", world", 0) + outEnd + requestEnd},
		{name: "empty-record-in-body", bytes: record(stdout, head200+"hel", 0) + outEnd + record(stdout, "lo", 0) + outEnd + requestEnd},
		{name: "more-than-request", bytes: record(stdout, head200+"hello", 0) + outEnd + requestEnd + record(stdout, head200+"evil!", 0) + outEnd + requestEnd},
		{name: "failed", bytes: record(stdout, head200+"hello", 0) + outEnd + record(3, "\x00\x00\x00\x01\x03\x00\x00\x00", 0)},
		{name: "short-request-end", bytes: record(stdout, head200+"hello", 0) + outEnd + record(3, "\x00", 0)},
		{name: "padded-request-end", bytes: record(stdout, head200+"hello", 0) + outEnd + record(3, "\x00\x00\x00\x00\x00\x00\x00\x00", 40)},
		{name: "no-content", bytes: record(stdout, "Status: 204 No Content\r\n\r\nhello", 0) + outEnd + requestEnd},
		{name: "not-modified", bytes: record(stdout, "Status: 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 0) + outEnd + requestEnd},
		{name: "head", method: "HEAD", since: "1.23.0", bytes: record(stdout, head200+"hello", 0) + outEnd + requestEnd},
		{name: "head-sound", method: "HEAD", bytes: record(stdout, head200, 0) + outEnd + requestEnd},
		{name: "control-in-name", bytes: record(stdout, "X\x01A: b\r\n\r\nhello", 0) + outEnd + requestEnd},
		{name: "control-in-split-name", own: "nginx logs the heads of records with the line", bytes: record(stdout, "X-Lo", 0) + record(stdout, "ng\x01A: b\r\n\r\nhello", 0) + outEnd + requestEnd},
		{name: "zero-byte", bytes: record(stdout, "X-A: \x00b\r\n\r\nhello", 0) + outEnd + requestEnd},
		{name: "two-lengths", since: "1.23.0", bytes: record(stdout, "Content-Length: 5\r\n"+head200+"hello", 0) + outEnd + requestEnd},
		{name: "negative-length", since: "1.23.0", bytes: record(stdout, "Content-Length: -5\r\n\r\nhello", 0) + outEnd + requestEnd},
		{name: "endless-field", bytes: record(stdout, "X-A: "+strings.Repeat("a", 60_000), 0)},
		{name: "endless-header", bytes: record(stdout, strings.Repeat("X-A: b\r\n", 8_000), 0)},
		{name: "large", bytes: record(stdout, "Status: 200 OK\r\n\r\n"+strings.Repeat("0123456789", 6_000), 0) + strings.Repeat(record(stdout, strings.Repeat("0123456789", 6_000), 7), 4) + outEnd + requestEnd},
		{name: "large-of-small", bytes: record(stdout, "Status: 200 OK\r\n\r\n", 0) + strings.Repeat(record(stdout, "a", 7), 5000) + outEnd + requestEnd},
	},
}
